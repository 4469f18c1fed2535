/** A restored picture: looked at in several ways, corrected, saved. */
import { useMemo, useState } from 'preact/hooks';
import { METHOD_NAMES } from '../../../inversion/spec/method.ts';
import type { OpenedModel, Picture, Plane, RestoreResult } from '../../engine.ts';
import type { ModelSource } from '../models/library.ts';
import { Failure } from '../parts/failure.tsx';
import { Segments } from '../parts/segments.tsx';
import { Slider } from '../parts/slider.tsx';
import { corrected, displayFactor, shareOf, shownPicture, shownPlane, tinted } from '../pictures/planes.ts';
import { texts } from '../texts.ts';
import { Compare } from './compare.tsx';
import type { Restorer } from './controller.ts';
import { History } from './history.tsx';
import { isChanged, type Look, maskOf, type RestoreItem } from './items.ts';
import { BrushControls, type BrushSettings, MaskEditor } from './mask-editor.tsx';
import { MethodsView } from './methods.tsx';
import { FOUND_COLOUR, Overlaid } from './overlaid.tsx';
import { PlaneView } from './plane-view.tsx';
import { Save } from './save.tsx';
import { shownPlanesOf } from './strokes.ts';

interface ResultViewProps {
  readonly item: RestoreItem;
  readonly result: RestoreResult;
  readonly model: OpenedModel;
  readonly source: ModelSource | undefined;
  readonly restorer: Restorer;
}

export function ResultView({ item, result, model, source, restorer }: ResultViewProps) {
  const [brush, setBrush] = useState<BrushSettings>({ brush: 'hide', share: 0.04 });
  const { picture, threshold, edits, look } = item;
  const setLook = (next: Look) => restorer.change(item.id, { look: next });
  const k = displayFactor(picture);
  const shown = shownPicture(picture);
  const after = shownPicture(result.composite);
  const small = useMemo(
    () => ({
      ...result,
      mask: shownPlane(result.mask),
      residual: shownPlane(result.residual),
      uncertainty: shownPlane(result.uncertainty),
    }),
    [result],
  );
  const found = useMemo(() => maskOf(small, threshold), [small, threshold]);
  const automatic = useMemo(() => automaticThreshold(small), [small]);
  const strokes = shownPlanesOf(edits.done, picture.width, picture.height, k);
  const mask = useMemo(() => corrected(found, strokes.keep, strokes.hide), [found, strokes]);
  const setThreshold = (value: number | undefined) => {
    restorer.change(item.id, { threshold: value });
    if (look === 'compare') setLook('found');
  };

  return (
    <div class="work">
      <div class="hero">
        <Segments<Look>
          label={texts.result.looks}
          name="look"
          value={look}
          options={Object.entries(texts.result.look) as [Look, string][]}
          onChange={setLook}
        />
        {look === 'compare' && <Compare before={picture} after={result.composite} small={[shown, after]} />}
        {look === 'found' && model.served && <FoundView picture={shown} mask={mask} />}
        {look === 'found' && !model.served && (
          <MaskEditor
            picture={shown}
            k={k}
            mask={mask}
            keep={strokes.keep}
            brush={brush}
            item={item}
            restorer={restorer}
          />
        )}
        {look === 'difference' && <PlaneView plane={small.residual} kind="difference" />}
        {look === 'uncertainty' && <PlaneView plane={small.uncertainty} kind="uncertainty" />}
        {look === 'history' && <History item={item} picture={shown} result={result} />}
        {look === 'methods' && (
          <MethodsView
            methods={model.served?.methods ?? METHOD_NAMES}
            item={item}
            result={result}
            restorer={restorer}
          />
        )}
      </div>
      <aside class="aside" aria-label={texts.restore.asideLabel}>
        <h2 class="aside-title">{item.picture.name}</h2>
        <p>{texts.result.summary(shareOf(mask), result.seconds, result.steps)}</p>
        {result.outOfDomain && <p class="notice">{texts.result.outOfDomain}</p>}
        <p class="hint">{result.sentence}</p>
        <Failure sentence={item.failure} />
        <Slider
          label={texts.result.threshold}
          value={threshold ?? automatic}
          min={1}
          max={128}
          text={threshold === undefined ? texts.result.automatic : texts.result.grey(threshold)}
          hint={texts.result.thresholdHint}
          onInput={setThreshold}
        />
        {threshold !== undefined && (
          <button type="button" class="link" onClick={() => setThreshold(undefined)}>
            {texts.result.backToAutomatic}
          </button>
        )}
        {model.served ? (
          <p class="hint">{texts.server.noMarks}</p>
        ) : (
          <BrushControls
            brush={brush}
            item={item}
            restorer={restorer}
            onChange={(next) => {
              setBrush(next);
              setLook('found');
            }}
          />
        )}
        {isChanged(item) && (
          <button type="button" class="primary large" onClick={() => restorer.goOn(item.id)}>
            {texts.result.again}
          </button>
        )}
        <Save item={item} result={result} model={model} source={source} restorer={restorer} />
      </aside>
    </div>
  );
}

/** What a server found, which is not corrected by hand. */
function FoundView({ picture, mask }: { readonly picture: Picture; readonly mask: Plane }) {
  const tint = useMemo(() => tinted(mask, FOUND_COLOUR), [mask]);
  return (
    <figure class="editor">
      <Overlaid picture={picture} tint={tint} label={texts.result.foundLabel} class="hero-picture" />
    </figure>
  );
}

/** Where the slider stands before it is moved: the smallest residual of what was found, in grey levels. */
function automaticThreshold({ mask, residual }: RestoreResult): number {
  let least = 255;
  for (let i = 0; i < mask.data.length; i++) if (mask.data[i] > 127) least = Math.min(least, residual.data[i]);
  return Math.min(128, Math.max(1, least));
}
