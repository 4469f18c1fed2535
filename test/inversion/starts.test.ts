/** The choice of starts, against a plain search of the same pool; and the path of our default. */
import { describe, expect, it } from 'vitest';
import { rows } from '../../src/arrays/rows.ts';
import { openGenerator, poolBatch } from '../../src/inversion/generator/generator.ts';
import {
  type ContinuationOptions,
  continuation,
  converged,
  cosineDecay,
  geometric,
  robustStart,
} from '../../src/inversion/methods/continuation.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { plannedSteps } from '../../src/inversion/solve/restore.ts';
import type { StartRule } from '../../src/inversion/spec/start-rule.ts';
import { chooseStarts } from '../../src/inversion/start/starts.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data, type Tensor } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { tinyGenerator } from '../support/tiny.ts';

const runtime = nodeRuntime({ threads: 1 });
const generator = await openGenerator(tinyGenerator(), runtime);

async function imagesOf(z: Tensor): Promise<Float32Array> {
  const session = await runtime.session(encodeModel(generator.graph));
  try {
    return float32Data((await session.run(new Map([['z', z]]))).get('image')!);
  } finally {
    await session.dispose();
  }
}

describe('the starts are the best of the pool', () => {
  const count = 3;
  const targets = float32(randomFrom(4).normals(2 * 192), [2, 3, 8, 8]);
  const visibility = float32(
    Float32Array.from({ length: 2 * 64 }, (_, i) => Number(i % 3 > 0)),
    [2, 1, 8, 8],
  );
  const rules: Record<string, StartRule> = {
    'squared error': { pool: 40, distance: { kind: 'l2' }, seed: 3 },
    'absolute error, nearer the mean': { pool: 40, distance: { kind: 'l1' }, seed: 4, scale: 0.3 },
    'robust, gross residuals alike': robustStart(3, 40, 5),
  };
  for (const [name, rule] of Object.entries(rules)) {
    for (const known of [undefined, visibility]) {
      it(`${name}${known ? ', known pixels only' : ''}`, async () => {
        const chosen = await chooseStarts(generator, targets, rule, count, runtime, { visibility: known });
        // The pool is drawn in whole batches of 25; only its first 40 latents are looked at.
        const drawn = float32Data((await generator.draw(50, randomFrom(rule.seed))).get('z')!);
        const pool = float32(
          drawn.map((v) => v * (rule.scale ?? 1)),
          [50, 4],
        );
        const made = await imagesOf(pool);
        const x = float32Data(targets);
        const expected = [0, 1].flatMap((i) => {
          const costs = Array.from({ length: 40 }, (_, j) => {
            let total = 0;
            for (let p = 0; p < 64; p++) {
              if (known && float32Data(known)[i * 64 + p] === 0) continue;
              const r = [0, 1, 2].map((c) => x[(i * 3 + c) * 64 + p] - made[(j * 3 + c) * 64 + p]);
              const absolute = r.reduce((sum, v) => sum + Math.abs(v), 0);
              if (rule.distance.kind === 'l2') total += r.reduce((sum, v) => sum + v * v, 0);
              else total += rule.distance.kind === 'truncated' ? Math.min(absolute, rule.distance.limit) : absolute;
            }
            return { total, j };
          });
          return costs.sort((a, b) => a.total - b.total).slice(0, count);
        });
        const best = expected.map(({ j }) => j);
        expect(chosen.get('z')!.data).toEqual(rows(pool, best).data);
      });
    }
  }
});

it('of large pictures some pixels are compared, of those that are known', async () => {
  const SIDE = 80;
  const large = await openGenerator(tinyGenerator(1, SIDE, 3), runtime);
  const session = await runtime.session(encodeModel(large.graph));
  const pool = await large.draw(25, randomFrom(6));
  const made = (await session.run(pool)).get('image')!;
  await session.dispose();
  // All but one corner is covered by what another latent makes.
  const visibility = float32(
    Float32Array.from({ length: SIDE ** 2 }, (_, p) => Number(p % SIDE < 20 && p < 20 * SIDE)),
    [1, 1, SIDE, SIDE],
  );
  const of = (i: number) => float32Data(rows(made, [i]));
  for (const [truth, cover] of [
    [3, 8],
    [17, 3],
  ]) {
    const other = of(cover);
    const picture = float32(
      of(truth).map((v, i) => (visibility.data[i % SIDE ** 2] > 0 ? v : other[i])),
      [1, 1, SIDE, SIDE],
    );
    const startOf = async (known?: Tensor) =>
      (await chooseStarts(large, picture, robustStart(1, 25, 6), 1, runtime, { visibility: known })).get('z')!.data;
    expect(await startOf(visibility)).toEqual(rows(pool.get('z')!, [truth]).data);
    expect(await startOf()).toEqual(rows(pool.get('z')!, [cover]).data);
  }
});

describe('the pool of a large generator', () => {
  const [SIDE, COUNT] = [300, 800];
  /** A runtime that counts how often pictures are made. */
  const counting = () => {
    let runs = 0;
    const session: Runtime['session'] = async (model, options) => {
      const opened = await runtime.session(model, options);
      const run: typeof opened.run = (...args) => {
        runs++;
        return opened.run(...args);
      };
      return { ...opened, run };
    };
    return { runtime: { ...runtime, session }, runs: () => runs };
  };

  it('is made once, and kept at the compared pixels; also for pictures of which a part is known', async () => {
    const large = await openGenerator(tinyGenerator(1, SIDE, 3), runtime);
    const { runtime: counted, runs } = counting();
    const rule = robustStart(1, COUNT, 2);
    const pool = new Map<number, Float32Array>();
    const pictures = [1, 2].map((seed) => float32(randomFrom(seed).normals(SIDE ** 2), [1, 1, SIDE, SIDE]));
    const shown = float32(
      Float32Array.from({ length: SIDE ** 2 }, (_, p) => Number(p % SIDE < SIDE / 2)),
      [1, 1, SIDE, SIDE],
    );
    const startOf = async (picture: Tensor, kept?: Map<number, Float32Array>, visibility?: Tensor) =>
      (await chooseStarts(large, picture, rule, 1, counted, { pool: kept, visibility })).get('z')!.data;
    const first = await startOf(pictures[0], pool);
    const made = runs();
    expect(made).toBe(COUNT / poolBatch(large));
    const second = await startOf(pictures[1], pool);
    await startOf(pictures[1], pool, shown);
    expect(runs()).toBe(made);
    expect([...pool.values()].reduce((sum, values) => sum + values.byteLength, 0)).toBeLessThan(4 * COUNT * 1025);
    // What was kept changes nothing where all is known.
    expect(await startOf(pictures[0])).toEqual(first);
    expect(await startOf(pictures[1])).toEqual(second);
  });
});

describe('the path of our default', () => {
  const options: ContinuationOptions = {
    channels: 3,
    loss: { kind: 'l2', weight: 1 },
    extraLoss: [],
    reduction: 'sum',
    thresholdGrey: 25.5,
    adaptive: true,
    masked: false,
    steps: 140,
    settling: 0,
    starts: 4,
    latentRate: 0.5,
    coherence: 0.5,
    priors: [{ kind: 'latent', weight: 1 }],
  };
  const stages = continuation(options);

  it("knows the latents' law alike until there is a mask, and then by what it hides", () => {
    const ofHidden = (changed: Partial<ContinuationOptions>) =>
      continuation({ ...options, ...changed }).map(({ formulation }) =>
        formulation.priors.some((prior) => prior.kind === 'latent' && prior.ofHidden === true),
      );
    expect(ofHidden({})).toEqual([false, false, true, true]);
    expect(ofHidden({ adaptive: false })).toEqual([false, false, true]);
    expect(ofHidden({ masked: true, adaptive: false })).toEqual([true, true, true, true]);
  });

  it('lowers lambda from a quarter of the range to its target, for several starts and then for the best, which is refined', () => {
    const [compete, descend, refine, settle] = stages;
    expect(stages.map(({ name, steps, starts }) => [name, steps, starts])).toEqual([
      ['compete', 10, 4],
      ['descend', 30, 1],
      ['refine', 60, 1],
      ['settle', 40, 1],
    ]);
    // 2 C t^2
    expect(compete.controls(0).lambda).toBeCloseTo(2 * 3 * (64 / 127.5) ** 2, 10);
    expect(compete.controls(10).lambda).toBeCloseTo(descend.controls(0).lambda, 10);
    expect(descend.controls(10).lambda).toBeCloseTo(2 * 3 * (64 / 127.5) * 0.2, 10);
    expect(refine.controls(0).lambda).toBeCloseTo(2 * 3 * 0.2 ** 2, 10);
    expect([settle.freezesMask, settle.formulation.mask.form]).toEqual([true, 'given']);
  });

  it('makes the steps it is told to make', () => {
    for (let steps = 1; steps < 30; steps++) {
      const method = rgi({ preset: 'fast', channels: 3, steps });
      expect([steps, plannedSteps(method)]).toEqual([steps, steps]);
    }
  });

  it('is geometric in lambda, half a cosine in the rate', () => {
    expect(geometric(8, 2, 0.5)).toBeCloseTo(4, 12);
    expect([geometric(8, 2, -1), geometric(8, 2, 3)]).toEqual([8, 2]);
    expect(cosineDecay(0)).toBe(1);
    expect(cosineDecay(0.5)).toBeCloseTo(0.501, 12);
  });

  it('ends where the loss stands still, not where it falls slowly or has only begun', () => {
    const loss = (f: (t: number) => number) => Array.from({ length: 40 }, (_, t) => f(t));
    const at = (all: number[], step: number, fidelity: number) =>
      converged({ step, loss: all.slice(0, step), fidelity });
    const flat = loss(() => 5);
    expect([at(flat, 6, 4), at(flat, 7, 4)]).toEqual([undefined, 'converged']);
    expect(
      at(
        loss((t) => 5 - t * 2e-3),
        40,
        4,
      ),
    ).toBeUndefined();
    expect(
      at(
        loss((t) => 5 - t * 1e-3),
        40,
        4,
      ),
    ).toBe('converged');
    // An exact fit goes on where all the rest of the objective is the mask's.
    const exact = loss((t) => 5 + 1e-3 * 0.9 ** t);
    expect(at(exact, 40, exact[39] - 5)).toBeUndefined();
  });
});
