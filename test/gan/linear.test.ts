import { describe, expect, it } from 'vitest';
import { run } from '../../src/gan/coverage.ts';
import { symmetricEigen } from '../../src/gan/networks/eigen.ts';
import { fitLinear } from '../../src/gan/networks/linear.ts';
import { float32, float32Data } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { expectClose } from '../support/close.ts';
import { runtime } from './support.ts';

/** Pictures of 1 x 4 x 4: mean + a u + b v with orthonormal u, v, and a, b of standard deviations 3 and 1. */
function plane(count: number) {
  const random = randomFrom(3);
  const u = Float32Array.from({ length: 16 }, (_, i) => (i < 8 ? 1 : -1) / 4);
  const v = Float32Array.from({ length: 16 }, (_, i) => (i % 2 ? 1 : -1) / 4);
  const data = new Float32Array(count * 16);
  for (let n = 0; n < count; n++) {
    const [a, b] = [3 * random.normal(), random.normal()];
    for (let i = 0; i < 16; i++) data[n * 16 + i] = 0.5 + a * u[i] + b * v[i];
  }
  return { images: float32(data, [count, 1, 4, 4]), u, v };
}

describe('the linear generator', () => {
  it.each([
    ['from few pictures (Gram matrix)', 12],
    ['from many (random subspace)', 400],
  ])('finds the components of pictures in a plane, %s', async (_, count) => {
    const { images, u } = plane(count);
    const model = await fitLinear(images, 2, runtime);
    expect(model.explained).toBeCloseTo(1, 5);
    const first = float32Data(model.weight).subarray(0, 16);
    const along = first.reduce((sum, w, i) => sum + w * u[i], 0);
    const length = Math.sqrt(first.reduce((sum, w) => sum + w * w, 0));
    expect(length).toBeCloseTo(Math.sqrt(model.eigenvalues[0]), 4);
    // With few pictures the sample's axes are turned against the law's.
    expect(Math.abs(along) / length).toBeGreaterThan(count > 100 ? 0.999 : 0.9);
    const z = await run(runtime, model.encoder, 'image', images, 'z');
    expectClose(await run(runtime, model.generator, 'z', z, 'image'), images, 1e-4, 'G(E(x))');
    for (const c of [0, 1]) {
      const own = Array.from({ length: count }, (_, n) => float32Data(z)[2 * n + c]);
      const mean = own.reduce((sum, v) => sum + v, 0) / count;
      expect(mean).toBeCloseTo(0, 4);
      expect(own.reduce((sum, v) => sum + v * v, 0) / (count - 1)).toBeCloseTo(1, 3);
    }
  });

  it('has zeros for what pictures do not have: 40 of them in a plane of 64 values, 20 components asked for', async () => {
    const random = randomFrom(4);
    const [u, v] = [0, 1].map((c) => Float32Array.from({ length: 64 }, (_, i) => Math.sin((c + 1) * i)));
    const data = new Float32Array(40 * 64);
    for (let n = 0; n < 40; n++) {
      const [a, b] = [random.normal(), random.normal()];
      for (let i = 0; i < 64; i++) data[n * 64 + i] = a * u[i] + b * v[i];
    }
    const { eigenvalues, explained } = await fitLinear(float32(data, [40, 1, 8, 8]), 20, runtime);
    expect(explained).toBeCloseTo(1, 4);
    expect(eigenvalues.slice(2).every((value) => value < 1e-5 * eigenvalues[0])).toBe(true);
  });

  it('both ways give the same subspace and variances', async () => {
    const random = randomFrom(8);
    const data = Float32Array.from({ length: 60 * 48 }, (_, i) => random.normal() / (1 + (i % 48)));
    const images = float32(data, [60, 3, 4, 4]);
    const all = await fitLinear(images, 47, runtime);
    const few = await fitLinear(images, 4, runtime);
    few.eigenvalues.forEach((value, i) => {
      expect(value / all.eigenvalues[i]).toBeCloseTo(1, 4);
    });
    expect(all.explained).toBeGreaterThan(0.999);
    expect(few.residual).toBeGreaterThan(all.residual);
  });
});

it('eigenvectors of a symmetric matrix: A v = lambda v, orthonormal, falling', () => {
  const n = 9;
  const random = randomFrom(4);
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = random.normal();
  const { values, vectors } = symmetricEigen(a, n);
  const dot = (x: Float64Array, y: Float64Array) => x.reduce((sum, v, i) => sum + v * y[i], 0);
  for (let k = 0; k < n; k++) {
    const v = vectors.subarray(k * n, (k + 1) * n);
    for (let i = 0; i < n; i++) expect(dot(a.subarray(i * n, (i + 1) * n), v)).toBeCloseTo(values[k] * v[i], 10);
    for (let l = 0; l <= k; l++) expect(dot(v, vectors.subarray(l * n, (l + 1) * n))).toBeCloseTo(k === l ? 1 : 0, 10);
    if (k > 0) expect(values[k]).toBeLessThanOrEqual(values[k - 1]);
  }
});
