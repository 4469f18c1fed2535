/** Canvases that are on no screen. */

/** What is thrown where the browser gives no canvas, as out of memory. */
export interface CanvasFailure {
  readonly kind: 'no-canvas';
}

/** Of a new canvas that is read from. Throws a `CanvasFailure`. */
export function contextOf(width: number, height: number): OffscreenCanvasRenderingContext2D {
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (!context) throw { kind: 'no-canvas' } satisfies CanvasFailure;
  return context;
}
