/** The solver: a batch is as many single runs, each image stops by itself, a saved run goes on as if never stopped. */
import { describe, expect, it, test } from 'vitest';
import { rows } from '../../src/arrays/rows.ts';
import { STEP } from '../../src/inversion/compile/step-names.ts';
import { type Critic, criticOf } from '../../src/inversion/generator/critic.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { anogan } from '../../src/inversion/methods/anogan.ts';
import { dgp } from '../../src/inversion/methods/dgp.ts';
import { invert } from '../../src/inversion/methods/invert.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { rrgi } from '../../src/inversion/methods/rrgi.ts';
import { yeh } from '../../src/inversion/methods/yeh.ts';
import { runMethod } from '../../src/inversion/solve/driver.ts';
import { createSolver } from '../../src/inversion/solve/solver.ts';
import { readState, writeState } from '../../src/inversion/solve/state.ts';
import { ADAM, type Formulation, type LatentOptimiser } from '../../src/inversion/spec/formulation.ts';
import type { Method, Stage } from '../../src/inversion/spec/method.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data, type Tensor, zeros } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { expectClose } from '../support/close.ts';
import { coupledCritic } from '../support/problems.ts';
import { tinyGenerator } from '../support/tiny.ts';

const runtime = nodeRuntime({ threads: 1 });
const WEIGHT = 'layer.weight';
const generator = await openGenerator(tinyGenerator(), runtime);
const critic = criticOf(coupledCritic(3, 8), true);

/** Pictures of the generator with a corrupted quarter; the mask of that quarter. */
async function pictures(count: number): Promise<{ images: Tensor; masks: Tensor }> {
  const session = await runtime.session(encodeModel(generator.graph));
  const made = (await session.run(await generator.draw(count, randomFrom(77)))).get('image')!;
  await session.dispose();
  const noise = randomFrom(5).normals(made.data.length);
  const corrupted = (i: number) => i % 8 < 4 && Math.floor(i / 8) % 8 < 4;
  const images = float32(
    float32Data(made).map((v, i) => (corrupted(i) ? noise[i] : v)),
    made.dims,
  );
  const masks = float32(
    Float32Array.from({ length: count * 64 }, (_, i) => Number(corrupted(i))),
    [count, 1, 8, 8],
  );
  return { images, masks };
}

const { images, masks } = await pictures(3);

function withStarts(method: Method, starts: number): Method {
  return { ...method, stages: method.stages.map((stage) => ({ ...stage, starts })) };
}

describe('three images side by side are three single runs', () => {
  const steps = 20;
  const cases: Record<string, [Method, Critic?]> = {
    'rgi, fast': [rgi({ preset: 'fast', channels: 3, steps, starts: 2, pool: 30 })],
    'rgi, paper': [rgi({ preset: 'paper', channels: 3, steps, pool: 30 })],
    "rgi, paper, a critic that couples a batch's images": [
      rgi({ preset: 'paper', channels: 3, steps, pool: 30, critic: true }),
      critic,
    ],
    'yeh, original, with mask and critic': [
      withStarts(yeh({ recipe: 'original', preset: 'paper', masked: true, critic: true, steps }), 3),
      critic,
    ],
    'anogan, features': [anogan({ recipe: 'original', layers: ['features'], critic: true, steps }), critic],
    'invert, pixels and features': [
      invert({ steps, extraLoss: [{ kind: 'feature', weight: 0.5, distance: 'l2', layers: ['features'] }] }),
      critic,
    ],
  };
  for (const [name, [method, network]] of Object.entries(cases)) {
    it(name, async () => {
      const options = { critic: network };
      const together = await runMethod(generator, method, runtime, images, masks, options);
      for (let i = 0; i < 3; i++) {
        const alone = await runMethod(generator, method, runtime, rows(images, [i]), rows(masks, [i]), options);
        expectClose(rows(together.image, [i]), alone.image, 1e-4, `image ${i}`);
        expectClose(rows(together.latents.get('z')!, [i]), alone.latents.get('z')!, 1e-4, `z of image ${i}`);
        expectClose(float32([together.loss[i]]), float32(alone.loss), 1e-4, `loss of image ${i}`);
        expectClose(float32(together.history.loss[i]), float32(alone.history.loss[0]), 1e-4, `history of image ${i}`);
        if (alone.mask) expectClose(rows(together.mask!, [i]), alone.mask, 1e-4, `mask of image ${i}`);
      }
    });
  }
});

describe('a saved run goes on with the same numbers', () => {
  const ours = { preset: 'fast', channels: 3, steps: 24, starts: 2, pool: 30 } as const;
  const cases: Record<string, [Method, Tensor, number[]?]> = {
    'a mask that was found and fixed, weights': [
      rrgi({ ...ours, preset: 'best', weights: [WEIGHT], weightSteps: 6 }),
      rows(images, [0]),
      [9, 20, 27],
    ],
    'several stages, several starts': [rgi(ours), images],
    'free mask': [rgi({ preset: 'paper', channels: 3, steps: 12, pool: 30 }), images],
    'weights with warm moments': [
      rrgi({ preset: 'paper', channels: 3, steps: 12, weightsFrom: 6, pool: 30, weights: [WEIGHT] }),
      rows(images, [0]),
    ],
    'momentum, given mask': [yeh({ recipe: 'original', preset: 'paper', masked: true, steps: 12 }), images],
  };
  for (const [name, [method, given, stops = [3, 9]]] of Object.entries(cases)) {
    it(name, async () => {
      const mask = rows(
        masks,
        Array.from({ length: given.dims[0] }, (_, i) => i),
      );
      const whole = await runMethod(generator, method, runtime, given, mask);
      for (const at of stops) {
        const stop = new AbortController();
        let made = 0;
        const onStep = () => {
          if (++made === at) stop.abort();
        };
        const part = await runMethod(generator, method, runtime, given, mask, { signal: stop.signal, onStep });
        expect(part.codes).toEqual(
          given.dims[0] === 1 ? ['interrupted'] : ['interrupted', 'interrupted', 'interrupted'],
        );
        const from = readState(writeState(part.state!));
        const rest = await runMethod(generator, method, runtime, given, mask, { from });
        expect(rest.image.data).toEqual(whole.image.data);
        expect(rest.latents.get('z')!.data).toEqual(whole.latents.get('z')!.data);
        expect(rest.weights.get(WEIGHT)?.data).toEqual(whole.weights.get(WEIGHT)?.data);
        expect([rest.loss, rest.steps, rest.codes]).toEqual([whole.loss, whole.steps, whole.codes]);
        expect(rest.history).toEqual(whole.history);
        expect(rest.state).toBeUndefined();
      }
    });
  }

  it('also at the beginning of a stage that continues another, whose curvature it begins with', async () => {
    const method = rgi({ preset: 'fast', channels: 3, steps: 42, starts: 2, pool: 30 });
    const whole = await runMethod(generator, method, runtime, images);
    const solver = createSolver(generator, method, runtime);
    await solver.init(images);
    while (!solver.terminate()) await solver.step();
    await solver.advance();
    const from = readState(writeState(await solver.save()));
    await solver.dispose();
    expect([from.stage, from.step]).toEqual([1, 0]);
    const rest = await runMethod(generator, method, runtime, images, undefined, { from });
    expect(rest.image.data).toEqual(whole.image.data);
    const memory = from.tensors.get(STEP.memory)!;
    const forgotten = { ...from, tensors: new Map([...from.tensors, [STEP.memory, zeros('float32', memory.dims)]]) };
    const other = await runMethod(generator, method, runtime, images, undefined, { from: forgotten });
    expect(other.history).not.toEqual(whole.history);
  });

  it('but there is none where it is stopped while it chooses its starts: they are not those of an uninterrupted run', async () => {
    const stop = new AbortController();
    const running = runMethod(generator, rgi({ ...ours, pool: 200 }), runtime, images, undefined, {
      signal: stop.signal,
    });
    stop.abort();
    const part = await running;
    expect([part.codes, part.steps, part.state]).toEqual([
      ['interrupted', 'interrupted', 'interrupted'],
      [0, 0, 0],
      undefined,
    ]);
  });

  it('and refuses the state of another run', async () => {
    const method = rgi({ preset: 'paper', channels: 3, steps: 12, pool: 30 });
    const solver = createSolver(generator, method, runtime);
    await solver.init(images);
    const state = await solver.save();
    await solver.dispose();
    const other = createSolver(generator, method, runtime);
    await expect(other.resume(state, rows(images, [0, 1]))).rejects.toThrow(
      'The saved state belongs to another run: it holds 3 searches, and this one would have 2 in its stage 1.',
    );
    const maskless = createSolver(generator, yeh({ recipe: 'rgi', preset: 'paper', masked: false }), runtime);
    await expect(maskless.resume(state, images)).rejects.toThrow(
      "The saved state belongs to another run: it holds 'rgi.mask', which this run has not.",
    );
    const tensors = new Map([...state.tensors].filter(([name]) => name !== STEP.mask));
    await expect(other.resume({ ...state, tensors }, images)).rejects.toThrow(
      "The saved state belongs to another run: 'rgi.mask' must be [3, 3, 8, 8] and is missing.",
    );
    await other.dispose();
    expect(() => readState(new Uint8Array(30))).toThrow('This is not an .npz archive');
  });
});

describe('a stage that cannot be searched as it says is refused', () => {
  const method = rgi({ preset: 'fast', channels: 3, steps: 12, starts: 1, pool: 30 });
  const [compete, descend] = method.stages;
  const alone = (stage: Stage): Method => ({ ...method, stages: [stage] });
  const lbfgs = compete.formulation;

  it.each<[string, Partial<Formulation>, string]>([
    ['a free mask', { mask: { form: 'free', shared: false, initial: 0 } }, 'a free mask'],
    ['tuned, bounded', { weightGroups: [[WEIGHT]], latentBound: 1 }, 'tuned weights and bounded latents'],
  ])('L-BFGS beside other unknowns (%s)', async (_, change, beside) => {
    const changed = alone({ ...compete, formulation: { ...lbfgs, ...change } });
    await expect(runMethod(generator, changed, runtime, rows(images, [0]))).rejects.toThrow(
      `L-BFGS cannot be combined with ${beside}: use Adam in this formulation.`,
    );
  });

  it('a continuation of what has no curvature, or of a longer memory', async () => {
    const following = (first: LatentOptimiser): Method => ({
      ...method,
      stages: [{ ...compete, formulation: { ...lbfgs, optimiser: first } }, descend],
    });
    await expect(runMethod(generator, following(ADAM), runtime, images)).rejects.toThrow(
      'A warm start needs a stage by L-BFGS before it.',
    );
    await expect(runMethod(generator, following({ kind: 'lbfgs', memory: 30 }), runtime, images)).rejects.toThrow(
      'A warm start needs a memory of L-BFGS of the same length as that of the stage before.',
    );
  });
});

describe('each image stops by itself', () => {
  /** Image 1 is told to stop after five steps. */
  const stopping = (method: Method): Method => {
    const asked: number[] = [];
    const [stage] = method.stages;
    const terminate = ({ step }: { readonly step: number }) => {
      asked[step] = (asked[step] ?? 0) + 1;
      return step === 5 && asked[5] === 2 ? ('converged' as const) : undefined;
    };
    return { ...method, stages: [{ ...stage, terminate }] };
  };
  it.each([
    ['Adam', rgi({ preset: 'paper', channels: 3, steps: 12, pool: 30 })],
    ['Nesterov', yeh({ recipe: 'original', preset: 'paper', masked: true, steps: 12 })],
    ['L-BFGS', rgi({ preset: 'fast', channels: 3, masked: true, steps: 168, pool: 30 })],
  ])('and stands still while the others go on (%s)', async (_, method) => {
    const single = withStarts(method, 1);
    const solver = createSolver(generator, stopping(single), runtime);
    await solver.init(images, masks);
    const seen: Tensor[] = [];
    while (!solver.terminate()) {
      await solver.step();
      seen.push((await solver.save()).tensors.get('z')!);
    }
    const result = await solver.finish();
    await solver.dispose();
    expect(result.codes).toEqual(['step-limit', 'converged', 'step-limit']);
    expect(result.steps).toEqual([12, 5, 12]);
    expect(rows(seen[11], [1]).data).toEqual(rows(seen[4], [1]).data);
    expect(rows(seen[11], [0]).data).not.toEqual(rows(seen[4], [0]).data);
    const whole = await runMethod(generator, { ...single, stages: [single.stages[0]] }, runtime, images, masks);
    expectClose(rows(result.image, [0, 2]), rows(whole.image, [0, 2]), 1e-6, 'the others');
  });

  it('and what it is told of then is the point where it stands, not one that was tried', async () => {
    const method = withStarts(rgi({ preset: 'fast', channels: 3, masked: true, steps: 168, pool: 30 }), 1);
    const solver = createSolver(generator, stopping(method), runtime);
    await solver.init(images, masks);
    const told: number[][] = [];
    while (!solver.terminate()) {
      const { loss, fidelity, masked } = await solver.step();
      told.push([loss[1], fidelity[1], masked[1]]);
    }
    await solver.dispose();
    told.slice(5).forEach((numbers) => {
      expect(numbers).toEqual(told[4]);
    });
  });

  it('where all have stopped in a stage that is not the last, a run that is stopped there is not done', async () => {
    const [first, ...others] = rgi({ preset: 'fast', channels: 3, steps: 40, pool: 30 }).stages;
    const whole: Method = {
      ...rgi({ preset: 'fast', channels: 3, steps: 40, pool: 30 }),
      stages: [{ ...first, terminate: () => 'converged' }, ...others],
    };
    const stop = new AbortController();
    const onStep = () => stop.abort();
    const part = await runMethod(generator, whole, runtime, images, undefined, { signal: stop.signal, onStep });
    expect(part.codes).toEqual(['interrupted', 'interrupted', 'interrupted']);
    const rest = await runMethod(generator, whole, runtime, images, undefined, { from: part.state });
    expect(rest.image.data).toEqual((await runMethod(generator, whole, runtime, images)).image.data);
  });

  it('one that is not finite has diverged, the others are done', async () => {
    const bad = float32(
      float32Data(images).map((v, i) => (i === 5 ? Number.NaN : v)),
      images.dims,
    );
    const result = await runMethod(generator, rgi({ preset: 'paper', channels: 3, steps: 6, pool: 30 }), runtime, bad);
    expect(result.codes).toEqual(['diverged', 'step-limit', 'step-limit']);
    const good = await runMethod(generator, rgi({ preset: 'paper', channels: 3, steps: 6, pool: 30 }), runtime, images);
    expect(rows(result.image, [1, 2]).data).toEqual(rows(good.image, [1, 2]).data);
  });

  it('our default stops once nothing is gained any more', async () => {
    const method = rgi({ preset: 'fast', channels: 3, steps: 600, starts: 1, pool: 30 });
    // Nearly what the generator makes: of noise, another z would have another mask, and objectives of different masks do not compare.
    const noise = randomFrom(8).normals(3 * 192);
    const unlike = float32(
      float32Data(images).map((v, i) => v + 0.05 * noise[i]),
      [3, 3, 8, 8],
    );
    const short = await runMethod(generator, method, runtime, unlike);
    expect(short.codes).toContain('stationary');
    const stages = method.stages.map(({ terminate: _, ...stage }) => stage);
    const long = await runMethod(generator, { ...method, stages }, runtime, unlike);
    expect(long.steps).toEqual([600, 600, 600]);
    short.codes.forEach((code, i) => {
      expect(short.steps[i] < 600).toBe(code !== 'step-limit');
      expect(short.history.loss[i].length).toBe(short.steps[i]);
      expect(short.loss[i]).toBeLessThan(long.loss[i] * 1.01);
    });
  });
});

test('several starts: the search of least loss is kept, whole', async () => {
  const method = rgi({ preset: 'paper', channels: 3, steps: 15, pool: 30 });
  const z = randomFrom(21);
  const starts = float32(z.normals(3 * 4 * 4), [12, 4]);
  const solver = createSolver(generator, withStarts(method, 4), runtime);
  await solver.init(images, masks, new Map([['z', starts]]));
  while (!solver.terminate()) await solver.step();
  const best = await solver.finish();
  await solver.dispose();
  for (let i = 0; i < 3; i++) {
    const alone = await Promise.all(
      [0, 1, 2, 3].map(async (j) => {
        const single = createSolver(generator, method, runtime);
        await single.init(rows(images, [i]), rows(masks, [i]), new Map([['z', rows(starts, [4 * i + j])]]));
        while (!single.terminate()) await single.step();
        const result = await single.finish();
        await single.dispose();
        return result;
      }),
    );
    const least = alone.reduce((a, b) => (b.loss[0] < a.loss[0] ? b : a));
    expect(best.loss[i]).toBeCloseTo(least.loss[0], 3);
    expectClose(rows(best.latents.get('z')!, [i]), least.latents.get('z')!, 1e-4, 'z');
    expectClose(rows(best.mask!, [i]), least.mask!, 1e-4, 'mask');
    expectClose(rows(best.image, [i]), least.image, 1e-4, 'image');
  }
});

describe('R-RGI', () => {
  const options = { channels: 3, steps: 12, pool: 30, weights: [WEIGHT] } as const;

  it('tunes weights for one image, and leaves the generator as it was', async () => {
    const before = float32Data(generator.graph.initializers.get(WEIGHT)!).slice();
    const method = rrgi({ ...options, preset: 'best', starts: 2, weightSteps: 5 });
    const first = await runMethod(generator, method, runtime, rows(images, [0]));
    const tuned = first.weights.get(WEIGHT)!;
    expect(tuned.data).not.toEqual(before);
    expect(generator.graph.initializers.get(WEIGHT)!.data).toEqual(before);
    await runMethod(generator, method, runtime, rows(images, [1]));
    const again = await runMethod(generator, method, runtime, rows(images, [0]));
    expect(again.weights.get(WEIGHT)!.data).toEqual(tuned.data);
  });

  it('holds the mask that RGI found while weights move: however far they move, the corruption is not learnt', async () => {
    const one = rows(images, [0]);
    const method = rrgi({ ...options, preset: 'best', steps: 200, weightSteps: 60, weightRate: 3e-3 });
    const { image, mask } = await runMethod(generator, method, runtime, one);
    const [made, x, m] = [image, one, mask!].map(float32Data);
    const plane = m.length;
    const error = (kept: boolean) => {
      let [sum, count] = [0, 0];
      made.forEach((v, i) => {
        if (m[i % plane] === (kept ? 0 : 1)) [sum, count] = [sum + (v - x[i]) ** 2, count + 1];
      });
      return Math.sqrt(sum / count);
    };
    expect(new Set(m)).toEqual(new Set([0, 1]));
    expect(error(true)).toBeLessThan(0.1 * error(false));
  });

  it('is refused for several images or searches that would share the weights', async () => {
    await expect(runMethod(generator, rrgi({ ...options, preset: 'paper' }), runtime, images)).rejects.toThrow(
      "The stage 'z, M and theta' of rrgi tunes the generator's weights, which belong to one image and one search: invert one image at a time (restoreImages does).",
    );
    expect(() => rrgi({ ...options, preset: 'paper', starts: 4 })).toThrow(
      "The preset 'paper' of rrgi tunes one set of weights from its first step, and supports one start only: leave out the starts, or use the preset 'best'.",
    );
  });

  it('moves only the groups that DGP has unlocked', async () => {
    const method = dgp({
      recipe: 'original',
      preset: 'paper',
      weightGroups: [[WEIGHT]],
      layers: [],
      steps: 5,
      unlocked: [0, 0, 0, 0, 0],
    });
    const frozen = await runMethod(generator, method, runtime, rows(images, [0]), rows(masks, [0]));
    expect(frozen.weights.get(WEIGHT)!.data).toEqual(generator.graph.initializers.get(WEIGHT)!.data);
  });
});

test('images, masks and starts of a wrong shape are refused', async () => {
  const method = yeh({ recipe: 'rgi', preset: 'paper', masked: true, steps: 2 });
  const solver = createSolver(generator, method, runtime);
  await expect(solver.init(zeros('float32', [1, 3, 4, 4]))).rejects.toThrow(
    'The images are [3, 4, 4] but the generator makes [3, 8, 8]: resize them first.',
  );
  await expect(solver.init(images)).rejects.toThrow(
    "The method 'yeh' needs the mask of the corrupted region: give --mask.",
  );
  await expect(solver.init(images, zeros('float32', [3, 8, 8]))).rejects.toThrow(
    'The mask is [3, 8, 8]; images of [3, 3, 8, 8] need [3, 1, 8, 8].',
  );
  await expect(solver.init(images, masks, new Map([['z', zeros('float32', [3, 5])]]))).rejects.toThrow(
    "The start of 'z' must be [3, 4]; it is [3, 5].",
  );
  await solver.dispose();
});
