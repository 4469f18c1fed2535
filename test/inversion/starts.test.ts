/** The choice of starts, against a plain search of the same pool; and the path of our default. */
import { describe, expect, it } from 'vitest';
import { continuation, convergedAfter, cosineDecay, geometric, robustStart } from '../../src/inversion/continuation.ts';
import { openGenerator } from '../../src/inversion/generator.ts';
import { chooseStarts, rows, type StartRule } from '../../src/inversion/starts.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data, type Tensor } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
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
  const keep = float32(
    Float32Array.from({ length: 2 * 64 }, (_, i) => Number(i % 3 > 0)),
    [2, 1, 8, 8],
  );
  const rules: Record<string, StartRule> = {
    'squared error': { pool: 40, distance: { kind: 'l2' }, seed: 3 },
    'absolute error, nearer the mean': { pool: 40, distance: { kind: 'l1' }, seed: 4, scale: 0.3 },
    'robust, gross residuals alike': robustStart(3, 40, 5),
  };
  for (const [name, rule] of Object.entries(rules)) {
    for (const known of [undefined, keep]) {
      it(`${name}${known ? ', known pixels only' : ''}`, async () => {
        const chosen = await chooseStarts(generator, targets, rule, count, runtime, { keep: known });
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

describe('the path of our default', () => {
  const stages = continuation({
    again: false,
    channels: 3,
    first: { kind: 'l1', weight: 1 },
    last: { kind: 'l2', weight: 1 },
    extraLoss: [],
    reduction: 'sum',
    thresholdGrey: 25.5,
    adaptive: false,
    masked: false,
    steps: 400,
    starts: 4,
    latentRate: 0.1,
    coherence: 0.5,
    priors: [],
  });

  it('lets several starts compete while lambda falls from half the range to its target, then refines the best', () => {
    const [compete, refine, fit] = stages;
    expect([compete.steps, compete.starts, refine.steps, refine.starts]).toEqual([100, 4, 150, 1]);
    expect(compete.controls(0).lambda).toBeCloseTo(3, 10);
    expect(compete.controls(50).lambda).toBeCloseTo(Math.sqrt(3 * 0.6), 10);
    // 2 C t^2: absolute error to begin with, squared at the end, the same threshold
    expect(refine.controls(0).lambda).toBeCloseTo(2 * 3 * 0.2 ** 2, 10);
    expect(refine.controls(0).latentRate).toBeCloseTo(0.1, 10);
    expect(refine.controls(150).latentRate).toBeCloseTo(0.0002, 10);
    expect([fit.steps, fit.isWanted?.(3), fit.isWanted?.(5)]).toEqual([150, true, false]);
  });

  it('is geometric in lambda, half a cosine in the rate', () => {
    expect(geometric(8, 2, 0.5)).toBeCloseTo(4, 12);
    expect([geometric(8, 2, -1), geometric(8, 2, 3)]).toEqual([8, 2]);
    expect(cosineDecay(0)).toBe(1);
    expect(cosineDecay(0.5)).toBeCloseTo(0.501, 12);
  });

  it('ends where the loss stands still, not where it falls slowly or has only begun', () => {
    const loss = (f: (t: number) => number) => Array.from({ length: 300 }, (_, t) => f(t));
    const flat = loss(() => 5);
    const falling = loss((t) => 5 - t * 1e-3);
    const swinging = loss((t) => 5 + (1 + (t % 7)) * (1 - t / 300));
    expect(convergedAfter(100, 25, { step: 149, loss: flat.slice(0, 149), fidelity: 4 })).toBeUndefined();
    expect(convergedAfter(100, 25, { step: 150, loss: flat.slice(0, 150), fidelity: 4 })).toBe('converged');
    expect(convergedAfter(100, 25, { step: 300, loss: falling, fidelity: 4 })).toBeUndefined();
    // An exact fit goes on where all the rest of the objective is the mask's.
    const exact = loss((t) => 5 + 1e-5 * 0.99 ** t);
    expect(convergedAfter(100, 25, { step: 300, loss: exact, fidelity: exact[299] - 5 })).toBeUndefined();
    expect(convergedAfter(100, 28, { step: 300, loss: swinging, fidelity: 4 })).toBeUndefined();
  });
});
