/** Memory for pixels: of large pictures it is shared between the page and its workers, where the browser allows that. */

/** Bytes from which a copy is felt: a picture of four million pixels. */
const MIN_SHARED = 16e6;

/** Zeros. Shared memory needs a page that is isolated from other origins. */
export function pixelBytes(length: number): Uint8ClampedArray {
  const canShare = globalThis.crossOriginIsolated && length >= MIN_SHARED;
  return new Uint8ClampedArray(canShare ? new SharedArrayBuffer(length) : new ArrayBuffer(length));
}
