/** The inverse of a colour cube, on cubes in closed form. */
import { describe, expect, test } from 'vitest';
import { type ColourCube, invertedBy, throughCube } from '../../src/images/own-size/colours.ts';
import { float32 } from '../../src/onnx/tensor.ts';

/** Eleven points along each axis; every channel is `value` of its own axis, so that the cube is exact where `value` is linear. */
function cubeOf(value: (v: number) => number): ColourCube {
  const points = 11;
  const values = Float32Array.from({ length: 3 * points ** 3 }, (_, i) =>
    value((2 * (Math.floor(Math.floor(i / 3) / points ** (2 - (i % 3))) % points)) / (points - 1) - 1),
  );
  return { axes: 3, points, colours: 3, values };
}

const colour = (...values: number[]) => float32(values, [1, 3, 1, 1]);

describe('a way to a press that draws colours in to .6 of themselves, and is not drawn out on the way back', () => {
  const inverse = invertedBy(
    cubeOf((v) => v),
    cubeOf((v) => 0.6 * v),
  );

  test('is undone where there are such colours: each of two steps leaves .4 of the error', () => {
    const { data } = throughCube(colour(0.4, -0.2, 0), inverse);
    [0.4, -0.2, 0].forEach((wanted, c) => {
      expect(data[c]).toBeCloseTo(wanted * (1 - 0.4 ** 3), 6);
    });
  });

  test('ends at the edge where a colour is out of reach', () => {
    const { data } = throughCube(colour(1, -1, 0.8), inverse);
    [0.6, -0.6, 0.6].forEach((edge, c) => {
      expect(data[c]).toBeCloseTo(edge, 6);
    });
  });
});
