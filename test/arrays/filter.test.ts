import { expect, test } from 'vitest';
import { connectedComponents } from '../../src/arrays/components.ts';
import { boxMean, neighbourRanges } from '../../src/arrays/filter.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';

test.each([
  [7, 11, 7],
  [3, 5, 7],
  [6, 4, 3],
  [1, 9, 5],
])('the mean over a window, zero outside: %i x %i, window %i, against its definition', (height, width, size) => {
  const image = float32(randomFrom(1).normals(2 * height * width), [1, 2, height, width]);
  const half = Math.floor(size / 2);
  const expected = image.data.map((_, i) => {
    const [plane, y, x] = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
    let sum = 0;
    for (let v = Math.max(0, y - half); v <= Math.min(height - 1, y + half); v++) {
      for (let u = Math.max(0, x - half); u <= Math.min(width - 1, x + half); u++)
        sum += image.data[(plane * height + v) * width + u];
    }
    return sum / size ** 2;
  });
  boxMean(image, size).data.forEach((mean, i) => {
    expect(mean).toBeCloseTo(expected[i], 6);
  });
});

test('neighbours that are not the same are of two regions, also where both are in the mask', () => {
  const colours = [1, 1, 2, 2, 1, 1, 2, 1, 3, 3, 1, 1];
  const { labels, sizes } = connectedComponents(
    new Uint8Array(12).fill(1),
    3,
    4,
    4,
    (p, q) => colours[p] === colours[q],
  );
  expect([...labels]).toEqual([1, 1, 2, 2, 1, 1, 2, 3, 4, 4, 3, 3]);
  expect([...sizes]).toEqual([0, 4, 3, 3, 2]);
});

test('the range of a pixel and its neighbours ends at the border', () => {
  const { least, most } = neighbourRanges(Float32Array.from([5, 1, 2, 3, 4, 9]), 2, 3);
  expect([...least]).toEqual([1, 1, 1, 1, 1, 1]);
  expect([...most]).toEqual([5, 9, 9, 5, 9, 9]);
});
