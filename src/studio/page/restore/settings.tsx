/** Settings of the search, folded away: the defaults are right for most pictures. */
import type { MethodName } from '../../../inversion/spec/method.ts';
import { useStore } from '../store.ts';
import { texts } from '../texts.ts';
import type { Restorer, RestoreSettings } from './controller.ts';

interface SettingsProps {
  /** Those that there are for the model. */
  readonly methods: readonly MethodName[];
  readonly restorer: Restorer;
}

export function Settings({ methods, restorer }: SettingsProps) {
  const { settings } = useStore(restorer.state);
  const change = (fields: Partial<RestoreSettings>) =>
    restorer.state.patch({ settings: { ...restorer.state.get().settings, ...fields } });
  return (
    <details class="settings">
      <summary>{texts.settings.title}</summary>
      <div class="settings-body">
        <label>
          <span>{texts.settings.method}</span>
          <select
            value={settings.method}
            onChange={(event) => change({ method: event.currentTarget.value as MethodName })}
          >
            {methods
              .filter((name) => !texts.methods[name].needsMask)
              .map((name) => (
                <option key={name} value={name}>
                  {texts.methods[name].title}
                </option>
              ))}
          </select>
          <span class="hint">{texts.methods[settings.method].about}</span>
        </label>
        <label>
          <span>{texts.settings.fit}</span>
          <select
            value={settings.fit}
            onChange={(event) => change({ fit: event.currentTarget.value === 'cover' ? 'cover' : 'contain' })}
          >
            <option value="contain">{texts.settings.contain}</option>
            <option value="cover">{texts.settings.cover}</option>
          </select>
        </label>
        <label>
          <span>{texts.settings.seed}</span>
          <input
            type="number"
            min={0}
            max={4294967295}
            step={1}
            value={settings.seed}
            onChange={(event) => change({ seed: Math.max(0, Math.floor(Number(event.currentTarget.value)) || 0) })}
          />
          <span class="hint">{texts.settings.seedHint}</span>
        </label>
        <label>
          <span>{texts.settings.steps}</span>
          <input
            type="number"
            min={1}
            max={100000}
            placeholder={texts.settings.stepsAutomatic}
            value={settings.steps ?? ''}
            onChange={(event) => {
              const steps = Math.floor(Number(event.currentTarget.value));
              change({ steps: steps >= 1 ? steps : undefined });
            }}
          />
        </label>
      </div>
    </details>
  );
}
