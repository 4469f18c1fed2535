import { describe, expect, test } from 'vitest';
import { parseCases } from '../../src/evaluate/cases.ts';
import { corrupt } from '../../src/images/corruptions.ts';
import type { Image } from '../../src/images/image.ts';
import { inferCorruption } from '../../src/inversion/mask/corruption/infer-corruption.ts';
import { iou } from '../../src/metrics/overlap.ts';
import { float32, zeros } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';

const [C, H, W] = [3, 64, 64];

/** A smooth reconstruction, and the same with independent noise of a deviation in units of [-1,1]. */
function scene(deviation: number, seed = 1): { reconstruction: Image; clean: Image } {
  const random = randomFrom(seed);
  const reconstruction = zeros('float32', [1, C, H, W]);
  for (let i = 0; i < C * H * W; i++) {
    const [c, p] = [Math.floor(i / (H * W)), i % (H * W)];
    reconstruction.data[i] = 0.6 * Math.sin((p % W) / 7 + c) * Math.cos(Math.floor(p / W) / (9 - c));
  }
  const clean = float32(
    reconstruction.data.map((v) => v + deviation * random.normal()),
    reconstruction.dims,
  );
  return { reconstruction, clean };
}

const greyOf = (deviation: number) => 127.5 * deviation;

describe('a picture whose noise and corruption are known', () => {
  test.each([2, 5, 10])('without corruption nothing is masked, and noise of %d grey levels is measured', (grey) => {
    const { reconstruction, clean } = scene(grey / 127.5);
    const { mask, weights, evidence } = inferCorruption(
      { picture: clean, reconstruction },
      { freedom: Number.POSITIVE_INFINITY },
    );
    expect(mask.data.reduce((sum, m) => sum + m, 0)).toBe(0);
    const precision = weights.data.reduce((sum, w) => sum + w, 0) / weights.data.length;
    expect(greyOf(1 / Math.sqrt(precision)) / grey).toBeCloseTo(1, 1);
    // The entropy of a Gaussian of that deviation.
    expect(evidence).toBeCloseTo(-0.5 * Math.log(2 * Math.PI * Math.E * (grey / 127.5) ** 2), 1);
  });

  test.each(['block', 'irregular', 'scratches', 'random', 'strips', 'dust', 'text', 'stains'])(
    '%s is found',
    (name) => {
      const { reconstruction, clean } = scene(0.04);
      const { image, mask: truth } = corrupt(clean, parseCases([name])[0].corruption, 1);
      const { mask } = inferCorruption({ picture: image, reconstruction });
      expect(iou(mask.data, truth.data)).toBeGreaterThan(0.99);
    },
  );

  test('contiguity is learnt: none of single pixels, much of a block', () => {
    const { reconstruction, clean } = scene(0.04);
    const couplingOf = (name: string) => {
      const { image } = corrupt(clean, parseCases([name])[0].corruption, 1);
      return inferCorruption({ picture: image, reconstruction }).parameters.coupling;
    };
    expect(couplingOf('random')).toBeLessThan(0.3);
    expect(couplingOf('block')).toBeGreaterThan(2.5);
  });
});
