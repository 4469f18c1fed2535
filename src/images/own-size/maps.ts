/** Maps of the generator's size at the picture's own, as bytes. */
import type { Size } from '../image.ts';
import { type Frame, framed, type StoredMap, sampleRow } from './frame.ts';
import type { ByteMask } from './windows.ts';

/** A mask [1,1,H,W] at the picture's own size: 1 where it is above a half, 0 outside of the frame. */
export function maskAtOwnSize(mask: StoredMap, frame: Frame, size: Size): ByteMask {
  const map = framed(mask, frame);
  const data = new Uint8Array(size.height * size.width);
  const row = new Float32Array(size.width);
  for (let y = 0; y < size.height; y++) {
    sampleRow(map, y, row);
    for (let x = 0; x < size.width; x++) data[y * size.width + x] = row[x] > 0.5 ? 1 : 0;
  }
  return { ...size, data };
}

/** A map [1,1,H,W] of the generator's size at the picture's own, times `unit`, as 0 to 255; 0 outside of the frame. */
export function bytesAtOwnSize(map: StoredMap, frame: Frame, { height, width }: Size, unit = 255): Uint8Array {
  const ready = framed(map, frame);
  const row = new Float32Array(width);
  const bytes = new Uint8Array(height * width);
  for (let y = 0; y < height; y++) {
    sampleRow(ready, y, row);
    for (let x = 0; x < width; x++) bytes[y * width + x] = Math.round(Math.min(255, Math.max(0, unit * row[x])));
  }
  return bytes;
}
