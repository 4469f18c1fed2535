import { describe, expect, test } from 'vitest';
import { foundMask } from '../../src/inversion/mask/found-mask.ts';
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
        [80, 80, 0, 25],
        [80, 80, 25, 0],
        [0, 0, 0, 0],
        [25, 25, 0, 31],
      ]),
      0,
    );
    expect(rowsOf(mask, 4)).toEqual([
      [1, 1, 0, 1],
      [1, 1, 1, 0],
      [0, 0, 0, 0],
      [0, 0, 0, 0],
    ]);
  });

  test('alone, a pixel has to be half as gross again; 13% of its neighbourhood make it one of many', () => {
    const field = (gross: number): number[][] => {
      const rows = Array.from({ length: 9 }, () => Array.from({ length: 9 }, () => 0));
      for (let i = 0; i < gross; i++) rows[1 + Math.floor(i / 7)][1 + (i % 7)] = 70;
      rows[6][6] = 45;
      return rows;
    };
    const at = (gross: number) => foundMask(residual(field(gross)), 20).mask.data[6 * 9 + 6];
    // Of the 36 pixels around [6][6] five are of the third row.
    expect([at(0), at(7), at(14), at(18), at(21)]).toEqual([0, 0, 0, 0, 1]);
    const alone = (grey: number, gross: number) => foundMask(residual([[0, 0, grey, 0, 0]]), gross).mask.data[2];
    expect([alone(55, 20), alone(65, 20)]).toEqual([0, 1]);
    // Where the picture itself asks for nothing the least that is gross is the same everywhere.
    expect([alone(30, 0), alone(35, 0)]).toEqual([0, 1]);
  });

  test('a line of one pixel makes what is beside it one of many', () => {
    const rows: number[][] = Array.from({ length: 11 }, (_, y) => Array.from({ length: 11 }, () => (y === 3 ? 70 : 0)));
    rows[6][5] = 45;
    expect(foundMask(residual(rows), 20).mask.data[6 * 11 + 5]).toBe(1);
    rows[3][5] = 0;
    expect(foundMask(residual(rows), 20).mask.data[6 * 11 + 5]).toBe(0);
  });

  test('what the picture itself calls no inlier raises both thresholds', () => {
    const row = [[120, 90, 0, 0, 0, 0, 90]];
    expect([...foundMask(residual(row), 0).mask.data]).toEqual([1, 1, 0, 0, 0, 0, 1]);
    expect([...foundMask(residual(row), 36).mask.data]).toEqual([1, 1, 0, 0, 0, 0, 0]);
    expect([...foundMask(residual(row), 62).mask.data]).toEqual([0, 0, 0, 0, 0, 0, 0]);
    // But not above half of the range.
    const stain = [[130, 100, 0, 0, 0, 0, 90]];
    expect([...foundMask(residual(stain), 62).mask.data]).toEqual([1, 1, 0, 0, 0, 0, 0]);
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

  test('pixels without data are masked, say nothing of their neighbours, and count where something is surrounded', () => {
    const missing = float32([0, 1, 0, 0, 0], [1, 1, 1, 5]);
    // A faint residual belongs to the gross one beside it: not if that is no data.
    const row = residual([[25, 200, 25, 0, 0]]);
    expect([...foundMask(row, 0).mask.data]).toEqual([1, 1, 1, 0, 0]);
    expect([...foundMask(row, 0, missing).mask.data]).toEqual([0, 1, 0, 0, 0]);
    expect([...foundMask(row, 0, missing).softMask.data]).toEqual([0, 1, 0, 0, 0]);
    const ring = residual(Array.from({ length: 7 }, () => Array.from({ length: 7 }, () => 0)));
    const around = float32(
      Float32Array.from({ length: 49 }, (_, p) => (p === 24 ? 0 : 1)),
      [1, 1, 7, 7],
    );
    expect(foundMask(ring, 0, around).mask.data[24]).toBe(1);
  });
});
