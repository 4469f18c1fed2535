/** Strokes of a brush over a picture, and the planes that they make. */
import type { Plane } from '../../engine.ts';
import { pixelBytes } from '../../pixels.ts';
import { contextOf } from './context.ts';

/** 'keep' paints what is known to be good, 'hide' what is known to be damaged. */
export type Brush = 'keep' | 'hide';

export interface Stroke {
  readonly brush: Brush;
  /** In pixels of the picture, as the points are. */
  readonly radius: number;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** The painted pixels, 255; a plane is absent where its brush was not used. */
export interface PaintedPlanes {
  readonly keep?: Plane;
  readonly hide?: Plane;
}

/** Rows whose colours are looked at together: all of a large picture at once would fill the memory. */
const BAND = 256;

/** What strokes paint of a picture of which every k-th pixel is drawn. At a large picture's own size it takes a while: see `paintedPlanes`. Throws a `CanvasFailure`. */
export function planesOf(strokes: readonly Stroke[], width: number, height: number, k = 1): PaintedPlanes {
  const plane = (brush: Brush) => {
    if (!strokes.some((stroke) => stroke.brush === brush)) return undefined;
    const context = contextOf(Math.ceil(width / k), Math.ceil(height / k));
    context.scale(1 / k, 1 / k);
    // A later stroke of the other brush takes pixels away.
    for (const stroke of strokes) draw(context, stroke, stroke.brush === brush ? 'source-over' : 'destination-out');
    return opaque(context, context.canvas.width, context.canvas.height);
  };
  const [keep, hide] = [plane('keep'), plane('hide')];
  return { ...(keep ? { keep } : {}), ...(hide ? { hide } : {}) };
}

/** The pixels whose alpha is above half. */
function opaque(context: OffscreenCanvasRenderingContext2D, width: number, height: number): Plane {
  const data = new Uint8Array(pixelBytes(width * height).buffer);
  for (let top = 0; top < height; top += BAND) {
    const rows = Math.min(BAND, height - top);
    const { data: rgba } = context.getImageData(0, top, width, rows);
    for (let i = 0; i < width * rows; i++) data[top * width + i] = rgba[4 * i + 3] > 127 ? 255 : 0;
  }
  return { width, height, data };
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
