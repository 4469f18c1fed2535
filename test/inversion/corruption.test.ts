/** The model of corruption, on synthetic pictures whose noise, corruption and prior are known. */
import { describe, expect, test } from 'vitest';
import { parseCases } from '../../src/evaluate/cases.ts';
import { corrupt } from '../../src/images/corruptions.ts';
import type { Image } from '../../src/images/image.ts';
import { fitIsing, meanField } from '../../src/inversion/mask/corruption/contiguity.ts';
import { isOutOfDomain, misfitOf } from '../../src/inversion/mask/corruption/domain.ts';
import { inferCorruption } from '../../src/inversion/mask/corruption/infer-corruption.ts';
import { latticeOf, neighbourMean } from '../../src/inversion/mask/corruption/lattice.ts';
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

function corrupted(clean: Image, name: string, seed = 1) {
  return corrupt(clean, parseCases([name])[0].corruption, seed);
}

/** A mask [1,1,H,W] that is 1 where a pixel's row and column say so. */
function where(isIn: (row: number, column: number) => boolean): Image {
  const data = Float32Array.from({ length: H * W }, (_, p) => (isIn(Math.floor(p / W), p % W) ? 1 : 0));
  return float32(data, [1, 1, H, W]);
}

const sumOf = (values: Float32Array) => values.reduce((sum, v) => sum + v, 0);

describe('a picture whose noise and corruption are known', () => {
  test.each([2, 5, 10])('without corruption nothing is masked, and noise of %d grey levels is measured', (grey) => {
    const { reconstruction, clean } = scene(grey / 127.5);
    const { mask, weights, evidence } = inferCorruption(
      { picture: clean, reconstruction },
      { freedom: Number.POSITIVE_INFINITY },
    );
    expect(sumOf(mask.data)).toBe(0);
    const precision = sumOf(weights.data) / weights.data.length;
    expect(127.5 / Math.sqrt(precision) / grey).toBeCloseTo(1, 1);
    // The entropy of a Gaussian of that deviation.
    expect(evidence).toBeCloseTo(-0.5 * Math.log(2 * Math.PI * Math.E * (grey / 127.5) ** 2), 1);
  });

  test.each(['block', 'irregular', 'scratches', 'random', 'strips', 'dust', 'text', 'stains'])(
    '%s is found',
    (name) => {
      const { reconstruction, clean } = scene(0.04);
      const { image, mask: truth } = corrupted(clean, name);
      const { mask, outOfDomain } = inferCorruption({ picture: image, reconstruction });
      expect(iou(mask.data, truth.data)).toBeGreaterThan(0.98);
      expect(outOfDomain).toBe(false);
    },
  );

  test('grey in three channels that are the same is fitted too, though two of them say nothing', () => {
    const { reconstruction, clean } = scene(0.04);
    const { image, mask: truth } = corrupted(clean, 'block');
    const grey = ({ data }: Image) => {
      const plane = data.subarray(0, H * W);
      return float32([...plane, ...plane, ...plane], [1, 3, H, W]);
    };
    const { mask } = inferCorruption({ picture: grey(image), reconstruction: grey(reconstruction) });
    expect(iou(mask.data, truth.data)).toBeGreaterThan(0.85);
  });

  test('contiguity is learnt: none of single pixels, much of a block', () => {
    const { reconstruction, clean } = scene(0.04);
    const couplingOf = (name: string) =>
      inferCorruption({ picture: corrupted(clean, name).image, reconstruction }).parameters.coupling;
    expect(couplingOf('random')).toBeLessThan(0.3);
    expect(couplingOf('block')).toBeGreaterThan(2.5);
  });

  test('noise has a scale of its own where the reconstruction is bright, and is no corruption there', () => {
    const { reconstruction } = scene(0);
    const random = randomFrom(5);
    const isBright = (i: number) => i % W >= W / 2;
    const y = { ...reconstruction, data: reconstruction.data.map((_, i) => (isBright(i) ? 0.5 : -1)) };
    const x = { ...y, data: y.data.map((v, i) => v + (isBright(i) ? 0.15 : 0.005) * random.normal()) };
    expect(sumOf(inferCorruption({ picture: x, reconstruction: y }).mask.data)).toBe(0);
    expect(
      sumOf(inferCorruption({ picture: x, reconstruction: y }, { brightness: false, displacement: false }).mask.data),
    ).toBeGreaterThan(100);
  });

  test('noise that is given, but not for the bright half, is joined by that of brightness', () => {
    const { reconstruction } = scene(0);
    const random = randomFrom(5);
    const isBright = (i: number) => i % W >= W / 2;
    const y = { ...reconstruction, data: reconstruction.data.map((_, i) => (isBright(i) ? 0.5 : -1)) };
    const x = { ...y, data: y.data.map((v, i) => v + (isBright(i) ? 0.15 : 0.005) * random.normal()) };
    const noise = float32(new Float32Array(H * W).fill(0.005), [1, 1, H, W]);
    const masked = (options = {}) =>
      sumOf(inferCorruption({ picture: x, reconstruction: y, noise }, options).mask.data);
    expect(masked()).toBe(0);
    expect(masked({ brightness: false, displacement: false })).toBeGreaterThan(100);
  });

  test("noise with the tails of Student's t repeats no value", () => {
    for (const seed of [1, 2, 3]) {
      const { reconstruction } = scene(0);
      const random = randomFrom(seed);
      const scales = Float64Array.from({ length: H * W }, () => {
        const [a, b, c] = random.normals(3);
        return 0.04 / Math.sqrt((a * a + b * b + c * c) / 3);
      });
      const clean = reconstruction.data.map((v, i) => v + scales[i % (H * W)] * random.normal());
      const { mask, parameters } = inferCorruption({ picture: { ...reconstruction, data: clean }, reconstruction });
      expect(parameters.outlierValues).toEqual([]);
      expect(sumOf(mask.data)).toBeLessThan(0.002 * H * W);
    }
  });

  test('letters that are hardly lighter than the picture are found by their value', () => {
    const { reconstruction } = scene(0);
    const random = randomFrom(6);
    const flat = (value: (p: number) => number) =>
      float32(
        Float32Array.from({ length: C * H * W }, (_, i) => value(i % (H * W))),
        [1, C, H, W],
      );
    const y = flat((p) => (p < (H * W) / 2 ? 0.86 : 0));
    const clean = { ...reconstruction, data: y.data.map((v) => v + 0.05 * random.normal()) };
    const { image, mask: truth } = corrupted(clean, 'text');
    const found = (values: number) => inferCorruption({ picture: image, reconstruction: y }, { values }).mask;
    expect(iou(found(4).data, truth.data)).toBeGreaterThan(0.97);
    expect(iou(found(0).data, truth.data)).toBeLessThan(0.5);
  });
});

describe('what is known beforehand', () => {
  const { reconstruction, clean } = scene(0.04);
  const { image: picture } = corrupted(clean, 'block');
  const left = where((_, column) => column < W / 2);

  test('kept pixels are never masked, hidden ones always', () => {
    const kept = inferCorruption({ picture, reconstruction, keep: left });
    const hidden = inferCorruption({ picture, reconstruction, hide: left });
    left.data.forEach((isLeft, p) => {
      if (isLeft === 0) return;
      expect(kept.probability.data[p]).toBe(0);
      expect(hidden.probability.data[p]).toBe(1);
      expect(hidden.weights.data[p]).toBe(0);
    });
  });

  test('missing pixels are masked, weigh nothing, and their values do not matter', () => {
    const other = { ...picture, data: picture.data.map((v, i) => (left.data[i % (H * W)] === 1 ? Number.NaN : v)) };
    const one = inferCorruption({ picture, reconstruction, missing: left });
    expect(inferCorruption({ picture: other, reconstruction })).toEqual(one);
    expect(left.data.every((m, p) => m === 0 || (one.mask.data[p] === 1 && one.weights.data[p] === 0))).toBe(true);
  });

  test('a picture without any data has no evidence, and is out of domain', () => {
    const { evidence, outOfDomain } = inferCorruption({ picture, reconstruction, missing: where(() => true) });
    expect([evidence, outOfDomain]).toEqual([0, true]);
  });

  test('a pixel that is to be kept and hidden is an error, and so is another size', () => {
    expect(() => inferCorruption({ picture, reconstruction, keep: left, hide: left })).toThrow(
      'A pixel is both to be kept and to be hidden: the two masks must not overlap.',
    );
    expect(() => inferCorruption({ picture, reconstruction, keep: zeros('float32', [1, 1, 8, 8]) })).toThrow(
      "The mask 'keep' is [1, 1, 8, 8]; it has to be [1, 1, 64, 64], as the picture is.",
    );
  });

  test('noise that is known for each place replaces the constant; a factor of it is fitted', () => {
    const noise = { ...left, data: left.data.map((isLeft) => (isLeft ? 0.2 : 0.02)) };
    const random = randomFrom(8);
    const noisy = reconstruction.data.map((v, i) => v + 1.5 * noise.data[i % (H * W)] * random.normal());
    const { mask, parameters } = inferCorruption(
      { picture: { ...reconstruction, data: noisy }, reconstruction, noise },
      { freedom: Number.POSITIVE_INFINITY },
    );
    expect(sumOf(mask.data)).toBe(0);
    expect(Math.sqrt(parameters.theta[0])).toBeCloseTo(1.5, 1);
  });
});

describe('invariances', () => {
  const { reconstruction, clean } = scene(0.04);
  const { image: picture } = corrupted(clean, 'irregular');
  const base = inferCorruption({ picture, reconstruction }).probability.data;

  test('of the order of the channels', () => {
    const turned = (image: Image) => ({
      ...image,
      data: image.data.map((_, i) => image.data[(i + H * W) % (C * H * W)]),
    });
    const { probability } = inferCorruption({ picture: turned(picture), reconstruction: turned(reconstruction) });
    for (const [p, q] of probability.data.entries()) expect(q).toBeCloseTo(base[p], 4);
  });

  test('of a reflection', () => {
    const mirrored = ({ data, ...image }: Image) => ({
      ...image,
      data: data.map((_, i) => data[i - (i % W) + (W - 1 - (i % W))]),
    });
    const { probability } = inferCorruption({ picture: mirrored(picture), reconstruction: mirrored(reconstruction) });
    const back = mirrored(probability).data;
    for (const [p, q] of back.entries()) expect(q).toBeCloseTo(base[p], 4);
  });

  test('of a change of sign, where brightness is no term', () => {
    const negative = (image: Image) => ({ ...image, data: image.data.map((v) => -v) });
    const options = { brightness: false };
    const one = inferCorruption({ picture, reconstruction }, options);
    const other = inferCorruption({ picture: negative(picture), reconstruction: negative(reconstruction) }, options);
    // The range of the outliers is the picture's own.
    expect(other.mask.data).toEqual(one.mask.data);
  });
});

describe('the Ising prior', () => {
  test.each([
    [-0.5, 1.5],
    [0, 0.8],
    [0.3, 2],
  ])('h = %d and beta = %d are recovered from a sample', (field, coupling) => {
    // Gibbs sampling: each pixel in turn, given its neighbours.
    const lattice = latticeOf(H, W);
    const random = randomFrom(2);
    const sample = Float64Array.from({ length: H * W }, () => random.integer(2));
    for (let sweep = 0; sweep < 60; sweep++) {
      // Pixels of one colour of a board of 2 x 2 tiles have no neighbours among each other.
      for (let tile = 0; tile < 4; tile++) {
        const n = neighbourMean(sample, lattice);
        for (let p = 0; p < H * W; p++) {
          if (2 * (Math.floor(p / W) % 2) + (p % 2) !== tile) continue;
          sample[p] = random.uniform() < 1 / (1 + Math.exp(-field - coupling * n[p])) ? 1 : 0;
        }
      }
    }
    let fitted = { field: 0, coupling: 0 };
    const open = new Uint8Array(H * W).fill(1);
    for (let i = 0; i < 5; i++) fitted = fitIsing(fitted, sample, open, lattice, { maxCoupling: 20, intact: 0 });
    expect(Math.abs(fitted.field - field)).toBeLessThan(0.15);
    expect(Math.abs(fitted.coupling - coupling)).toBeLessThan(0.25);
  });

  test('without coupling, mean field is the logistic function of field and evidence', () => {
    const evidence = Float64Array.from({ length: 12 }, (_, p) => p - 6);
    const planes = { open: new Uint8Array(12).fill(1), given: new Uint8Array(12), lattice: latticeOf(3, 4) };
    const q = meanField({ field: 0.5, coupling: 0 }, new Float64Array(12), evidence, planes, 1);
    for (const [p, own] of q.entries()) expect(own).toBeCloseTo(1 / (1 + Math.exp(-0.5 - evidence[p])), 12);
  });

  test('a pixel whose neighbours are all corrupted has n = 1, at the border too', () => {
    expect([...neighbourMean(new Float64Array(12).fill(1), latticeOf(3, 4))]).toEqual(new Array(12).fill(1));
  });
});

describe('the domain', () => {
  const picture = float32([0.1, 0.2, 0.3, 0.4], [1, 1, 2, 2]);
  const made = (values: number[]) => float32(values, [1, 1, 2, 2]);
  const nothing = zeros('float32', [1, 1, 2, 2]);

  test('the misfit is the root mean square of what is kept, in grey levels, and its share of the spread', () => {
    const { grey, unexplained } = misfitOf(picture, made([0, 0, 0, 0]), made([0, 1, 0, 1]));
    expect(grey).toBeCloseTo(127.5 * Math.sqrt((0.1 ** 2 + 0.3 ** 2) / 2), 4);
    expect(unexplained).toBeCloseTo((0.1 ** 2 + 0.3 ** 2) / (2 * 0.1 ** 2), 5);
  });

  test('a picture is outside where one colour would do as well, or nothing is kept', () => {
    expect(isOutOfDomain(misfitOf(picture, made([0.25, 0.25, 0.25, 0.26]), nothing))).toBe(false);
    expect(isOutOfDomain(misfitOf(picture, made([0.1, 0, 0, 0.1]), nothing))).toBe(true);
    expect(isOutOfDomain(misfitOf(picture, picture, made([1, 1, 1, 1])))).toBe(true);
    expect(isOutOfDomain(misfitOf(picture, picture, nothing))).toBe(false);
  });

  test('a picture is outside where less than half of it is explained, and missed by more than 32 grey levels', () => {
    expect(isOutOfDomain({ grey: 33, unexplained: 0.6 })).toBe(true);
    expect(isOutOfDomain({ grey: 31, unexplained: 0.6 })).toBe(false);
    expect(isOutOfDomain({ grey: 33, unexplained: 0.4 })).toBe(false);
  });
});
