/** The numbers of exact solutions, on affine generators whose unknowns each have pixels of their own: all that is solved is a scalar. */
import { describe, expect, it } from 'vitest';
import { choleskyFactor } from '../../../src/arrays/cholesky.ts';
import { visibilityOf } from '../../../src/images/image.ts';
import { type AffineMap, affineMapOf } from '../../../src/inversion/generator/affine-map.ts';
import { openGenerator } from '../../../src/inversion/generator/generator.ts';
import { noiseFromText, noiseToText } from '../../../src/inversion/generator/noise-file.ts';
import { temperatureAt } from '../../../src/inversion/generator/noise-model.ts';
import { rgi } from '../../../src/inversion/methods/rgi.ts';
import { withoutEachPixel } from '../../../src/inversion/solve/exact/leave-one-out.ts';
import { maskSteps } from '../../../src/inversion/solve/exact/mask-steps.ts';
import { gramProduct } from '../../../src/inversion/solve/exact/normal-equations.ts';
import { posteriorOf, predictionOf } from '../../../src/inversion/solve/exact/posterior.ts';
import { restoreImages } from '../../../src/inversion/solve/restore.ts';
import { GraphBuilder } from '../../../src/onnx/builder.ts';
import { float32, zeros } from '../../../src/onnx/tensor.ts';
import { randomFrom } from '../../../src/random.ts';
import { nodeRuntime } from '../../../src/runtime/node/onnxruntime.ts';

const runtime = nodeRuntime({ threads: 1 });

/** G(z) = A z as [N, 1, height, width]. */
function linearGraph(matrix: readonly number[][], height: number, width: number) {
  const b = new GraphBuilder();
  const z = b.reserve('z');
  const unknowns = matrix[0].length;
  const transposed = Array.from({ length: unknowns }, (_, k) => matrix.map((row) => row[k])).flat();
  const flat = b.MatMul(z, b.initializer('a', float32(transposed, [unknowns, matrix.length])));
  b.node('Reshape', [flat, b.ints([-1, 1, height, width])], {}, ['image']);
  return b.graph(
    'linear',
    [{ name: 'z', type: 'float32', dims: ['N', unknowns] }],
    [{ name: 'image', type: 'float32', dims: ['N', 1, height, width] }],
  );
}

const mapOf = (matrix: readonly number[][]): AffineMap => ({
  matrix: Float32Array.from(matrix.flat()),
  offset: new Float32Array(matrix.length),
  values: matrix.length,
  unknowns: matrix[0].length,
  latentsOf: () => new Map(),
});

const identity = (n: number, diagonal = 1) =>
  Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? diagonal : 0));

describe('the temperature', () => {
  const [SIDE, UNKNOWNS, SLOPE, HIDDEN] = [16, 4, 0.1, 8];
  const PLANE = SIDE ** 2;
  const own = (p: number) => p % UNKNOWNS;
  const matrix = Array.from({ length: PLANE }, (_, p) =>
    Array.from({ length: UNKNOWNS }, (_, k) => (own(p) === k ? SLOPE : 0)),
  );
  const random = randomFrom(7);
  const x = Float32Array.from({ length: PLANE }, (_, p) => SLOPE * (own(p) - 1.5) + 0.2 * random.normal());

  /** u and the scale of the noise that go with each other, for likelihoods to the power 1 / eta. */
  function fixedPoint(isKept: (p: number) => boolean, eta: number): number[] {
    let [scale, u] = [0.04, [] as number[]];
    for (let i = 0; i < 100; i++) {
      const ridge = eta * scale;
      const diagonals = new Array<number>(UNKNOWNS).fill(ridge);
      const rights = new Array<number>(UNKNOWNS).fill(0);
      for (let p = 0; p < PLANE; p++) {
        if (!isKept(p)) continue;
        diagonals[own(p)] += SLOPE ** 2;
        rights[own(p)] += SLOPE * x[p];
      }
      u = rights.map((right, k) => right / diagonals[k]);
      let [misfit, kept] = [0, 0];
      for (let p = 0; p < PLANE; p++) {
        if (!isKept(p)) continue;
        misfit += (x[p] - SLOPE * u[own(p)]) ** 2;
        kept++;
      }
      scale = misfit / (kept - UNKNOWNS + ridge * diagonals.reduce((sum, d) => sum + 1 / d, 0));
    }
    return u;
  }

  it.each([
    ['4 where nothing is hidden', 4, () => true],
    ['10 where half of the picture is hidden in one piece', 10, (p: number) => p % SIDE >= HIDDEN],
  ] as const)('without a noise model is %s', async (_, eta, isKept) => {
    const generator = await openGenerator(linearGraph(matrix, SIDE, SIDE), runtime);
    const mask = float32(
      Float32Array.from({ length: PLANE }, (_, p) => (isKept(p) ? 0 : 1)),
      [1, 1, SIDE, SIDE],
    );
    const steps: number[] = [];
    const job = {
      generator,
      method: rgi({ channels: 1, masked: true }),
      images: float32(x, [1, 1, SIDE, SIDE]),
      masks: mask,
    };
    for await (const made of restoreImages(job, runtime, { onStep: ({ step }) => steps.push(step) })) {
      const u = fixedPoint(isKept, eta);
      // The scale is settled to two percent.
      made.latents.get('z')!.data.forEach((value, k) => {
        expect(Number(value) / u[k]).toBeCloseTo(1, 1.6);
      });
    }
    expect(steps).toEqual([0]);
  });

  it('is between the two by the pixels less than a quarter of whose square of 7 x 7 is kept: a fifth of them is a region', () => {
    const [size, hidden] = [40, 6];
    const mask = Float32Array.from({ length: size ** 2 }, (_, p) => (p % size < hidden ? 1 : 0));
    // Of the six hidden columns at the border, the fourth sees one kept column of seven, the fifth two.
    const share = 4 / size / 0.2;
    const found = temperatureAt({ scattered: 2, region: 8 }, visibilityOf(float32(mask, [1, 1, size, size])));
    expect(found).toBeCloseTo(2 ** (1 - share) * 8 ** share, 10);
  });
});

it('a byte b of a noise model in a file stands for the deviation 2^(-b/16)', () => {
  const log2 = btoa(String.fromCharCode(0, 16, 40, 255));
  const temperature = { scattered: 2, region: 8 };
  const text = JSON.stringify({ deviation: { shape: [1, 2, 2], log2, steps: 16 }, temperature });
  const { deviation } = noiseFromText(text, [1, 2, 2])!;
  [1, 0.5, 2 ** -2.5, 2 ** (-255 / 16)].forEach((expected, i) => {
    expect(deviation.data[i] / expected).toBeCloseTo(1, 6);
  });
  expect(JSON.parse(noiseToText({ deviation, temperature }))).toEqual(JSON.parse(text));
});

it('an affine generator of up to 2048 unknowns is drawn out as a matrix', async () => {
  const unknownsOf = async (count: number) => {
    const row = Array.from({ length: count }, (_, k) => 1 / (1 + k));
    return (await affineMapOf(await openGenerator(linearGraph([row], 1, 1), runtime), runtime))?.unknowns;
  };
  expect(await unknownsOf(1100)).toBe(1100);
  expect(await unknownsOf(2049)).toBeUndefined();
});

describe('what the rest says of a pixel', () => {
  it('replaces it where the pixel decides more than three tenths of its own reconstruction', () => {
    const ridge = 0.05;
    // A^T A + ridge = 1: the leverage of each pixel is the square of its row.
    const leverages = [0.31, 0.29, 0.35];
    const map = mapOf(leverages.map((leverage) => [Math.sqrt(leverage)]));
    const x = Float32Array.of(0.5, -0.2, 0.1);
    const u = x.reduce((sum, v, p) => sum + Math.sqrt(leverages[p]) * v, 0);
    const picture = Float32Array.from(leverages, (leverage) => Math.sqrt(leverage) * u);
    const variance = Float64Array.from(leverages, (leverage) => ridge * leverage);
    const posterior = { factor: Float64Array.of(1), ridge };
    const weights = new Float64Array(3).fill(1);
    const found = withoutEachPixel(map, { weights }, posterior, { picture, variance }, x, 1);
    leverages.forEach((leverage, p) => {
      // The solution of the two other pixels.
      const others = leverages.reduce((sum, _, q) => sum + (q === p ? 0 : Math.sqrt(leverages[q]) * x[q]), 0);
      const own = Math.sqrt(leverage) * (others / (1 - leverage));
      expect(found.picture[p]).toBeCloseTo(leverage > 0.3 ? own : picture[p], 6);
      expect(found.variance[p]).toBeCloseTo(ridge * (leverage > 0.3 ? leverage / (1 - leverage) : leverage), 6);
    });
  });

  it('of two channels: as the solution of the other pixels says', () => {
    const [ridge, plane] = [0.02, 3];
    const random = randomFrom(3);
    // The values of [2 channels, 3 pixels], by two unknowns.
    const matrix = Array.from({ length: 2 * plane }, () => [random.normal(), random.normal()]);
    const x = Float32Array.from({ length: 2 * plane }, () => random.normal());
    const solved = (without?: number) => {
      const [a, b, d, e, f] = matrix.reduce(
        (sums, [r, s], v) =>
          v % plane === without ? sums : [r * r, r * s, s * s, r * x[v], s * x[v]].map((term, i) => sums[i] + term),
        [ridge, 0, ridge, 0, 0],
      );
      const determinant = a * d - b * b;
      return { u: [(d * e - b * f) / determinant, (a * f - b * e) / determinant], gram: [a, b, b, d] };
    };
    const { u, gram } = solved();
    const made = (of: readonly number[]) => matrix.map(([r, s]) => r * of[0] + s * of[1]);
    const factor = choleskyFactor(Float64Array.from(gram), 2)!;
    // A leverage of 1 for all: every pixel is left out.
    const prediction = { picture: Float32Array.from(made(u)), variance: new Float64Array(2 * plane).fill(ridge) };
    const weights = new Float64Array(2 * plane).fill(1);
    const found = withoutEachPixel(mapOf(matrix), { weights }, { factor, ridge }, prediction, x, 2);
    for (let v = 0; v < 2 * plane; v++) expect(found.picture[v]).toBeCloseTo(made(solved(v % plane).u)[v], 4);
  });

  it('of the 256 pixels of the largest leverages', () => {
    const count = 260;
    const slopes = Array.from({ length: count }, (_, k) => 1 + k / count);
    const map = mapOf(slopes.map((slope, p) => slopes.map((_, k) => (p === k ? slope : 0))));
    const gram = identity(count).map((v, i) => v * (slopes[Math.floor(i / count)] ** 2 + 0.1));
    const posterior = { factor: choleskyFactor(gram, count)!, ridge: 0.1 };
    const x = new Float32Array(count).fill(1);
    const picture = Float32Array.from(slopes, (slope) => slope ** 2 / (slope ** 2 + 0.1));
    const variance = Float64Array.from(slopes, (slope) => (0.1 * slope ** 2) / (slope ** 2 + 0.1));
    const weights = new Float64Array(count).fill(1);
    const found = withoutEachPixel(map, { weights }, posterior, { picture, variance }, x, 1);
    // Each has an unknown of its own: without the pixel nothing is known of it.
    found.picture.forEach((v, p) => {
      expect(v).toBeCloseTo(p < count - 256 ? picture[p] : 0, 4);
    });
  });
});

it("a reconstruction's variance is estimated to a quarter, as 32 draws allow", async () => {
  const count = 600;
  const map = mapOf(
    Array.from({ length: count }, (_, p) => Array.from({ length: count }, (_, k) => (p === k ? 1 : 0))),
  );
  const product = await gramProduct(map, runtime);
  const terms = { right: new Float64Array(count), square: 1, kept: count };
  const posterior = posteriorOf(map, { gram: identity(count) }, terms, 1, 0.5);
  const { variance } = await predictionOf(posterior, map, product);
  await product.dispose();
  // ridge / (1 + ridge) of each value; its estimate deviates by sqrt(2 / draws) of that.
  const relative = variance.map((v) => (v * 1.5) / 0.5 - 1);
  const deviation = Math.sqrt(relative.reduce((sum, d) => sum + d ** 2, 0) / count);
  expect(deviation / Math.sqrt(2 / 32)).toBeGreaterThan(0.85);
  expect(deviation / Math.sqrt(2 / 32)).toBeLessThan(1.15);
});

it('a pixel counts by the probability that it is intact; below 2% and above 98% that is taken as certain', async () => {
  const side = 32;
  const dims = [1, 1, side, side];
  const random = randomFrom(4);
  const generator = await openGenerator(
    linearGraph(
      Array.from({ length: side ** 2 }, () => [0.1]),
      side,
      side,
    ),
    runtime,
  );
  const { steps, dispose } = await maskSteps(rgi({ channels: 1 }), generator, runtime);
  // Residuals of all sizes, so that probabilities of all sizes are met.
  const x = float32(
    Float32Array.from({ length: side ** 2 }, (_, p) => (p % 3 === 0 ? 0.4 * random.uniform() : 0.02 * random.normal())),
    dims,
  );
  const deviation = float32(new Float32Array(side ** 2).fill(0.02), dims);
  const { weights, softMask } = await steps[0]({ x, y: zeros('float32', dims), deviation });
  await dispose();
  const met = { faint: 0, sure: 0 };
  softMask.data.forEach((q, p) => {
    expect(weights.data[p]).toBeCloseTo(q < 0.02 ? 1 : q > 0.98 ? 0 : 1 - q, 6);
    if (q > 0.01 && q < 0.02) met.faint++;
    if (q > 0.02 && q < 0.04) met.sure++;
  });
  expect([met.faint > 0, met.sure > 0]).toEqual([true, true]);
});
