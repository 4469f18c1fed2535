/** What the user painted on a mask: strokes of a brush that can be undone and redone, and the planes that they make. */
import type { Plane } from '../../engine.ts';
import { opaque } from '../pictures/planes.ts';
import { pixelsOf } from '../pictures/read.ts';

/** 'keep' paints what is known to be good, 'hide' what is known to be damaged. */
export type Brush = 'keep' | 'hide';

export interface Stroke {
  readonly brush: Brush;
  /** In pixels of the picture, as the points are. */
  readonly radius: number;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** Strokes in their order, and those that were undone, the last one first. */
export interface Edits {
  readonly done: readonly Stroke[];
  readonly undone: readonly Stroke[];
}

export const NO_EDITS: Edits = { done: [], undone: [] };

export function painted({ done }: Edits, stroke: Stroke): Edits {
  return { done: [...done, stroke], undone: [] };
}

export function undone(edits: Edits): Edits {
  const last = edits.done.at(-1);
  return last ? { done: edits.done.slice(0, -1), undone: [last, ...edits.undone] } : edits;
}

export function redone(edits: Edits): Edits {
  const [next, ...rest] = edits.undone;
  return next ? { done: [...edits.done, next], undone: rest } : edits;
}

/** The painted pixels, of a picture of which every k-th pixel is drawn; undefined where a brush was not used. */
export function planesOf(
  strokes: readonly Stroke[],
  width: number,
  height: number,
  k = 1,
): { readonly keep?: Plane; readonly hide?: Plane } {
  const plane = (brush: Brush) => {
    if (!strokes.some((stroke) => stroke.brush === brush)) return undefined;
    const canvas = new OffscreenCanvas(Math.ceil(width / k), Math.ceil(height / k));
    const context = canvas.getContext('2d', { willReadFrequently: true });
    if (!context) return undefined;
    context.scale(1 / k, 1 / k);
    // A later stroke of the other brush takes pixels away.
    for (const stroke of strokes) draw(context, stroke, stroke.brush === brush ? 'source-over' : 'destination-out');
    return opaque(pixelsOf('', canvas, canvas.width, canvas.height));
  };
  const [keep, hide] = [plane('keep'), plane('hide')];
  return { ...(keep ? { keep } : {}), ...(hide ? { hide } : {}) };
}

function draw(
  context: OffscreenCanvasRenderingContext2D,
  { points, radius }: Stroke,
  operation: GlobalCompositeOperation,
): void {
  context.globalCompositeOperation = operation;
  context.lineWidth = 2 * radius;
  context.lineCap = 'round';
  context.lineJoin = 'round';
  context.beginPath();
  for (const point of points) context.lineTo(...point);
  context.stroke();
  // A line to itself, as a dab is, would not be drawn.
  context.beginPath();
  context.arc(...points[0], radius, 0, 2 * Math.PI);
  context.fill();
}
