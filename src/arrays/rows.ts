/** Rows of a tensor: entries of its first axis. */
import { float32, float32Data, sizeOf, type Tensor } from '../onnx/tensor.ts';

/** The named rows of a tensor's first axis, copied. */
export function rows(tensor: Tensor, indices: readonly number[]): Tensor<'float32'> {
  const data = float32Data(tensor);
  const stride = sizeOf(tensor.dims.slice(1));
  const picked = new Float32Array(indices.length * stride);
  indices.forEach((index, i) => {
    picked.set(data.subarray(index * stride, (index + 1) * stride), i * stride);
  });
  return float32(picked, [indices.length, ...tensor.dims.slice(1)]);
}
