/** Small image filters on float32 [N,C,H,W] arrays. */
import { float32, float32Data, type Tensor } from '../onnx/tensor.ts';

/** Mean over a `size` x `size` window centred on each pixel; what lies outside the image counts as zero. */
export function boxMean(image: Tensor, size: number): Tensor<'float32'> {
  const [n, channels, height, width] = image.dims;
  const source = float32Data(image);
  const result = new Float32Array(source.length);
  const half = Math.floor(size / 2);
  const alongRows = new Float64Array(height * width);
  const both = new Float64Array(height * width);
  for (let plane = 0; plane < n * channels; plane++) {
    const offset = plane * height * width;
    for (let p = 0; p < both.length; p++) both[p] = source[offset + p];
    for (let y = 0; y < height; y++) windowSums(both, alongRows, y * width, 1, width, half);
    for (let x = 0; x < width; x++) windowSums(alongRows, both, x, width, height, half);
    for (let p = 0; p < both.length; p++) result[offset + p] = both[p] / (size * size);
  }
  return float32(result, image.dims);
}

/** The least and the greatest value of each pixel and its up to eight neighbours, of one `height` x `width` map. */
export function neighbourRanges(map: Float32Array, height: number, width: number) {
  const [least, most] = [new Float32Array(map.length), new Float32Array(map.length)];
  for (let y = 0, p = 0; y < height; y++) {
    for (let x = 0; x < width; x++, p++) {
      let [low, high] = [map[p], map[p]];
      for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++) {
        for (let q = row * width + Math.max(0, x - 1); q <= row * width + Math.min(width - 1, x + 1); q++) {
          if (map[q] < low) low = map[q];
          if (map[q] > high) high = map[q];
        }
      }
      least[p] = low;
      most[p] = high;
    }
  }
  return { least, most };
}

/** Sums over `half` neighbours to each side along a line of `count` values that are `stride` apart: each from the one before. */
function windowSums(from: Float64Array, to: Float64Array, start: number, stride: number, count: number, half: number) {
  let sum = 0;
  for (let i = 0; i < Math.min(half, count); i++) sum += from[start + i * stride];
  for (let i = 0; i < count; i++) {
    if (i + half < count) sum += from[start + (i + half) * stride];
    if (i > half) sum -= from[start + (i - half - 1) * stride];
    to[start + i * stride] = sum;
  }
}
