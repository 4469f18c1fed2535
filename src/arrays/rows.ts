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

/** The first `count` rows of tensors of one shape but for their first axis, one after the other. */
export function joinedRows(parts: readonly Tensor[], count: number): Tensor<'float32'> {
  const dims = parts[0].dims.slice(1);
  const data = new Float32Array(count * sizeOf(dims));
  let offset = 0;
  for (const part of parts) {
    data.set(float32Data(part).subarray(0, data.length - offset), offset);
    offset += part.data.length;
  }
  return float32(data, [count, ...dims]);
}
