/** Inspect: learn from good pictures, or take a calibrated model; then see which pictures are not like them. */
import { useEffect, useState } from 'preact/hooks';
import type { Choice } from '../models/choice.ts';
import { type Library, titleOf } from '../models/library.ts';
import { ModelPicker } from '../models/picker.tsx';
import { DropZone } from '../parts/drop-zone.tsx';
import { Failure } from '../parts/failure.tsx';
import { useStore } from '../store.ts';
import { texts } from '../texts.ts';
import type { Inspector } from './controller.ts';
import { Results } from './results.tsx';
import { Trained, Training } from './training.tsx';
import { Watch } from './watch.tsx';

interface InspectViewProps {
  readonly library: Library;
  readonly choice: Choice;
  readonly inspector: Inspector;
}

export function InspectView({ library, choice, inspector }: InspectViewProps) {
  const { items, failure, training, trained } = useStore(inspector.state);
  const { model, source } = useStore(choice.state);
  const [isChanging, setChanging] = useState(false);
  // A model that was just trained or chosen is what was wanted.
  useEffect(() => setChanging(false), [model]);
  const isReady = model !== undefined && model.policies.length > 0 && !training;
  if (!isReady || isChanging) {
    return (
      <div class="view">
        <header class="intro">
          <h1>{texts.inspect.title}</h1>
          <p>{texts.inspect.intro}</p>
        </header>
        {isReady && (
          <div>
            <button type="button" onClick={() => setChanging(false)}>
              {texts.inspect.keepModel}
            </button>
          </div>
        )}
        <h2>{texts.inspect.step1}</h2>
        <Training inspector={inspector} />
        <p class="quiet">{texts.inspect.orModel}</p>
        <ModelPicker library={library} choice={choice} label={texts.inspect.orModel} inspecting />
        {model && model.policies.length === 0 && <p class="notice">{texts.inspect.noPolicy(model.name)}</p>}
      </div>
    );
  }
  return (
    <div class="view">
      <h1 class={items.length > 0 ? 'hidden' : ''}>{texts.inspect.step2}</h1>
      <div class="row spread">
        <p>
          {texts.restore.with(source ? titleOf(source) : model.name)}{' '}
          <button type="button" class="link" onClick={() => setChanging(true)}>
            {texts.restore.changeModel}
          </button>
        </p>
        <div class="row">
          <Watch onFiles={inspector.inspect} />
        </div>
      </div>
      {trained?.result.model === model && <Trained inspector={inspector} />}
      <Failure sentence={failure} />
      {items.length === 0 ? (
        <DropZone
          title={texts.inspect.drop}
          hint={texts.inspect.dropHint}
          choose={texts.inspect.choose}
          folder
          onFiles={inspector.inspect}
        />
      ) : (
        <Results inspector={inspector} model={model} engine={library.engine} />
      )}
    </div>
  );
}
