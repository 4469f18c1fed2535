/** Small image filters on float32 [N,C,H,W] arrays. */
import { float32, float32Data, type Tensor } from '../onnx/tensor.ts';

/** Mean over a `size` x `size` window centred on each pixel; what lies outside the image counts as zero. */
export function boxMean(image: Tensor, size: number): Tensor<'float32'> {
  const [n, channels, height, width] = image.dims;
  const source = float32Data(image);
  const result = new Float32Array(source.length);
  const half = Math.floor(size / 2);
  const rowsSummed = new Float64Array(height * width);
  for (let plane = 0; plane < n * channels; plane++) {
    const offset = plane * height * width;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let u = Math.max(0, x - half); u <= Math.min(width - 1, x + half); u++)
          sum += source[offset + y * width + u];
        rowsSummed[y * width + x] = sum;
      }
    }
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let v = Math.max(0, y - half); v <= Math.min(height - 1, y + half); v++) sum += rowsSummed[v * width + x];
        result[offset + y * width + x] = sum / (size * size);
      }
    }
  }
  return float32(result, image.dims);
}
