/** Exact solutions of linear generators: the posterior against independent computations, and what a restoration says. */
import { describe, expect, it } from 'vitest';
import { choleskyFactor, choleskySolve } from '../../../src/arrays/cholesky.ts';
import { corrupt } from '../../../src/images/corruptions.ts';
import { visibilityOf } from '../../../src/images/image.ts';
import { affineMapOf } from '../../../src/inversion/generator/affine-map.ts';
import { type Generator, openGenerator } from '../../../src/inversion/generator/generator.ts';
import { noiseFromText, noiseToText } from '../../../src/inversion/generator/noise-file.ts';
import { temperatureAt } from '../../../src/inversion/generator/noise-model.ts';
import { rgi } from '../../../src/inversion/methods/rgi.ts';
import {
  equationsAt,
  gramProduct,
  pictureOf,
  wholeEquations,
} from '../../../src/inversion/solve/exact/normal-equations.ts';
import { dataTerms, posteriorOf, predictionOf } from '../../../src/inversion/solve/exact/posterior.ts';
import { restoreImages } from '../../../src/inversion/solve/restore.ts';
import { GraphBuilder } from '../../../src/onnx/builder.ts';
import { float32, float32Data } from '../../../src/onnx/tensor.ts';
import { randomFrom } from '../../../src/random.ts';
import { nodeRuntime } from '../../../src/runtime/node/onnxruntime.ts';
import { tinyGenerator } from '../../support/tiny.ts';

const runtime = nodeRuntime({ threads: 1 });
const [LATENT, CHANNELS, SIZE] = [6, 3, 16];
const VALUES = CHANNELS * SIZE ** 2;

/** G(z) = W z + b: smooth random components, [N, 3, 16, 16]. */
async function linear(): Promise<Generator> {
  const b = new GraphBuilder();
  const z = b.reserve('z');
  const random = randomFrom(2);
  const weight = new Float32Array(LATENT * VALUES);
  for (let k = 0; k < LATENT; k++) {
    const [p, q, phase] = [2 * random.normal(), 2 * random.normal(), 6 * random.uniform()];
    for (let i = 0; i < VALUES; i++) {
      const [c, y, x] = [Math.floor(i / SIZE ** 2), Math.floor(i / SIZE) % SIZE, i % SIZE];
      weight[k * VALUES + i] = 0.3 * Math.sin((p * x + q * y) / 4 + phase + c);
    }
  }
  const flat = b.Gemm(z, b.floats(weight, [LATENT, VALUES]), b.floats(new Float32Array(VALUES).fill(0.1), [VALUES]));
  b.node('Identity', [b.Reshape(flat, [-1, CHANNELS, SIZE, SIZE])], {}, ['image']);
  const graph = b.graph(
    'linear',
    [{ name: 'z', type: 'float32', dims: ['N', LATENT] }],
    [{ name: 'image', type: 'float32', dims: ['N', CHANNELS, SIZE, SIZE] }],
  );
  return openGenerator(graph, runtime);
}

const generator = await linear();
const map = (await affineMapOf(generator, runtime))!;
const truth = Float64Array.from(randomFrom(9).normals(LATENT));
const clean = float32(pictureOf(map, truth), [1, CHANNELS, SIZE, SIZE]);

/** Gauss' elimination with pivots, nothing shared with the product. */
function gauss(a: number[][], b: number[]): number[] {
  const m = a.map((row, i) => [...row, b[i]]);
  for (let i = 0; i < m.length; i++) {
    const pivot = m.slice(i).reduce((best, row, j) => (Math.abs(row[i]) > Math.abs(m[best][i]) ? i + j : best), i);
    [m[i], m[pivot]] = [m[pivot], m[i]];
    for (let j = 0; j < m.length; j++) {
      if (j === i) continue;
      const factor = m[j][i] / m[i][i];
      for (let t = i; t <= m.length; t++) m[j][t] -= factor * m[i][t];
    }
  }
  return m.map((row, i) => row[m.length] / row[i]);
}

describe('an affine generator', () => {
  it('is found in its graph, and drawn out as a matrix', async () => {
    const [u] = [Float64Array.from({ length: LATENT }, (_, i) => Math.cos(i))];
    const direct = await affineMapOf({ ...generator, batch: 'any' }, runtime);
    expect(map.unknowns).toBe(LATENT);
    expect(direct!.matrix).toEqual(map.matrix);
    expect(float32Data(map.latentsOf(u).get('z')!)).toEqual(Float32Array.from(u));
  });

  it('is none where it ends in tanh', async () => {
    expect(await affineMapOf(await openGenerator(tinyGenerator(), runtime), runtime)).toBeUndefined();
  });
});

describe('the posterior', () => {
  const random = randomFrom(4);
  const weights = Float64Array.from({ length: VALUES }, (_, i) => (i % 5 === 0 ? 0 : 0.5 + random.uniform()));
  const x = clean.data.map((v) => v + 0.05 * random.normal());
  const [eta, scale] = [3, 0.01];

  it('is the solution of the normal equations, made of any equations known before', async () => {
    const product = await gramProduct(map, runtime);
    const whole = await wholeEquations(product, new Float64Array(VALUES).fill(1));
    const equations = await equationsAt(product, [whole], weights);
    const { u } = posteriorOf(map, equations, dataTerms(map, equations.weights, x), eta, scale);
    const at = (v: number, k: number) => map.matrix[v * LATENT + k];
    const matrix = Array.from({ length: LATENT }, (_, i) =>
      Array.from({ length: LATENT }, (_, j) => {
        let sum = i === j ? eta * scale : 0;
        for (let v = 0; v < VALUES; v++) sum += weights[v] * at(v, i) * at(v, j);
        return sum;
      }),
    );
    const right = Array.from({ length: LATENT }, (_, i) => {
      let sum = 0;
      for (let v = 0; v < VALUES; v++) sum += weights[v] * at(v, i) * (x[v] - map.offset[v]);
      return sum;
    });
    gauss(matrix, right).forEach((value, i) => {
      expect(u[i]).toBeCloseTo(value, 9);
    });
    await product.dispose();
  });

  it('is where the derivative of what is minimised is 0, by finite differences', async () => {
    const product = await gramProduct(map, runtime);
    const equations = await equationsAt(product, [await wholeEquations(product, weights)], weights);
    const posterior = posteriorOf(map, equations, dataTerms(map, equations.weights, x), eta, scale);
    const energyAt = (u: Float64Array) => {
      let sum = 0;
      for (let v = 0; v < VALUES; v++) {
        let y = map.offset[v];
        for (let k = 0; k < LATENT; k++) y += map.matrix[v * LATENT + k] * u[k];
        sum += (weights[v] * (x[v] - y) ** 2) / scale;
      }
      return u.reduce((total, value) => total + eta * value ** 2, sum);
    };
    expect(posterior.energy / energyAt(posterior.u)).toBeCloseTo(1, 5);
    for (let k = 0; k < LATENT; k++) {
      const moved = (step: number) => energyAt(posterior.u.map((value, i) => (i === k ? value + step : value)));
      expect((moved(1e-4) - moved(-1e-4)) / 2e-4 / posterior.energy).toBeCloseTo(0, 6);
    }
    await product.dispose();
  });

  it('measures the scale of the noise, and how uncertain the picture is', async () => {
    const product = await gramProduct(map, runtime);
    const equations = await wholeEquations(product, new Float64Array(VALUES).fill(1));
    const posterior = posteriorOf(map, equations, dataTerms(map, equations.weights, x), 1, 0.05 ** 2);
    expect(Math.sqrt(posterior.scale)).toBeGreaterThan(0.045);
    expect(Math.sqrt(posterior.scale)).toBeLessThan(0.055);
    const { picture, variance } = await predictionOf(posterior, map, product);
    pictureOf(map, posterior.u).forEach((value, i) => {
      expect(picture[i]).toBeCloseTo(value, 5);
    });
    // The mean over the values: 0.05^2 for each of the unknowns that they determine.
    const mean = variance.reduce((sum, v) => sum + v / VALUES, 0);
    expect((mean * VALUES) / (LATENT * 0.05 ** 2)).toBeGreaterThan(0.5);
    expect((mean * VALUES) / (LATENT * 0.05 ** 2)).toBeLessThan(1.7);
    await product.dispose();
  });
});

it("Cholesky's factor solves a system; what is not positive definite has none", () => {
  const a = Float64Array.of(4, 2, 2, 3);
  const l = choleskyFactor(a, 2)!;
  expect([...choleskySolve(l, 2, [2, 5])].map((v) => Math.round(v * 1e9) / 1e9)).toEqual([-0.5, 2]);
  expect(choleskyFactor(Float64Array.of(1, 2, 2, 1), 2)).toBeUndefined();
});

describe('a restoration with a linear generator', () => {
  const { image, mask } = corrupt(clean, { region: { kind: 'block', share: 0.15 } }, 3);
  const restored = async (options: Parameters<typeof rgi>[0]) => {
    const job = { generator, method: rgi(options), images: image, masks: mask };
    for await (const made of restoreImages(job, runtime)) return made;
    throw new Error('nothing was restored');
  };
  const worst = (made: Float32Array) =>
    Math.max(...made.map((v, i) => Math.abs(v - Math.min(1, Math.max(-1, clean.data[i])))));

  it('with the mask given is solved at once', async () => {
    const made = await restored({ channels: CHANNELS, masked: true });
    expect([made.code, made.steps, made.history.loss.length]).toEqual(['solved', 1, 1]);
    expect(float32Data(made.latents.get('z')!).map((v, i) => Math.abs(v - truth[i]))).toSatisfy((d: Float32Array) =>
      d.every((v) => v < 1e-3),
    );
  });

  it('without the mask finds it, and says how often the two alternated', async () => {
    const made = await restored({ channels: CHANNELS });
    expect(made.code).toBe('solved');
    expect(made.history.loss.length).toBe(made.steps);
    expect(made.mask.data).toEqual(mask.data);
    expect(worst(made.restored.data)).toBeLessThan(0.02);
  });

  it('keeps to the threshold that the user chose', async () => {
    const made = await restored({ channels: CHANNELS, thresholdGrey: 32 });
    expect(made.code).toBe('solved');
    const sure = image.data.map((v, i) => Math.abs(v - clean.data[i]));
    made.mask.data.forEach((m, p) => {
      const r = Math.sqrt([0, 1, 2].reduce((sum, c) => sum + sure[c * SIZE ** 2 + p] ** 2, 0) / 3);
      if (127.5 * r > 64) expect(m).toBe(1);
    });
  });

  it("leaves the paper's recipe to its own optimiser", async () => {
    const made = await restored({ channels: CHANNELS, preset: 'paper', steps: 3 });
    expect([made.code, made.steps]).toEqual(['step-limit', 3]);
  });
});

describe('the noise model', () => {
  it('is read from its text as it was, to four percent', () => {
    const deviation = float32([1, 0.5, 0.01, 0.0013], [1, 1, 2, 2]);
    const text = noiseToText({ deviation, temperature: { scattered: 2, region: 8 } });
    const read = noiseFromText(text, [1, 2, 2])!;
    expect(read.temperature).toEqual({ scattered: 2, region: 8 });
    read.deviation.data.forEach((v, i) => {
      expect(v / deviation.data[i]).toBeGreaterThan(0.97);
      expect(v / deviation.data[i]).toBeLessThan(1.03);
    });
    expect(noiseFromText(text, [3, 2, 2])).toBeUndefined();
    expect(noiseFromText('{"deviation":1}', [1, 2, 2])).toBeUndefined();
  });

  it('has the temperature of scattered pixels for those, of regions for a quarter in one piece', () => {
    const temperature = { scattered: 2, region: 8 };
    const at = (mask: Float32Array) => temperatureAt(temperature, visibilityOf(float32(mask, [1, 1, 32, 32])));
    const block = Float32Array.from({ length: 1024 }, (_, i) => (i >> 5 < 16 && i % 32 < 16 ? 1 : 0));
    expect(at(new Float32Array(1024))).toBe(2);
    expect(at(Float32Array.from({ length: 1024 }, (_, i) => (i % 3 === 0 ? 1 : 0)))).toBe(2);
    expect(at(block)).toBeGreaterThan(6);
  });
});
