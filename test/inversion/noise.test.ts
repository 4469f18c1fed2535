/** The scale of a picture's own residuals, whatever is grossly corrupted in it. */
import { describe, expect, it } from 'vitest';
import { outlierThresholdsMeanAbsolute } from '../../src/inversion/mask/noise.ts';
import { float32, zeros } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';

const SIDE = 64;
const SIGMA = 0.05;
const made = zeros('float32', [1, 1, SIDE, SIDE]);

/** Residuals N(0, sigma), of which the first `share` are replaced by N(-1, 1). */
function corrupted(share: number) {
  const random = randomFrom(3);
  const values = Float32Array.from({ length: SIDE * SIDE }, (_, i) =>
    i < share * SIDE * SIDE ? -1 + random.normal() : SIGMA * random.normal(),
  );
  return float32(values, [1, 1, SIDE, SIDE]);
}

describe('the threshold of gross residuals', () => {
  it('is 3.4 standard deviations of normal residuals: five medians of their inliers', () => {
    const [threshold] = outlierThresholdsMeanAbsolute(corrupted(0), made);
    expect(threshold / 127.5 / SIGMA).toBeGreaterThan(3.2);
    expect(threshold / 127.5 / SIGMA).toBeLessThan(3.5);
  });

  it('hardly moves when a quarter, and stays below twice itself when 49% of the pixels are corrupted', () => {
    const [clean] = outlierThresholdsMeanAbsolute(corrupted(0), made);
    const [quarter] = outlierThresholdsMeanAbsolute(corrupted(0.25), made);
    const [half] = outlierThresholdsMeanAbsolute(corrupted(0.49), made);
    expect(quarter / clean).toBeGreaterThan(0.95);
    expect(quarter / clean).toBeLessThan(1.1);
    expect(half / clean).toBeLessThan(2);
  });

  it('scales with the residuals, is zero where there are none, and is each image’s own', () => {
    const x = corrupted(0.25);
    const both = float32(Float32Array.from([...x.data, ...x.data.map((v) => v / 2), ...made.data]), [3, 1, SIDE, SIDE]);
    const [one, halved, none] = outlierThresholdsMeanAbsolute(both, zeros('float32', [3, 1, SIDE, SIDE]));
    expect(halved).toBeCloseTo(one / 2, 4);
    expect(none).toBe(0);
  });
});
