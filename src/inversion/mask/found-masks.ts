/** The masks that searches have found: what the model of corruption says of their residuals, or M itself where its threshold was given. */
import { binaryMask, imageAt, type Mask, stackImages, zeroWhere } from '../../images/image.ts';
import { float32, float32Data, type Tensor } from '../../onnx/tensor.ts';
import { isAdaptive, type Method } from '../spec/method.ts';
import { inferCorruption } from './corruption/infer-corruption.ts';

/**
 * Of images `x` [n,C,H,W], what `method` made of them, `y`, and its M `softMasks`: 1 = corrupted or `missing`, [n,1,H,W]. Nothing of `keep`
 * [n,1,H,W] is in them.
 */
export function foundMasks(method: Method, x: Tensor, y: Tensor, softMasks: Tensor, missing?: Mask, keep?: Mask): Mask {
  const [images, made, soft] = [x, y, softMasks].map((tensor) => float32(float32Data(tensor), tensor.dims));
  if (!isAdaptive(method)) return zeroWhere(keep, binaryMask(soft));
  return stackImages(
    Array.from({ length: x.dims[0] }, (_, i) => {
      const of = (mask: Mask | undefined) => mask && imageAt(mask, i);
      return inferCorruption({
        picture: imageAt(images, i),
        reconstruction: imageAt(made, i),
        missing: of(missing),
        keep: of(keep),
      }).mask;
    }),
  );
}
