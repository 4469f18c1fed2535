/** What a solver is given: images and masks of the right shapes. */
import { RgiError } from '../errors.ts';
import { float32, float32Data, type Tensor } from '../onnx/tensor.ts';
import type { Generator } from './generator.ts';

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
  );
}

/** 1 - M */
export function keepOf(mask: Tensor): Tensor {
  return float32(
    float32Data(mask).map((m) => 1 - m),
    mask.dims,
  );
}
