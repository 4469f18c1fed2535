/** What is found out about models, and generators of other layouts and ranges adapted to ours. */
import { describe, expect, it } from 'vitest';
import { adaptGenerator } from '../../src/inspect/adapt.ts';
import { inspectModel } from '../../src/inspect/inspect.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph, Model, ValueInfo } from '../../src/onnx/graph.ts';
import { readModel } from '../../src/onnx/read.ts';
import { float32, numbersOf, type Tensor } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { evaluate } from '../support/gradients.ts';
import { handmade, node } from '../support/protos.ts';
import { hasShared, sharedBytes, withShared } from '../support/shared.ts';

const random = randomFrom(11);
const z: ValueInfo = { name: 'z', type: 'float32', dims: ['N', 6] };

function modelOf(graph: Graph, metadata: Record<string, string> = {}): Model {
  return { graph, sourceOpset: 17, producer: 'test', metadata: new Map(Object.entries(metadata)), notes: [] };
}

/** A linear generator of 3x8x8 pictures, ended by `end`. */
function generator(end: (b: GraphBuilder, features: string) => string, inputs: readonly ValueInfo[] = [z]): Graph {
  const b = new GraphBuilder();
  for (const input of inputs) b.reserve(input.name);
  const w = b.initializer('w', float32(random.normals(6 * 192), [6, 192]));
  const features = b.node('Reshape', [b.MatMul('z', w), b.ints([-1, 3, 8, 8])])[0];
  const y = end(b, features);
  return b.graph('g', inputs, [{ name: y, type: 'float32', dims: [] }]);
}

const inspect = (graph: Graph, metadata: Record<string, string> = {}) =>
  inspectModel(modelOf(graph, metadata), evaluate);

describe('inspectModel', () => {
  it('tells the range by the last operator, else by samples, and the layout', async () => {
    const ends: Record<string, (b: GraphBuilder, x: string) => string> = {
      tanh: (b, x) => b.Tanh(x),
      sigmoid: (b, x) => b.Sigmoid(x),
      clip: (b, x) => b.Clip(x, b.scalar(0), b.scalar(255)),
      'sigmoid, NHWC': (b, x) => b.Transpose(b.Sigmoid(x), [0, 2, 3, 1]),
      'squared, 0..1': (b, x) => b.Div(b.Mul(x, x), b.Add(b.Mul(x, x), b.scalar(1))),
      '0..255 by its values': (b, x) => b.Mul(b.Add(b.Sin(x), b.scalar(1)), b.scalar(127)),
      'linear, large': (b, x) => b.Mul(x, b.scalar(9)),
    };
    const seen: Record<string, string> = {};
    for (const [name, end] of Object.entries(ends)) {
      const { image } = await inspect(generator(end));
      seen[name] = image
        ? `${image.layout} ${image.channels}x${image.height}x${image.width} ${image.range}, ${image.from}`
        : 'none';
    }
    expect(seen).toEqual({
      tanh: 'NCHW 3x8x8 -1..1, last operator',
      sigmoid: 'NCHW 3x8x8 0..1, last operator',
      clip: 'NCHW 3x8x8 0..255, last operator',
      'sigmoid, NHWC': 'NHWC 3x8x8 0..1, last operator',
      'squared, 0..1': 'NCHW 3x8x8 0..1, samples',
      '0..255 by its values': 'NCHW 3x8x8 0..255, samples',
      'linear, large': 'NCHW 3x8x8 unknown, samples',
    });
  });

  it('believes the metadata', async () => {
    const facts = await inspect(
      generator((b, x) => b.Add(x, b.scalar(0))),
      { 'rgi.latent': '{"input":"z","law":"uniform"}', 'rgi.image': '{"range":[0,255]}', 'rgi.role': '"generator"' },
    );
    expect(facts.latent).toEqual({ name: 'z', dims: [6], law: 'uniform', from: 'metadata' });
    expect(facts.image).toMatchObject({ range: '0..255', from: 'metadata' });
    expect(facts.role).toBe('generator');
  });

  it('tells whether images of a batch depend on each other', async () => {
    const coupled = await inspect(generator((b, x) => b.Sub(x, b.ReduceMean(x, [0]))));
    expect(coupled.batch).toEqual({ symbolic: true, accepted: [1, 2, 3], couplesImages: true });
    const fixed = await inspect(generator((b, x) => b.Tanh(x), [{ ...z, dims: [4, 6] }]));
    expect(fixed.batch).toEqual({ symbolic: false, accepted: [4], couplesImages: false });
  });

  it('other inputs: a single float is 1, the rest 0; the latent is the one that looks like it', async () => {
    const psi: ValueInfo = { name: 'truncation', type: 'float32', dims: [] };
    const label: ValueInfo = { name: 'label', type: 'int64', dims: ['N'] };
    const graph = generator((b, x) => b.Mul(x, 'truncation'), [psi, label, z]);
    const facts = await inspect(graph);
    expect(facts.latent?.name).toBe('z');
    expect(facts.image?.maximum).toBeGreaterThan(0);
  });

  it('lists what has no derivative, and says when nothing passes', async () => {
    const det = await inspect(
      generator((b, x) => b.node('Mul', [x, b.node('Det', [b.Slice(x, [0], [1], [1])])[0]])[0]),
    );
    expect(det.withoutDerivative).toMatchInlineSnapshot(`
      [
        {
          "message": "Det 'Det': the operator Det has no derivative rule, and the gradient must pass through it. Export the model with standard operators (PyTorch: torch.onnx.export, opset_version=17, model.eval()), or cut the graph after it with --latent.",
          "node": "Det",
          "operator": "Det",
        },
      ]
    `);
    const rounded = await inspect(generator((b, x) => b.node('Floor', [x])[0]));
    expect(rounded.withoutDerivative).toMatchInlineSnapshot(`
      [
        {
          "message": "Floor 'Floor': the derivative of Floor is zero everywhere, and no path from 'z' to 'Floor' avoids it. Export the model without it.",
        },
      ]
    `);
  });

  it('a model that does not run, draws, or has no latent says so', async () => {
    const mismatch = generator((b, x) => b.Add(x, b.initializer('wrong', float32(random.normals(5), [5]))));
    const failed = await inspect(mismatch);
    expect(failed.image).toBeUndefined();
    expect(failed.notes[0]).toMatch(/^The model could not be run: .*Add/);
    const draws = await inspect(generator((b, x) => b.Add(x, b.node('RandomNormalLike', [x])[0])));
    expect(draws.notes).toEqual([
      'The model draws random numbers (RandomNormalLike); one draw is used for a whole inversion.',
    ]);
    const none = readModel(
      handmade({
        nodes: [node('Cast', 'x', 'y', [{ name: 'to', type: 2, i: 1n }])],
        inputs: { x: { type: 7, dims: ['N'] } },
      }),
    );
    expect((await inspectModel(none, evaluate)).notes).toEqual([
      'The model has no float input, so it has no latent to search.',
    ]);
  });

  it.skipIf(!hasShared)(withShared('facts of an exported StyleGAN2'), async () => {
    const model = readModel(sharedBytes('fixtures', 'generators', 'stylegan2_fused.dynamo.onnx'));
    const facts = await inspectModel(model, evaluate);
    expect(facts).toMatchObject({
      opset: 20,
      latent: { name: 'z', dims: [64] },
      image: { layout: 'NCHW', channels: 3, height: 64, width: 64 },
      batch: { symbolic: false, accepted: [2], couplesImages: false },
      operators: { Conv: 18, ConvTranspose: 4, Gemm: 18 },
      withoutDerivative: [],
    });
  });

  it.skipIf(!hasShared)(withShared("a discriminator's minibatch statistic couples its images"), async () => {
    const facts = await inspectModel(
      readModel(sharedBytes('fixtures', 'generators', 'discriminator.dynamo.onnx')),
      evaluate,
    );
    expect(facts.batch?.couplesImages).toBe(true);
    expect(facts.notes).toMatchInlineSnapshot(`
      [
        "The input 'image' takes pictures and no output is a picture: this is a discriminator or an encoder, not a generator.",
      ]
    `);
  });
});

describe('adaptGenerator', () => {
  const ours = generator((b, x) => b.Tanh(x));
  const feeds = new Map([['z', float32(random.normals(12), [2, 6])]]);
  const run = async (graph: Graph): Promise<Tensor> =>
    (await evaluate(graph, feeds, [graph.outputs[0].name])).get(graph.outputs[0].name)!;

  /** The same picture in another layout and range. */
  const foreign = (scale: number, shift: number, nhwc: boolean): Graph => {
    const b = new GraphBuilder(ours);
    let value = b.Add(b.Mul(ours.outputs[0].name, b.scalar(scale)), b.scalar(shift));
    if (nhwc) value = b.Transpose(value, [0, 2, 3, 1]);
    return b.graph('foreign', ours.inputs, [{ name: value, type: 'float32', dims: [] }]);
  };

  it.each([
    ['0..1, NCHW', 0.5, 0.5, false],
    ['0..1, NHWC', 0.5, 0.5, true],
    ['0..255, NHWC', 127.5, 127.5, true],
    ['-1..1, NHWC', 1, 0, true],
  ] as const)(
    '%s',
    async (name, scale, shift, nhwc) => {
      const model = modelOf(foreign(scale, shift, nhwc));
      const { image } = await inspectModel(model, evaluate);
      expect(`${image?.range}, ${image?.layout}`).toBe(name);
      const adapted = adaptGenerator(model, image!);
      const [expected, actual] = [await run(ours), await run(adapted.graph)];
      expect(actual.dims).toEqual(expected.dims);
      numbersOf(expected).forEach((v, i) => {
        expect(numbersOf(actual)[i]).toBeCloseTo(v, 5);
      });
      expect(adapted.notes).toHaveLength((nhwc ? 1 : 0) + (scale === 1 ? 0 : 1));
    },
    20_000,
  );

  it('what is right already is left alone', async () => {
    const model = modelOf(ours);
    const { image } = await inspectModel(model, evaluate);
    expect(adaptGenerator(model, image!)).toEqual(model);
  });

  it('says what it did', () => {
    const image = {
      output: ours.outputs[0].name,
      layout: 'NHWC',
      range: '0..255',
      channels: 3,
      height: 8,
      width: 8,
    } as const;
    expect(adaptGenerator(modelOf(ours), image).notes).toMatchInlineSnapshot(`
      [
        "The output 'Tanh' is [N, H, W, C]: it was transposed to [N, C, H, W].",
        "The output 'Tanh' is in 0..255: it was mapped to -1..1.",
      ]
    `);
  });
});
