/** A search while it runs: what it found so far, the picture so far, the difference, the loss, and the time that is left. */
import { LineChart } from '../parts/line-chart.tsx';
import { Meter } from '../parts/meter.tsx';
import { PictureCanvas } from '../pictures/canvas.tsx';
import { shownPicture } from '../pictures/planes.ts';
import { useStore } from '../store.ts';
import { texts } from '../texts.ts';
import type { Restorer } from './controller.ts';
import { FramePanes } from './frame-panes.tsx';
import type { RestoreItem } from './items.ts';

interface RunningViewProps {
  readonly item: RestoreItem;
  /** A server's search cannot. */
  readonly canPause: boolean;
  readonly restorer: Restorer;
}

export function RunningView({ item, canPause, restorer }: RunningViewProps) {
  const { isPaused } = useStore(restorer.state);
  const { picture, progress, frames, losses } = item;
  const shown = shownPicture(picture);
  const frame = frames.at(-1);
  return (
    <div class="work">
      <div class="hero">
        {frame ? (
          <FramePanes picture={shown} frame={frame} />
        ) : (
          <PictureCanvas picture={shown} label={texts.restore.pictureLabel(picture.name)} class="hero-picture" />
        )}
      </div>
      <aside class="aside" aria-label={texts.restore.asideLabel}>
        <h2 class="aside-title">{isPaused ? texts.restore.paused : texts.restore.running}</h2>
        <Meter
          label={
            progress?.what ?? (progress ? texts.restore.step(progress.step, progress.steps) : texts.restore.preparing)
          }
          share={progress ? progress.step / Math.max(1, progress.steps) : 0}
          secondsLeft={isPaused ? undefined : progress?.secondsLeft}
        />
        {progress?.masked !== undefined && <p class="quiet">{texts.restore.foundSoFar(progress.masked)}</p>}
        <div class="row">
          {isPaused && (
            <button type="button" class="primary" onClick={() => restorer.resume()}>
              {texts.restore.resume}
            </button>
          )}
          {!isPaused && canPause && (
            <button type="button" onClick={() => restorer.pause()}>
              {texts.restore.pause}
            </button>
          )}
          <button type="button" onClick={() => restorer.stop()}>
            {texts.restore.stop}
          </button>
        </div>
        {losses.length > 1 && <LossFigure losses={losses} steps={progress?.steps ?? 1} />}
      </aside>
    </div>
  );
}

interface LossFigureProps {
  readonly losses: readonly number[];
  readonly steps: number;
}

export function LossFigure({ losses, steps }: LossFigureProps) {
  return (
    <figure class="loss">
      <figcaption>{texts.restore.loss}</figcaption>
      <LineChart label={texts.restore.loss} values={losses} length={steps} />
    </figure>
  );
}
