/** The steps in which R-RGI tunes the generator's weights: bounded by the loss, and never for the worse. */
import { describe, expect, it } from 'vitest';
import { reuse } from '../../src/inversion/compile/reuse.ts';
import { compileStep } from '../../src/inversion/compile/step.ts';
import { STEP } from '../../src/inversion/compile/step-names.ts';
import { type Generator, openGenerator } from '../../src/inversion/generator/generator.ts';
import { weightChanges, withWeightChanges } from '../../src/inversion/generator/weight-changes.ts';
import { stalled } from '../../src/inversion/methods/continuation.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { type RrgiOptions, rrgi } from '../../src/inversion/methods/rrgi.ts';
import { runMethod } from '../../src/inversion/solve/driver.ts';
import { restoreImages } from '../../src/inversion/solve/restore.ts';
import { createSolver, type Inversion } from '../../src/inversion/solve/solver.ts';
import type { Method } from '../../src/inversion/spec/method.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data, type Tensor } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { evaluatorOf } from '../../src/runtime/runtime.ts';
import { expectClose } from '../support/close.ts';
import { tinyGenerator } from '../support/tiny.ts';

const WEIGHT = 'layer.weight';
const runtime = nodeRuntime({ threads: 1 });
const generator = await openGenerator(tinyGenerator(), runtime);
const options: RrgiOptions = { channels: 3, weights: [WEIGHT], masked: true, pool: 30, starts: 2 };

const search = rgi({ channels: 3, masked: true, pool: 30, starts: 2 });
const tuned = rrgi(options);

const isCorrupted = (i: number) => i % 8 < 4 && Math.floor(i / 8) % 8 < 4;
const mask = float32(
  Float32Array.from({ length: 64 }, (_, i) => Number(isCorrupted(i))),
  [1, 1, 8, 8],
);

async function madeBy({ graph, output }: Pick<Generator, 'graph' | 'output'>, latents: ReadonlyMap<string, Tensor>) {
  const session = await runtime.session(encodeModel(graph));
  const made = (await session.run(latents)).get(output)!;
  await session.dispose();
  return float32(float32Data(made), made.dims);
}

/** The sum of squared residuals of what the mask keeps. */
function keptLoss(x: Tensor, y: Tensor): number {
  const [a, b] = [x, y].map(float32Data);
  return a.reduce((sum, v, i) => sum + (mask.data[i % 64] ? 0 : (v - b[i]) ** 2), 0);
}

const exact = await madeBy(generator, await generator.draw(1, randomFrom(77)));
const noise = randomFrom(5).normals(exact.data.length);
/** Details that no latent makes. */
const detailed = float32(
  exact.data.map((v, i) => v + 0.1 * noise[i]),
  exact.dims,
);

const run = (image: Tensor, method: Method): Promise<Inversion> => runMethod(generator, method, runtime, image, mask);

/** The last stage with another formulation. */
function changed(method: Method, change: Partial<Method['stages'][number]['formulation']>): Method {
  const last = method.stages[method.stages.length - 1];
  return {
    ...method,
    stages: [...method.stages.slice(0, -1), { ...last, formulation: { ...last.formulation, ...change } }],
  };
}

describe('the best state is the result', () => {
  it('its L_rec, by the returned latents and weights, is the least, and below that of the search before', async () => {
    const { tuning, latents, weights, image } = await run(detailed, tuned);
    const own = { ...generator, graph: withWeightChanges(generator.graph, weightChanges(generator, weights)) };
    expectClose(await madeBy(own, latents), image, 1e-5, 'G(z) by the tuned weights');
    expect(tuning!.after).toBeCloseTo(keptLoss(detailed, image), 4);
    const before = await run(detailed, search);
    expect(tuning!.before).toBeCloseTo(keptLoss(detailed, before.image), 4);
    expect(tuning!.after).toBeLessThan(0.95 * tuning!.before);
  });

  it('where every step makes it worse, the result is that of the search before, and says so', async () => {
    const reckless = changed(rrgi({ ...options, weightRate: 1e3 }), { maxPredictedFall: undefined });
    const [discarded, before] = [await run(detailed, reckless), await run(detailed, search)];
    expect(discarded.tuning!.after).toBe(discarded.tuning!.before);
    expect(discarded.weights.get(WEIGHT)!.data).toEqual(generator.graph.initializers.get(WEIGHT)!.data);
    expectClose(discarded.image, before.image, 1e-5, 'G(z)');
    expect(discarded.latents).toEqual(before.latents);
    const job = { generator, images: detailed, masks: mask };
    for await (const { tuning, gradientNorm } of restoreImages({ ...job, method: reckless }, runtime)) {
      expect(tuning?.kept).toBe(false);
      for await (const settled of restoreImages({ ...job, method: search }, runtime))
        expect(gradientNorm).toBe(settled.gradientNorm);
    }
  });

  it('also of a weight that is a single number', async () => {
    const b = new GraphBuilder();
    const gain = b.initializer('gain', float32([0.9], []));
    const z = b.reserve('z');
    b.node(
      'Reshape',
      [b.Mul(b.MatMul(z, b.initializer('w', float32(noise, [3, 64]))), gain), b.ints([-1, 1, 8, 8])],
      {},
      ['image'],
    );
    const inputs = [{ name: 'z', type: 'float32' as const, dims: ['N', 3] }];
    const graph = b.graph('g', inputs, [{ name: 'image', type: 'float32', dims: ['N', 1, 8, 8] }]);
    const image = float32(
      noise.slice(100, 164).map((v) => v / 3),
      [1, 1, 8, 8],
    );
    const small = await openGenerator(graph, runtime);
    const { weights } = await runMethod(
      small,
      rrgi({ ...options, channels: 1, weights: ['gain'] }),
      runtime,
      image,
      mask,
    );
    expect(weights.get('gain')!.dims).toEqual([]);
  });

  it('without the rule the last state is, as in the papers', async () => {
    const { tuning, weights } = await run(
      detailed,
      changed(rrgi({ ...options, weightRate: 1e3 }), { maxPredictedFall: undefined, keepsBest: undefined }),
    );
    expect(tuning).toBeUndefined();
    expect(weights.get(WEIGHT)!.data).not.toEqual(generator.graph.initializers.get(WEIGHT)!.data);
  });
});

it.each([
  [
    2,
    {},
    'A formulation with steps bounded by the loss and a best state that is kept is for one search at a time, not 2.',
  ],
  [
    1,
    { optimiser: { kind: 'lbfgs', memory: 3 } } as const,
    'L-BFGS cannot be combined with steps bounded by the loss and a best state that is kept and tuned weights: use Adam in this formulation.',
  ],
])('%i searches by such a formulation with %j are refused', async (batch, change, message) => {
  const { formulation } = tuned.stages[tuned.stages.length - 1];
  const evaluate = evaluatorOf(runtime, encodeModel);
  await expect(compileStep(generator, { ...formulation, ...change }, batch, evaluate)).rejects.toThrow(message);
});

describe('steps follow the loss', () => {
  it('an exact fit stays one, at any rate', async () => {
    for (const weightRate of [1e-4, 1e-2]) {
      const [exactly, before] = [await run(exact, rrgi({ ...options, weightRate })), await run(exact, search)];
      for (const { image } of [exactly, before]) expect(keptLoss(exact, image)).toBeLessThan(1e-9);
    }
  });

  it('the slope along a step predicts a fall of at most as many times L_rec as are allowed', async () => {
    for (const maxPredictedFall of [0.1, 2]) {
      const method = changed(rrgi({ ...options, weightRate: 10, weightSteps: 1 }), {
        maxPredictedFall,
        keepsBest: false,
        priors: [],
      });
      const last = method.stages.length - 1;
      const solver = createSolver(generator, method, runtime, { reuse: reuse() });
      await solver.init(detailed, mask);
      for (let stage = 0; stage < last; stage++) {
        while (!solver.terminate()) await solver.step();
        await solver.advance();
      }
      const [from, { fidelity }, to] = [await solver.save(), await solver.step(), await solver.save()];
      await solver.dispose();
      const at = async (share: number) => {
        const between = (name: string) =>
          float32Data(from.tensors.get(name)!).map((v, i) => v + share * (float32Data(to.tensors.get(name)!)[i] - v));
        const graph = {
          ...generator.graph,
          initializers: new Map([
            ...generator.graph.initializers,
            [WEIGHT, float32(between(WEIGHT), from.tensors.get(WEIGHT)!.dims)],
          ]),
        };
        const z = float32(between('z'), from.tensors.get('z')!.dims);
        return keptLoss(detailed, await madeBy({ ...generator, graph }, new Map([['z', z]])));
      };
      const h = 1e-3;
      const fall = ((await at(-h)) - (await at(h))) / (2 * h);
      expect(fall / fidelity[0]).toBeCloseTo(maxPredictedFall, 1);
    }
  });

  it('saved states hold the best one, too', async () => {
    const solver = createSolver(generator, tuned, runtime);
    await solver.init(detailed, mask);
    do while (!solver.terminate()) await solver.step();
    while (await solver.advance());
    const { tensors } = await solver.save();
    await solver.dispose();
    const [before, after] = float32Data(tensors.get(STEP.bestFidelity)!);
    expect(after).toBeLessThan(before);
    expect(tensors.get(STEP.best(WEIGHT))!.dims).toEqual(tensors.get(WEIGHT)!.dims);
  });
});

it('tuning ends where its best loss has not fallen by a share of the misfit within a number of steps, whatever happens between', () => {
  const rule = { minFall: 0.01, fallSteps: 3 };
  const ended = (loss: number[]) => stalled({ step: loss.length, loss, fidelity: 1 }, rule);
  expect([ended([5, 4, 3]), ended([5, 9, 9, 4]), ended([5, 9, 9, 4.995])]).toEqual([undefined, undefined, 'converged']);
  expect(ended([5, 4, 9, 9, 9])).toBe('converged');
});

it('nothing is kept or bounded with the presets of the papers', () => {
  const { stages } = rrgi({ preset: 'paper', channels: 3, weights: [WEIGHT] });
  for (const { formulation } of stages)
    expect([formulation.maxPredictedFall, formulation.keepsBest]).toEqual([undefined, undefined]);
});
