/** Weights tuned by changes of low rank: the same function at the start, right gradients, and a change of that rank at the end. */
import { describe, expect, it } from 'vitest';
import { checkByDifferences } from '../../src/inspect/gradcheck.ts';
import { reuse } from '../../src/inversion/compile/reuse.ts';
import { STEP } from '../../src/inversion/compile/step-names.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { withLowRankChanges } from '../../src/inversion/generator/low-rank.ts';
import { weightChanges, withWeightChanges } from '../../src/inversion/generator/weight-changes.ts';
import { rrgi } from '../../src/inversion/methods/rrgi.ts';
import { runMethod } from '../../src/inversion/solve/driver.ts';
import { createSolver } from '../../src/inversion/solve/solver.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { float32, float32Data, type Tensor, zeros } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { expectClose } from '../support/close.ts';

const [DENSE, KERNEL, BIAS] = ['dense.weight', 'conv.weight', 'conv.bias'];
const WEIGHTS = [DENSE, KERNEL, BIAS];
const runtime = nodeRuntime({ threads: 1 });

/** A dense layer, upsampling, a convolution, tanh: [N, 6] to [N, 3, 8, 8]. */
function convolutional(): Graph {
  const random = randomFrom(2);
  const b = new GraphBuilder();
  const weight = (name: string, dims: readonly number[], scale: number) =>
    b.initializer(
      name,
      float32(
        random.normals(dims.reduce((a, d) => a * d, 1)).map((v) => v * scale),
        dims,
      ),
    );
  const dense = b.MatMul(b.reserve('z'), weight(DENSE, [6, 128], 0.4));
  const small = b.Reshape(dense, [-1, 8, 4, 4]);
  const large = b.Resize(small, [1, 1, 2, 2], {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  });
  const made = b.Conv(large, weight(KERNEL, [3, 8, 3, 3], 0.1), weight(BIAS, [3], 0.1), { pads: [1, 1, 1, 1] });
  b.node('Tanh', [made], {}, ['image']);
  return b.graph(
    'convolutional',
    [{ name: 'z', type: 'float32', dims: ['N', 6] }],
    [{ name: 'image', type: 'float32', dims: ['N', 3, 8, 8] }],
  );
}

const graph = convolutional();
const generator = await openGenerator(graph, runtime);
const latents = new Map([['z', float32(randomFrom(3).normals(6), [1, 6])]]);
const picture = float32(
  randomFrom(4)
    .normals(192)
    .map((v) => v / 3),
  [1, 3, 8, 8],
);
const noMask = zeros('float32', [1, 1, 8, 8]);

async function madeBy(changed: Graph, z: ReadonlyMap<string, Tensor> = latents): Promise<Tensor> {
  const session = await runtime.session(encodeModel(changed));
  const image = (await session.run(z)).get('image')!;
  await session.dispose();
  return image;
}

/** The tuning stage alone, nothing masked. */
function tuning(weightRank: number | undefined, weightSteps = 20) {
  const method = rrgi({ channels: 3, weights: WEIGHTS, weightRank, weightSteps, weightRate: 1e-3, masked: true });
  return { ...method, needsMask: true, stages: [{ ...method.stages.at(-1)!, freezesMask: false }] };
}

/** The states before and after the first step. */
async function firstStep(weightRank: number | undefined) {
  const solver = createSolver(generator, tuning(weightRank), runtime, { reuse: reuse() });
  await solver.init(picture, noMask, latents);
  const { tensors: before } = await solver.save();
  await solver.step();
  const { tensors: after } = await solver.save();
  await solver.dispose();
  return { before, after };
}

const valuesOf = (state: ReadonlyMap<string, Tensor>, name: string) => float32Data(state.get(name)!);

describe('a change of low rank', () => {
  it('is zero at the start, and of factors of each kernel and matrix; a bias is tuned itself', async () => {
    const changed = withLowRankChanges(graph, WEIGHTS, 2);
    expectClose(await madeBy(changed.graph), await madeBy(graph), 1e-6, 'G(z)');
    const shapes = [...changed.variables].map(([name, tuned]) => [
      name,
      ...tuned.map((each) => changed.graph.initializers.get(each)!.dims.join()),
    ]);
    expect(shapes).toEqual([
      [DENSE, '6,2', '2,128'],
      [KERNEL, '3,2', '2,72'],
      [BIAS, '3'],
    ]);
  });

  it('has factors whose gradients are those of central differences', async () => {
    const { graph: changed, variables } = withLowRankChanges(graph, WEIGHTS, 2);
    const random = randomFrom(6);
    const wrt = [...variables.values()].flat();
    const initializers = new Map([
      ...changed.initializers,
      ...wrt.map((name): [string, Tensor] => {
        const { dims, data } = changed.initializers.get(name)!;
        return [
          name,
          float32(
            random.normals(data.length).map((v) => v * 0.3),
            dims,
          ),
        ];
      }),
    ]);
    const { entries, passed } = await checkByDifferences({ ...changed, initializers }, runtime, {
      inputs: latents,
      wrt,
    });
    expect(passed, JSON.stringify(entries)).toBe(true);
    expect(new Set(entries.map(({ tensor }) => tensor))).toEqual(new Set(wrt));
  });

  it("has at first a gradient that is the weight's own, seen through the factor that is not zero", async () => {
    const [whole, factored] = [await firstStep(undefined), await firstStep(2)];
    for (const [name, rows, columns] of [
      [DENSE, 6, 128],
      [KERNEL, 3, 72],
    ] as const) {
      const left = valuesOf(factored.before, `rgi.left.${name}`);
      // Adam's first moment after one step is the gradient times one number.
      const own = valuesOf(whole.after, STEP.firstMoment(name));
      const seen = Float32Array.from({ length: 2 * columns }, (_, at) => {
        const [k, j] = [Math.floor(at / columns), at % columns];
        return Array.from({ length: rows }, (_, i) => left[i * 2 + k] * own[i * columns + j]).reduce(
          (a, c) => a + c,
          0,
        );
      });
      const moment = factored.after.get(STEP.firstMoment(`rgi.right.${name}`))!;
      expectClose(moment, float32(seen, [2, columns]), 1e-4, name);
    }
  });

  it('begins with a step as long as that of the weight itself, in the root mean square', async () => {
    const [whole, factored] = [await firstStep(undefined), await firstStep(2)];
    const changeOf = (state: ReadonlyMap<string, Tensor>, names: readonly string[]) =>
      weightChanges(generator, new Map(names.map((name) => [name, state.get(name)!]))).get(DENSE)!;
    const size = (change: Tensor) => Math.hypot(...float32Data(change)) / Math.sqrt(change.data.length);
    const own = size(changeOf(whole.after, [DENSE]));
    expect(size(changeOf(factored.after, [`rgi.left.${DENSE}`, `rgi.right.${DENSE}`])) / own).toBeCloseTo(1, 1);
  });

  it('is in the result the change of the weight, of that rank: with it the generator makes the picture that was found', async () => {
    const found = await runMethod(generator, tuning(1), runtime, picture, noMask, { latents });
    expect(found.tuning!.after).toBeLessThan(0.9 * found.tuning!.before);
    const changes = weightChanges(generator, found.weights);
    expect([...changes.keys()].sort()).toEqual([...WEIGHTS].sort());
    expectClose(await madeBy(withWeightChanges(graph, changes), found.latents), found.image, 1e-5, 'G(z)');
    const change = float32Data(changes.get(DENSE)!);
    const [most, at] = change.reduce(
      ([top, place], v, i) => (Math.abs(v) > top ? [Math.abs(v), i] : [top, place]),
      [0, 0],
    );
    expect(most).toBeGreaterThan(1e-3);
    const [row, column] = [Math.floor(at / 128), at % 128];
    const outer = change.map(
      (_, i) => (change[row * 128 + (i % 128)] * change[Math.floor(i / 128) * 128 + column]) / change[at],
    );
    expectClose(float32(change), float32(outer), 1e-4, 'an outer product');
  });

  it('of a rank that leaves nothing out is the weight itself, to the last bit', async () => {
    const [whole, full] = [undefined, 128].map((rank) =>
      runMethod(generator, tuning(rank), runtime, picture, noMask, { latents }),
    );
    expect((await full).image.data).toEqual((await whole).image.data);
    expect((await full).weights).toEqual((await whole).weights);
  });
});
