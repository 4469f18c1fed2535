import { describe, expect, test } from 'vitest';
import { foundMask } from '../../src/inversion/found-mask.ts';
import { float32 } from '../../src/onnx/tensor.ts';

/** Rows of residuals in grey levels to [1,1,H,W] in units of [-1,1]. */
const residual = (rows: readonly (readonly number[])[]) =>
  float32(
    Float32Array.from(rows.flat(), (grey) => grey / 127.5),
    [1, 1, rows.length, rows[0].length],
  );

const rowsOf = (mask: { readonly data: Float32Array }, width: number) =>
  Array.from({ length: mask.data.length / width }, (_, y) => [...mask.data.subarray(y * width, (y + 1) * width)]);

describe('the mask that residuals say', () => {
  test('a faint rim belongs to what is surely gross beside it, diagonally too; alone it is nothing', () => {
    const { mask } = foundMask(
      residual([
        [40, 25, 0, 25],
        [0, 0, 25, 0],
        [0, 0, 0, 0],
        [25, 25, 0, 31],
      ]),
      0,
    );
    expect(rowsOf(mask, 4)).toEqual([
      [1, 1, 0, 1],
      [0, 0, 1, 0],
      [0, 0, 0, 0],
      [0, 0, 0, 0],
    ]);
  });

  test('what the picture itself calls no inlier raises both thresholds', () => {
    const row = [[120, 90, 0, 90]];
    expect([...foundMask(residual(row), 50).mask.data]).toEqual([1, 1, 0, 0]);
    expect([...foundMask(residual(row), 70).mask.data]).toEqual([0, 0, 0, 0]);
  });

  test('what looks right amid masked pixels is masked, as surely as they are many; beside them it is not', () => {
    const row = (): number[] => Array.from({ length: 12 }, (_, x) => (x < 9 ? 90 : 0));
    const rows = Array.from({ length: 9 }, row);
    rows[4][4] = 3;
    rows[4][5] = 3;
    const { mask, softMask } = foundMask(residual(rows), 0);
    expect(rowsOf(mask, 12)).toEqual(rows.map((row) => row.map((_, x) => (x < 9 ? 1 : 0))));
    // 47 of the 48 neighbours of each
    expect(softMask.data[4 * 12 + 4]).toBeCloseTo(47 / 48, 5);
  });

  test('the soft mask is 1 - (t/r)^2 where the mask is, t the lower threshold', () => {
    const { softMask } = foundMask(residual([[80, 40, 0, 30]]), 0);
    [1 - (20 / 80) ** 2, 1 - (20 / 40) ** 2, 0, 0].forEach((value, i) => {
      expect(softMask.data[i]).toBeCloseTo(value, 5);
    });
  });
});
