/** The recorded states of a finished search, to scrub through. */
import { useState } from 'preact/hooks';
import type { Picture, RestoreResult } from '../../engine.ts';
import { Slider } from '../parts/slider.tsx';
import { texts } from '../texts.ts';
import { FramePanes } from './frame-panes.tsx';
import type { RestoreItem } from './items.ts';
import { LossFigure } from './running.tsx';

interface HistoryProps {
  readonly item: RestoreItem;
  readonly picture: Picture;
  readonly result: RestoreResult;
}

export function History({ item: { frames }, picture, result }: HistoryProps) {
  const [position, setPosition] = useState(frames.length - 1);
  const frame = frames[Math.min(position, frames.length - 1)];
  return (
    <div class="history">
      {frame ? <FramePanes picture={picture} frame={frame} /> : <p class="quiet">{texts.result.noHistory}</p>}
      {frames.length > 1 && (
        <Slider
          label={texts.result.iteration}
          value={position}
          min={0}
          max={frames.length - 1}
          text={texts.result.recorded(position + 1, frames.length)}
          onInput={setPosition}
        />
      )}
      {result.history.loss.length > 1 && <LossFigure losses={result.history.loss} steps={result.steps} />}
    </div>
  );
}
