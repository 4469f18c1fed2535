/** A policy for the tiny generator of the bench, made by hand: it needs no calibration. */
import type { Policy } from '../../src/detect/policy.ts';
import { float32 } from '../../src/onnx/tensor.ts';

/** Residuals of 0.1 count as one: whitening is 10 on the diagonal. */
export function handmadePolicy(name = 'default', image = 8): Policy {
  return {
    format: 1,
    name,
    form: 'object',
    scale: 1,
    stride: 8,
    inversion: { thresholdGrey: 30, prior: 0.01, steps: 5, starts: 2 },
    evidence: { blur: 0, smoothing: 0 },
    thresholds: { pixel: 5, image },
    falseAlarms: { pixel: 0.01, image: 0.05 },
    leastArea: 1,
    scorePixels: 1,
    displayHigh: 20,
    calibration: { pictures: 20, unseen: 20 },
    statistics: {
      location: float32([0, 0, 0], [1, 3, 1, 1]),
      whitening: float32([10, 0, 10, 0, 0, 10], [1, 6, 1, 1]),
    },
  };
}
