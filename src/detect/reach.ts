/** Edges are seldom quite where the generator has them: what was restored may lie a pixel beside its place. */
import { type Image, shapeOf } from '../images/image.ts';
import { gaussianBlur } from '../images/resize.ts';
import { float32 } from '../onnx/tensor.ts';

/** Width over which a shift has to fit: single pixels could be matched by chance. */
const PATCH = 1;

/**
 * `restored` with every pixel taken from up to `reach` pixels beside it: from where the squared difference to `image`, averaged
 * over a small neighbourhood, is least. Both [1,C,H,W].
 */
export function matched(image: Image, restored: Image, reach: number): Image {
  if (reach === 0) return restored;
  const { channels, height, width } = shapeOf(image);
  const plane = height * width;
  const least = new Float32Array(plane).fill(Number.POSITIVE_INFINITY);
  const result = restored.data.slice();
  const within = (i: number, n: number) => Math.min(n - 1, Math.max(0, i));
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) {
      const shifted = new Float32Array(result.length);
      const squares = new Float32Array(plane);
      for (let c = 0; c < channels; c++) {
        for (let y = 0; y < height; y++) {
          const row = (c * height + within(y + dy, height)) * width;
          for (let x = 0; x < width; x++) {
            const p = y * width + x;
            const value = restored.data[row + within(x + dx, width)];
            shifted[c * plane + p] = value;
            squares[p] += (image.data[c * plane + p] - value) ** 2;
          }
        }
      }
      const cost = gaussianBlur(float32(squares, [1, 1, height, width]), PATCH).data;
      for (let p = 0; p < plane; p++) {
        if (cost[p] >= least[p]) continue;
        least[p] = cost[p];
        for (let c = 0; c < channels; c++) result[c * plane + p] = shifted[c * plane + p];
      }
    }
  }
  return { ...restored, data: result };
}
