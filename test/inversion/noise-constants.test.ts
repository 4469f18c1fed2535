/** The scale of inlying residuals on hand-made small pictures, whose fixed point is known. */
import { describe, expect, it } from 'vitest';
import { outlierThresholdsMeanAbsolute } from '../../src/inversion/mask/noise.ts';
import { float32, zeros } from '../../src/onnx/tensor.ts';

/** The threshold, in units of [-1,1], of a grey picture with these residuals: of each share of the pixels one. */
function thresholdOf(parts: readonly (readonly [share: number, residual: number])[], count = 100): number {
  const values = parts.flatMap(([share, residual]) => Array.from({ length: share * count }, () => residual));
  return (
    outlierThresholdsMeanAbsolute(
      float32(values, [1, 1, 1, values.length]),
      zeros('float32', [1, 1, 1, values.length]),
    )[0] / 127.5
  );
}

describe('the threshold of outliers', () => {
  it('is five medians of the inliers', () => {
    expect(thresholdOf([[1, 0.01]])).toBeCloseTo(0.05, 6);
    // A residual below five medians of the rest is one of them, one above is not.
    expect(
      thresholdOf([
        [0.6, 0.01],
        [0.4, 0.049],
      ]),
    ).toBeCloseTo(0.05, 6);
    expect(
      thresholdOf([
        [0.4, 0.01],
        [0.6, 0.15],
      ]),
    ).toBeCloseTo(0.05, 6);
  });

  it('begins at ten lower quartiles: two textures are one kind of inliers, if one is not rougher than that', () => {
    expect(
      thresholdOf([
        [0.3, 0.01],
        [0.7, 0.08],
      ]),
    ).toBeCloseTo(0.4, 6);
    expect(
      thresholdOf([
        [0.3, 0.01],
        [0.7, 0.12],
      ]),
    ).toBeCloseTo(0.05, 6);
  });

  it('is 64 grey levels at most', () => {
    expect(127.5 * thresholdOf([[1, 0.9]])).toBeCloseTo(64, 4);
    expect(127.5 * thresholdOf([[1, 63 / 5 / 127.5]])).toBeCloseTo(63, 4);
  });

  it('is a fixed point, also where it is reached slowly', () => {
    // Residuals whose logarithm is uniform: each round takes in some more.
    const values = Float32Array.from({ length: 4096 }, (_, i) => 0.001 * 60 ** ((i + 0.5) / 4096));
    const threshold =
      outlierThresholdsMeanAbsolute(float32(values, [1, 1, 64, 64]), zeros('float32', [1, 1, 64, 64]))[0] / 127.5;
    const inliers = [...values].filter((r) => r < threshold).sort((a, b) => a - b);
    expect(threshold).toBeCloseTo(5 * inliers[Math.floor(inliers.length / 2)], 6);
  });
});
