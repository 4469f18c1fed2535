/**
 * The composite: the found region filled by the restoration, the rest untouched, the seam blended.
 *
 * Poisson blending (Perez, Gangnet and Blake 2003): inside the mask the composite has the restoration's gradients, and
 * meets the untouched picture at the rim. With u = composite - restoration this is Laplace's equation, u = picture -
 * restoration outside, per channel.
 */
import { squaredDistances } from '../arrays/distance.ts';
import { RgiError } from '../errors.ts';
import { type Image, type Mask, shapeOf } from './image.ts';
import { harmonicFill } from './laplace.ts';
import { dilate } from './morphology.ts';

export interface CompositeOptions {
  /**
   * `poisson` (default): pixels outside the mask stay as they are, brightness inside follows the rim. `feather`: the
   * restoration as it is, fading into the picture over `feather` pixels *outside* the mask (inside the picture is
   * corrupted). `none`: pasted.
   */
  readonly blend?: 'poisson' | 'feather' | 'none';
  /** Width of the fade in pixels; default 4. */
  readonly feather?: number;
  /** The mask is first grown by this many pixels, so that half-corrupted rims do not bleed in; default 0. */
  readonly grow?: number;
}

/**
 * Pictures [N,C,H,W] with the masked regions filled from `restored`; the mask is taken above 0.5. Not clipped.
 *
 * @example
 * ```ts
 * import { composite, float32 } from 'rgi';
 *
 * const picture = float32([0, 0, 0, 0], [1, 1, 2, 2]);
 * const restored = float32([1, 1, 1, 1], [1, 1, 2, 2]);
 * const mask = float32([1, 0, 0, 0], [1, 1, 2, 2]);
 * console.log(composite(picture, restored, mask, { blend: 'none' }).data.join(' ')); // 1 0 0 0
 * ```
 */
export function composite(image: Image, restored: Image, mask: Mask, options: CompositeOptions = {}): Image {
  const { blend = 'poisson', feather = 4, grow = 0 } = options;
  const { count, channels, height, width } = shapeOf(image);
  const plane = height * width;
  if (restored.dims.join() !== image.dims.join() || mask.dims.join() !== [count, 1, height, width].join()) {
    throw new RgiError(
      'input',
      `Picture [${image.dims.join(', ')}], restoration [${restored.dims.join(', ')}] and mask [${mask.dims.join(', ')}] do not fit together.`,
    );
  }
  const region = grow > 0 ? dilate(mask, grow) : mask;
  const out = { ...image, data: image.data.slice() };
  for (let n = 0; n < count; n++) {
    const inside = Uint8Array.from(region.data.subarray(n * plane, (n + 1) * plane), (v) => (v > 0.5 ? 1 : 0));
    const weight = blend === 'feather' ? fade(inside, height, width, feather) : inside;
    for (let c = 0; c < channels; c++) {
      const at = (n * channels + c) * plane;
      const difference = Float64Array.from(inside, (_, i) => image.data[at + i] - restored.data[at + i]);
      if (blend === 'poisson') {
        harmonicFill(difference, inside, height, width);
        for (let i = 0; i < plane; i++) if (inside[i]) out.data[at + i] = restored.data[at + i] + difference[i];
      } else {
        for (let i = 0; i < plane; i++)
          if (weight[i]) out.data[at + i] = image.data[at + i] - weight[i] * difference[i];
      }
    }
  }
  return out;
}

/** 1 inside, falling smoothly (half a cosine) to 0 at `reach` pixels from the region. */
function fade(inside: Uint8Array, height: number, width: number, reach: number): Float64Array {
  const distance = squaredDistances(inside, height, width);
  return distance.map((d) => fadeAt(Math.sqrt(d), reach));
}

/** 1 at the region, falling smoothly (half a cosine) to 0 beyond `reach` pixels from it. */
export function fadeAt(distance: number, reach: number): number {
  return distance >= reach + 1 ? 0 : (1 + Math.cos((Math.PI * distance) / (reach + 1))) / 2;
}
