/** One state of a search, side by side: what is found, the model's picture, and the difference between both. */
import { useMemo } from 'preact/hooks';
import type { Picture } from '../../engine.ts';
import { PictureCanvas } from '../pictures/canvas.tsx';
import { coloured, tinted, WHITE_GREY } from '../pictures/planes.ts';
import { texts } from '../texts.ts';
import type { Frame } from './items.ts';
import { FOUND_COLOUR, Overlaid } from './overlaid.tsx';

interface FramePanesProps {
  readonly picture: Picture;
  readonly frame: Frame;
}

export function FramePanes({ picture, frame }: FramePanesProps) {
  const { mask, restored, residual } = frame;
  const tint = useMemo(() => tinted(mask, FOUND_COLOUR), [mask]);
  const difference = useMemo(() => coloured(residual, WHITE_GREY), [residual]);
  // The mask has the model's size: it lies on a picture of another shape only where both are of one shape.
  const isSameShape = Math.abs(picture.width / picture.height - mask.width / mask.height) < 0.02;
  return (
    <div class="panes">
      <figure>
        {isSameShape ? (
          <Overlaid picture={picture} tint={tint} label={texts.restore.paneFoundLabel} />
        ) : (
          <PictureCanvas picture={tint} label={texts.restore.paneFoundLabel} />
        )}
        <figcaption>{texts.restore.paneFound}</figcaption>
      </figure>
      <figure>
        <PictureCanvas picture={restored} label={texts.restore.paneRestoredLabel} />
        <figcaption>{texts.restore.paneRestored}</figcaption>
      </figure>
      <figure>
        <PictureCanvas picture={difference} label={texts.restore.paneDifferenceLabel} />
        <figcaption>{texts.restore.paneDifference}</figcaption>
      </figure>
    </div>
  );
}
