/** The masks that searches have found: what the model of corruption says of their residuals, or M itself where its threshold was given. */
import { binaryMask, imageAt, type Mask, stackImages } from '../../images/image.ts';
import { float32, float32Data, type Tensor } from '../../onnx/tensor.ts';
import { isAdaptive, type Method } from '../spec/method.ts';
import { inferCorruption } from './corruption/infer-corruption.ts';

/** Of images `x` [n,C,H,W], what `method` made of them, `y`, and its M `softMasks`: 1 = corrupted or `missing`, [n,1,H,W]. */
export function foundMasks(method: Method, x: Tensor, y: Tensor, softMasks: Tensor, missing?: Mask): Mask {
  const [images, made, soft] = [x, y, softMasks].map((tensor) => float32(float32Data(tensor), tensor.dims));
  if (!isAdaptive(method)) return binaryMask(soft);
  return stackImages(
    Array.from({ length: x.dims[0] }, (_, i) => {
      const known = missing && imageAt(missing, i);
      return inferCorruption({ picture: imageAt(images, i), reconstruction: imageAt(made, i), missing: known }).mask;
    }),
  );
}
