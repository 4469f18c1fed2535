/** The coherent mask against plain loops of iterated conditional modes; what it does to regions, specks and noise. */
import { describe, expect, it } from 'vitest';
import { forwardGraph } from '../../src/inversion/compile/forward.ts';
import { STEP } from '../../src/inversion/compile/step-names.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { ADAM, type Formulation, lambdaOf, type PixelTerm } from '../../src/inversion/spec/formulation.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data, zeros } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { identityGenerator } from '../support/problems.ts';

const SIZE = 16;
const PLANE = SIZE * SIZE;
const DIMS = [1, 1, SIZE, SIZE];
const COHERENCE = 0.8;
const runtime = nodeRuntime({ threads: 1 });

/** M of a grey picture of zeros, whose residuals are `r`. */
async function maskOf(r: ArrayLike<number>, loss: PixelTerm, coherence: number, lambda: number) {
  const formulation: Formulation = {
    loss: [loss],
    reduction: 'sum',
    mask: { form: 'exact', shared: true, coherence },
    priors: [],
    optimiser: ADAM,
    weightGroups: [],
  };
  const { graph } = forwardGraph(await openGenerator(identityGenerator(1, SIZE), runtime), formulation, 1);
  const session = await runtime.session(encodeModel(graph));
  const feeds = {
    z: float32(r, [1, PLANE]),
    [STEP.x]: zeros('float32', DIMS),
    [STEP.lambda]: float32([lambda], [1, 1, 1, 1]),
  };
  try {
    return float32Data((await session.run(new Map(Object.entries(feeds)))).get(STEP.softMask)!);
  } finally {
    await session.dispose();
  }
}

/**
 * Three sweeps, each pixel's lambda by the share of its 24 neighbours, weighted by exp(-d^2/2), that are kept; a twentieth of that
 * where less than a quarter of the 7 x 7 pixels about it are.
 */
function reference(
  r: ArrayLike<number>,
  visibilityOf: (r: number, lambda: number) => number,
  lambda: number,
): number[] {
  let own = new Array<number>(PLANE).fill(lambda);
  for (let sweep = 0; sweep < 3; sweep++) {
    const kept = own.map((l, i) => (visibilityOf(r[i], l) >= 0.5 ? 1 : 0));
    own = own.map((_, i) => {
      const [y, x] = [Math.floor(i / SIZE), i % SIZE];
      let [near, all] = [0, 0];
      for (let v = Math.max(0, y - 2); v <= Math.min(SIZE - 1, y + 2); v++) {
        for (let u = Math.max(0, x - 2); u <= Math.min(SIZE - 1, x + 2); u++) {
          if (u === x && v === y) continue;
          const weight = Math.exp(-((u - x) ** 2 + (v - y) ** 2) / 2);
          near += weight * kept[v * SIZE + u];
          all += weight;
        }
      }
      let [midst, square] = [0, 0];
      for (let v = Math.max(0, y - 3); v <= Math.min(SIZE - 1, y + 3); v++) {
        for (let u = Math.max(0, x - 3); u <= Math.min(SIZE - 1, x + 3); u++) {
          midst += kept[v * SIZE + u];
          square++;
        }
      }
      return lambda * (1 + COHERENCE * ((2 * near) / all - 1) ** 3) * (midst / square < 0.25 ? 0.05 : 1);
    });
  }
  return own.map((l, i) => 1 - visibilityOf(r[i], l));
}

const KEEP = {
  l1: (r: number, lambda: number) => (Math.abs(r) <= lambda ? 1 : 0),
  l2: (r: number, lambda: number) => Math.min(1, lambda / (2 * r * r)),
  // the minimiser over k of rho(k r) - lambda k: its quadratic part's, or none
  huber: (r: number, lambda: number) => (0.4 * Math.abs(r) <= lambda ? 1 : Math.min(1, lambda / (r * r))),
};

const TERMS: PixelTerm[] = [
  { kind: 'l1', weight: 1 },
  { kind: 'l2', weight: 1 },
  { kind: 'huber', weight: 1, delta: 0.4 },
];

describe('a coherent mask', () => {
  it.each(TERMS)('is that of iterated conditional modes ($kind)', async (loss) => {
    // Some agreement, some contradiction, and on the right some values that look right amid gross ones.
    const r = randomFrom(4)
      .normals(PLANE)
      .map((v, i) => v * (i % SIZE < 5 ? 0.3 : i % SIZE < 9 ? 0.6 : 2));
    const lambda = lambdaOf(50, loss, 1);
    const expected = reference(r, KEEP[loss.kind], lambda);
    const found = await maskOf(r, loss, COHERENCE, lambda);
    expect([...found].map((m, i) => Math.abs(m - expected[i])).filter((d) => d > 1e-5)).toEqual([]);
    // It says something else than independent pixels.
    expect(await maskOf(r, loss, 0, lambda)).not.toEqual(found);
  });

  const l1: PixelTerm = { kind: 'l1', weight: 1 };

  it('fills a corrupted region, and lets a speck of slightly more than the threshold be', async () => {
    const inside = (i: number) => i % SIZE >= 3 && i % SIZE < 9 && i >= 3 * SIZE && i < 9 * SIZE;
    const r = new Float32Array(PLANE).map((_, i) => (inside(i) ? 1 : 0.05));
    r[5 * SIZE + 5] = 0.2;
    r[12 * SIZE + 12] = 0.5;
    const mask = await maskOf(r, l1, COHERENCE, 0.4);
    expect([...mask]).toEqual(Array.from(r, (_, i) => (inside(i) ? 1 : 0)));
  });

  it('masks what happens to look right in the midst of a corrupted region, unless it fits almost exactly', async () => {
    const inside = (i: number) => i % SIZE < 9 && i < 9 * SIZE;
    const r = new Float32Array(PLANE).map((_, i) => (inside(i) ? 1 : 0.05));
    // Three beside each other: among their nearest neighbours, too many look right.
    for (const x of [3, 4, 5]) for (const y of [3, 4, 5]) r[y * SIZE + x] = 0.1;
    r[4 * SIZE + 4] = 0.001;
    const mask = await maskOf(r, l1, COHERENCE, 0.4);
    expect([...mask]).toEqual(Array.from(r, (_, i) => (inside(i) && i !== 4 * SIZE + 4 ? 1 : 0)));
  });

  it('finds gross corruption of half of the pixels, each by itself, as independent pixels do', async () => {
    const corrupted = new Set(randomFrom(6).sample(PLANE / 2, PLANE));
    const r = new Float32Array(PLANE).map((_, i) => (corrupted.has(i) ? 2 : 0.02));
    expect([...(await maskOf(r, l1, COHERENCE, 0.4))]).toEqual(Array.from(r, (v) => (v > 1 ? 1 : 0)));
  });
});
