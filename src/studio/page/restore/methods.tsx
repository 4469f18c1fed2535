/** The same picture by several methods, side by side. */
import { useMemo, useState } from 'preact/hooks';
import type { MethodName } from '../../../inversion/spec/method.ts';
import type { RestoreResult } from '../../engine.ts';
import { PictureCanvas } from '../pictures/canvas.tsx';
import { displayFactor, thinnedPicture } from '../pictures/planes.ts';
import { texts } from '../texts.ts';
import type { Restorer } from './controller.ts';
import type { RestoreItem } from './items.ts';

interface MethodsViewProps {
  /** Those that there are for the model. */
  readonly methods: readonly MethodName[];
  readonly item: RestoreItem;
  readonly result: RestoreResult;
  readonly restorer: Restorer;
}

export function MethodsView({ methods, item, result, restorer }: MethodsViewProps) {
  const [wanted, setWanted] = useState<readonly MethodName[]>(['rrgi', 'invert']);
  const toggle = (name: MethodName) =>
    setWanted(wanted.includes(name) ? wanted.filter((each) => each !== name) : [...wanted, name]);
  return (
    <div class="methods">
      <fieldset class="checks">
        <legend>{texts.result.methodsTitle}</legend>
        {methods.map((name) => (
          <label key={name} class="check" title={texts.methods[name].about}>
            <input type="checkbox" checked={wanted.includes(name)} onChange={() => toggle(name)} />
            <span>{texts.methods[name].title}</span>
          </label>
        ))}
        <button
          type="button"
          disabled={wanted.length === 0}
          onClick={() =>
            void restorer.compare(
              item.id,
              methods.filter((name) => wanted.includes(name)),
            )
          }
        >
          {texts.result.methodsGo}
        </button>
      </fieldset>
      <div class="rivals">
        <Contestant title={texts.result.thisResult} result={result} failure="" />
        {item.rivals.map(({ method, result: other, failure }) => (
          <Contestant key={method} title={texts.methods[method].title} result={other} failure={failure} />
        ))}
      </div>
    </div>
  );
}

interface ContestantProps {
  readonly title: string;
  readonly result?: RestoreResult;
  readonly failure: string;
}

function Contestant({ title, result, failure }: ContestantProps) {
  const composite = result?.composite;
  const shown = useMemo(() => composite && thinnedPicture(composite, displayFactor(composite)), [composite]);
  return (
    <figure>
      {shown && <PictureCanvas picture={shown} label={texts.result.byMethod(title)} />}
      <figcaption>
        <strong>{title}</strong>
        {result && <span class="hint">{texts.result.summary(result.maskedShare, result.seconds, result.steps)}</span>}
        {failure && <span class="hint">{failure}</span>}
      </figcaption>
    </figure>
  );
}
