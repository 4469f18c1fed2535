/** A picture on a canvas, at its own size; CSS decides how large it is shown. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Picture } from '../../engine.ts';
import { imageDataOf } from './write.ts';

/** A picture of fewer pixels a side is shown with sharp pixels: smooth enlargement would blur it beyond reading. */
const SMALL_SIDE = 200;

interface PictureCanvasProps {
  readonly picture: Picture;
  /** For readers who do not see it; absent where it only decorates. */
  readonly label?: string;
  readonly slot?: string;
  readonly class?: string;
}

export function PictureCanvas({ picture, label, slot, class: className = '' }: PictureCanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    canvas.current?.getContext('2d')?.putImageData(imageDataOf(picture), 0, 0);
  }, [picture]);
  const sharp = Math.max(picture.width, picture.height) < SMALL_SIDE ? ' sharp' : '';
  const named = label === undefined ? { 'aria-hidden': true } : { role: 'img' as const, 'aria-label': label };
  return (
    <canvas
      ref={canvas}
      slot={slot}
      class={`picture${sharp} ${className}`}
      width={picture.width}
      height={picture.height}
      {...named}
    />
  );
}
