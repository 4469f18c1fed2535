/** Before and after, with a divider that is moved; also at the picture's own size. */
import 'img-comparison-slider';
import type { HTMLAttributes } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Picture } from '../../engine.ts';
import { PictureCanvas } from '../pictures/canvas.tsx';
import { texts } from '../texts.ts';

declare module 'preact' {
  namespace JSX {
    interface IntrinsicElements {
      'img-comparison-slider': HTMLAttributes<HTMLElement>;
    }
  }
}

interface CompareProps {
  readonly before: Picture;
  readonly after: Picture;
  /** The same two with as many pixels as fit on a screen. */
  readonly small: readonly [before: Picture, after: Picture];
}

/** Larger pictures are not laid out at their own size: two canvases of them would be too much for a tab. */
const MAX_ACTUAL_PIXELS = 30e6;

/** Pictures below are shown enlarged: a button for their own size would make them tiny. */
const MIN_ACTUAL_SIDE = 600;

export function Compare({ before, after, small }: CompareProps) {
  const [isActual, setActual] = useState(false);
  const { width, height } = before;
  const slider = useRef<HTMLElement>(null);
  useLayoutEffect(() => {
    // The element is one for its keys: arrows move the divider.
    slider.current?.setAttribute('role', 'group');
  }, []);
  const canBeActual = Math.max(width, height) > MIN_ACTUAL_SIDE && width * height <= MAX_ACTUAL_PIXELS;
  const [first, second] = isActual ? [before, after] : small;
  return (
    <>
      <div class={isActual ? 'scroll actual' : 'scroll'} tabIndex={isActual ? 0 : -1}>
        <img-comparison-slider ref={slider} class="compare" aria-label={texts.result.compareLabel}>
          <PictureCanvas slot="first" picture={first} label={texts.result.before} />
          <PictureCanvas slot="second" picture={second} label={texts.result.after} />
        </img-comparison-slider>
      </div>
      <p class="row spread captions">
        <span>{texts.result.before}</span>
        {canBeActual && (
          <button type="button" class="link" aria-pressed={isActual} onClick={() => setActual(!isActual)}>
            {isActual ? texts.result.fitted : texts.result.actual}
          </button>
        )}
        <span>{texts.result.after}</span>
      </p>
    </>
  );
}
