/** Explore: what a model can and cannot make. */
import { useMemo } from 'preact/hooks';
import type { OpenedModel } from '../../engine.ts';
import type { Choice } from '../models/choice.ts';
import type { Library } from '../models/library.ts';
import { useFirstChosen } from '../models/offered.ts';
import { ModelPicker } from '../models/picker.tsx';
import { DropZone } from '../parts/drop-zone.tsx';
import { Failure } from '../parts/failure.tsx';
import { Slider } from '../parts/slider.tsx';
import { PictureCanvas } from '../pictures/canvas.tsx';
import { displayFactor, thinnedPicture } from '../pictures/planes.ts';
import { useStore } from '../store.ts';
import { texts } from '../texts.ts';
import type { Explorer } from './controller.ts';

interface ExploreViewProps {
  readonly library: Library;
  readonly choice: Choice;
  readonly explorer: Explorer;
}

/** Values of a latent that the slider reaches: beyond three standard deviations a model has seen little. */
const REACH = 3;

export function ExploreView({ library, choice, explorer }: ExploreViewProps) {
  const { model } = useStore(choice.state);
  useFirstChosen(library, choice, false);
  return (
    <div class="view">
      <header class="intro">
        <h1>{texts.explore.title}</h1>
        <p>{texts.explore.intro}</p>
      </header>
      <ModelPicker library={library} choice={choice} label={texts.explore.step1} />
      {model && <Explored explorer={explorer} model={model} />}
    </div>
  );
}

interface ExploredProps {
  readonly explorer: Explorer;
  readonly model: OpenedModel;
}

function Explored({ explorer, model }: ExploredProps) {
  const state = useStore(explorer.state);
  const { samples, chosen, seed, isBusy, failure } = state;
  return (
    <>
      <div class="row spread">
        <h2>{texts.explore.samples}</h2>
        <button type="button" disabled={isBusy} onClick={() => void explorer.draw(seed + 1)}>
          {texts.explore.again}
        </button>
      </div>
      <Failure sentence={failure} />
      <p class="quiet">{samples.length === 0 ? texts.explore.drawing : texts.explore.samplesHint}</p>
      <div class="samples">
        {samples.map(({ picture }, i) => (
          <button
            type="button"
            key={i}
            class={`thumb${chosen.includes(i) ? ' chosen' : ''}`}
            aria-pressed={chosen.includes(i)}
            aria-label={texts.explore.sample(i + 1)}
            onClick={() => explorer.choose(i)}
          >
            <PictureCanvas picture={picture} />
          </button>
        ))}
      </div>
      {samples.length > 0 && (
        <div class="pair">
          <Between explorer={explorer} />
          <Walk explorer={explorer} model={model} />
        </div>
      )}
      <Projection explorer={explorer} />
    </>
  );
}

function Between({ explorer }: { readonly explorer: Explorer }) {
  const { between, share } = useStore(explorer.state);
  return (
    <section aria-label={texts.explore.between}>
      <h2>{texts.explore.between}</h2>
      {between && <PictureCanvas picture={between} label={texts.explore.betweenLabel} />}
      <Slider
        label={texts.explore.between}
        value={Math.round(100 * share)}
        min={0}
        max={100}
        text={texts.explore.betweenText(share)}
        onInput={(value) => explorer.setShare(value / 100)}
      />
    </section>
  );
}

function Walk({ explorer, model }: ExploredProps) {
  const { walked, latent, value } = useStore(explorer.state);
  return (
    <section aria-label={texts.explore.walk}>
      <h2>{texts.explore.walk}</h2>
      {walked && <PictureCanvas picture={walked} label={texts.explore.walkLabel} />}
      <Slider
        label={texts.explore.value}
        value={value}
        min={-REACH}
        max={REACH}
        step={0.05}
        text={value.toFixed(2)}
        hint={texts.explore.walkHint}
        onInput={(next) => explorer.walk(latent, next)}
      />
      <Slider
        label={texts.explore.latent}
        value={latent}
        min={0}
        max={model.latents - 1}
        text={texts.explore.latentText(latent, model.latents)}
        onInput={(next) => explorer.walk(next, 0)}
      />
    </section>
  );
}

function Projection({ explorer }: { readonly explorer: Explorer }) {
  const { given, projected, isBusy } = useStore(explorer.state);
  const shown = useMemo(() => given && thinnedPicture(given, displayFactor(given)), [given]);
  return (
    <section class="panel" aria-label={texts.explore.project}>
      <h2>{texts.explore.project}</h2>
      <DropZone
        title={texts.explore.projectDrop}
        hint={texts.explore.projectHint}
        choose={texts.explore.projectGo}
        takesPaste
        onFiles={explorer.project}
      />
      {isBusy && given && !projected && <p role="status">{texts.explore.projecting}</p>}
      {shown && (
        <div class="two">
          <figure>
            <PictureCanvas picture={shown} label={texts.explore.yours} />
            <figcaption>{texts.explore.yours}</figcaption>
          </figure>
          {projected && (
            <figure>
              <PictureCanvas picture={projected} label={texts.explore.nearest} />
              <figcaption>{texts.explore.nearest}</figcaption>
            </figure>
          )}
        </div>
      )}
    </section>
  );
}
