/** A map in colours with its scale, which is the same for every picture. */
import { useMemo } from 'preact/hooks';
import type { Plane } from '../../engine.ts';
import { PictureCanvas } from '../pictures/canvas.tsx';
import { coloured, WHITE_GREY } from '../pictures/planes.ts';
import { texts } from '../texts.ts';

interface PlaneViewProps {
  readonly plane: Plane;
  readonly kind: 'difference' | 'uncertainty';
}

/** All levels of the scale, from left to right. */
const SCALE: Plane = { width: 256, height: 1, data: Uint8Array.from({ length: 256 }, (_, i) => i) };

export function PlaneView({ plane, kind }: PlaneViewProps) {
  const white = kind === 'difference' ? WHITE_GREY : 255;
  const picture = useMemo(() => coloured(plane, white), [plane, white]);
  const scale = useMemo(() => coloured(SCALE, 255), []);
  const { label, about, low, high } = texts.planes[kind];
  return (
    <figure class="plane">
      <PictureCanvas picture={picture} label={label} class="hero-picture" />
      <figcaption>
        <span>{about}</span>
        <span class="scale">
          <span>{low}</span>
          <PictureCanvas picture={scale} class="scale-bar" />
          <span>{high}</span>
        </span>
      </figcaption>
    </figure>
  );
}
