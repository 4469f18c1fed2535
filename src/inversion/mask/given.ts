/** What a solver is given: images and masks of the right shapes, and what follows from them before any search. */
import { optionError, RgiError } from '../../errors.ts';
import { type Mask, unionOf, visibilityOf } from '../../images/image.ts';
import { float32, float32Data, type Tensor } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Generator } from '../generator/generator.ts';
import { looksForMissing, type Method } from '../spec/method.ts';
import { type MissingOptions, missingPixels } from './missing.ts';

/** Throws `input` for images of another shape than the generator makes. */
export function checkImages(generator: Generator, images: Tensor): void {
  const [, channels, height, width] = images.dims;
  if (
    images.dims.length !== 4 ||
    channels !== generator.channels ||
    height !== generator.height ||
    width !== generator.width
  ) {
    throw new RgiError(
      'input',
      `The images are [${images.dims.slice(1).join(', ')}] but the generator makes [${generator.channels}, ${generator.height}, ${generator.width}]: resize them first.`,
      {},
      {
        details: {
          kind: 'shape',
          of: 'images',
          expected: ['N', generator.channels, generator.height, generator.width],
          received: images.dims,
        },
      },
    );
  }
}

/** Throws `input` for masks that are not [n,1,H,W] of images [n,C,H,W]. */
export function checkMask(images: Tensor, mask: Tensor): void {
  const [n, , height, width] = images.dims;
  if (mask.dims.join() === [n, 1, height, width].join()) return;
  throw new RgiError(
    'input',
    `The mask is [${mask.dims.join(', ')}]; images of [${images.dims.join(', ')}] need [${n}, 1, ${height}, ${width}].`,
    {},
    { details: { kind: 'shape', of: 'mask', expected: [n, 1, height, width], received: mask.dims } },
  );
}

/**
 * What is kept of each pixel, [n,1,H,W], and what is missing: by the mask [n,1,H,W] that a method needs (`usage` without it) and the margins,
 * or by what methods look for that do not need one.
 */
export async function knownBeforehand(
  generator: Generator,
  method: Method,
  runtime: Runtime,
  images: Tensor,
  mask: Tensor | undefined,
  options: MissingOptions,
): Promise<{ readonly visibility?: Tensor; readonly missing?: Mask }> {
  const { outside } = options;
  for (const given of [mask, outside, options.keep]) if (given) checkMask(images, given);
  if (method.needsMask) {
    if (!mask)
      throw optionError(`The method '${method.name}' needs the mask of the corrupted region: give --mask.`, {
        option: 'mask',
        problem: 'missing',
      });
    return {
      visibility: (method.visibilityOf ?? visibilityOf)(unionOf(float32(float32Data(mask), mask.dims), outside)),
    };
  }
  if (!looksForMissing(method)) return {};
  const missing = await missingPixels(generator, images, runtime, options);
  return { visibility: visibilityOf(missing), missing };
}
