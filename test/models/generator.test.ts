/** Opening generators from their bytes: unusual forms are adapted and said, unsuitable models refused with the remedy. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { messageOf } from '../../src/errors.ts';
import { type OpeningOptions, openGeneratorBytes } from '../../src/models/generator.ts';
import { openGeneratorFile } from '../../src/models/node/networks.ts';
import { GraphBuilder, type Value } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import type { ValueInfo } from '../../src/onnx/graph.ts';
import { type ElementType, float32, numbersOf, type Tensor, tensorOf, zeros } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { needs } from '../support/needs.ts';
import { sharedPath } from '../support/shared.ts';

const runtime = nodeRuntime();
const SIDE = 8;
const LATENT: ValueInfo = { name: 'z', type: 'float32', dims: ['N', 4] };
const LAW = 'The file does not state the distribution of its latents; N(0,1) is assumed (--latent-law).';

interface Made {
  readonly inputs?: readonly ValueInfo[];
  /** From 3 * 8 * 8 linear values of z, [N, 192], to the outputs. */
  readonly end: (b: GraphBuilder, flat: Value) => Value | readonly Value[];
  readonly type?: ElementType;
  readonly weight?: (values: Float32Array) => Float32Array;
}

/** A linear generator and its last operators, as the bytes of a file. */
function bytesOf({ inputs = [LATENT], end, type = 'float32', weight = (values) => values }: Made): Uint8Array {
  const b = new GraphBuilder();
  for (const input of inputs) b.reserve(input.name);
  const w = b.initializer(
    'w',
    float32(
      weight(
        randomFrom(5)
          .normals(4 * 192)
          .map((v) => 0.4 * v),
      ),
      [4, 192],
    ),
  );
  const made = end(b, b.MatMul(inputs[0].name, w));
  const outputs = (typeof made === 'string' ? [made] : made).map((name) => ({ name, type, dims: [] }));
  return encodeModel(b.graph('g', inputs, outputs), undefined);
}

const open = (made: Made, options: OpeningOptions = {}) => openGeneratorBytes(bytesOf(made), runtime, options);

const refusal = async (made: Made, options: OpeningOptions = {}) => {
  try {
    await open(made, options);
    return 'opened';
  } catch (error) {
    return messageOf(error);
  }
};

/** What the opened generator makes of a latent, whatever its form was. */
async function pictureOf(made: Made, options: OpeningOptions = {}): Promise<Tensor> {
  const { generator } = await open(made, options);
  const z = float32([0.3, -0.2, 0.9, 0.1], [1, 4]);
  const session = await runtime.session(encodeModel(generator.graph));
  return (await session.run(new Map([[generator.latents[0].name, z]]))).get(generator.output)!;
}

const pictures = (b: GraphBuilder, flat: Value) => b.Reshape(flat, [-1, 3, SIDE, SIDE]);
const usual: Made = { end: (b, flat) => b.Tanh(pictures(b, flat)) };

async function expectSame(made: Made, options: OpeningOptions = {}, tolerance = 1e-5): Promise<void> {
  const [expected, actual] = [await pictureOf(usual), await pictureOf(made, options)];
  expect(actual.dims).toEqual([1, 3, SIDE, SIDE]);
  const other = numbersOf(actual);
  const worst = Math.max(...numbersOf(expected).map((v, i) => Math.abs(v - other[i])));
  expect(worst).toBeLessThan(tolerance);
}

describe('further float inputs', () => {
  const noise: ValueInfo = { name: 'noise', type: 'float32', dims: ['N', 3, SIDE, SIDE] };
  const noisy: Made = {
    inputs: [LATENT, noise],
    end: (b, flat) => b.Tanh(b.Add(pictures(b, flat), b.Mul('noise', b.scalar(0.1)))),
  };

  it('are asked for', async () => {
    expect(await refusal(noisy)).toBe(
      "The model: beside the latent 'z' it takes 'noise' [N, 3, 8, 8]: give its value with --input (noise=0, or noise=FILE.npy), or search all of them with --latent z,noise.",
    );
  });

  it('are fixed, or unknowns, as was said', async () => {
    const fixed = await open(noisy, { inputs: new Map([['noise', zeros('float32', [1, 3, SIDE, SIDE])]]) });
    expect(fixed.generator.latents.map(({ name }) => name)).toEqual(['z']);
    const both = await open(noisy, { latents: ['z', 'noise'] });
    expect(both.generator.latents.map(({ name }) => name)).toEqual(['z', 'noise']);
  });
});

describe('the value range', () => {
  const scaled = (scale: number, shift = 0): Made => ({
    end: (b, flat) => b.Add(b.Mul(b.Sin(pictures(b, flat)), b.scalar(scale)), b.scalar(shift)),
  });

  it('that fits none is refused, and taken where it is said', async () => {
    expect(await refusal(scaled(15))).toMatch(
      /^The model: the values of its output 'Add' run from -1\d\.\d\d to 1\d\.\d\d at random latents, which is none of -1\.\.1, 0\.\.1 and 0\.\.255\. If it ends in logits, export it with its last Sigmoid or Tanh; else say its range with --range\.$/,
    );
    expect((await open(scaled(15), { range: '0..255' })).facts.image?.range).toBe('0..255');
  });

  it('that is guessed from values beyond it, or from few, is doubted aloud', async () => {
    const doubts = async (made: Made) => (await open(made)).notes.filter((note) => note.includes('doubtful'));
    expect(await doubts(scaled(1))).toEqual([]);
    expect(await doubts(scaled(127, 127.5))).toEqual([]);
    expect(await doubts(scaled(2.5))).toEqual([
      expect.stringMatching(
        /^The output 'Add' is taken for -1\.\.1, which is doubtful: -2\.\d\d to 2\.\d\d was seen\. Say its range with --range\.$/,
      ),
    ]);
    expect(await doubts(scaled(0.01))).toEqual([expect.stringMatching(/is taken for -1\.\.1, which is doubtful/)]);
    // A tanh says it: however faint its pictures are.
    expect(await doubts({ end: (b, flat) => b.Tanh(b.Mul(pictures(b, flat), b.scalar(0.01))) })).toEqual([]);
  });
});

describe('other forms of the output', () => {
  it('flat pictures: their shape is asked for, and given', async () => {
    const flat: Made = { end: (b, values) => b.Tanh(values) };
    expect(await refusal(flat)).toBe(
      "The model: No output looks like a batch of pictures ([N, C, H, W] or [N, H, W, C] with 1 to 4 channels); it is 'Tanh' [N, 192]. If it holds pictures, give their shape, as in --shape 3,8,8.",
    );
    expect(await refusal(flat, { shape: [3, 9, 9] })).toBe(
      "The model: No output holds 243 values for each picture (3 x 9 x 9); it is 'Tanh' [N, 192].",
    );
    await expectSame(flat, { shape: [3, SIDE, SIDE] });
  });

  it('without a batch axis: one picture at a time', async () => {
    const single: Made = { end: (b, flat) => b.Gather(b.Tanh(pictures(b, flat)), b.int(0), 0) };
    const { generator, notes } = await open(single);
    expect(generator.batch).toBe(1);
    expect(notes).toEqual([
      "The output 'Gather' is [C, H, W]: it was taken for a single picture, [1, C, H, W], and one is made at a time.",
      LAW,
    ]);
    await expectSame(single);
    await expectSame({ end: (b, flat) => b.Transpose(single.end(b, flat) as Value, [1, 2, 0]) });
  });

  it('without a channel axis: grey pictures', async () => {
    const grey: Made = { end: (b, flat) => b.Tanh(b.Slice(b.Reshape(flat, [-1, 24, SIDE]), [0], [SIDE], [1])) };
    const { generator, notes } = await open(grey);
    expect([generator.channels, generator.height, generator.width, generator.batch]).toEqual([1, 8, 8, 'any']);
    expect(notes[0]).toBe("The output 'Tanh' is [N, H, W]: it was taken for grey pictures, [N, 1, H, W].");
  });

  it('a latent without a batch axis', async () => {
    const row: Made = {
      inputs: [{ ...LATENT, dims: [4] }],
      end: (b, flat) => b.Tanh(b.Reshape(flat, [1, 3, SIDE, SIDE])),
    };
    expect((await open(row)).notes[0]).toBe("The latent 'z' [4] has no batch axis: one picture is made at a time.");
    await expectSame(row);
  });

  it('whole numbers: the last rounding is left out', async () => {
    const bytes: Made = {
      type: 'uint8',
      end: (b, flat) => {
        const grey = b.Mul(b.Add(b.Tanh(pictures(b, flat)), b.scalar(1)), b.scalar(127.5));
        return b.Transpose(
          b.Cast(b.Clip(b.node('Round', [grey])[0], b.scalar(0), b.scalar(255)), 'uint8'),
          [0, 2, 3, 1],
        );
      },
    };
    const { notes, facts } = await open(bytes);
    expect(facts.withoutDerivative).toEqual([]);
    expect(notes.slice(0, 2)).toEqual([
      "The output 'Transpose' is uint8: its last rounding (Round, Cast) is left out, so that a gradient passes.",
      "The output 'Transpose' is [N, H, W, C]: it was transposed to [N, C, H, W].",
    ]);
    await expectSame(bytes);
  });

  it('of several pictures the largest, and it is said', async () => {
    const pyramid: Made = {
      end: (b, flat) => {
        const large = b.node('Tanh', [pictures(b, flat)], {}, ['large'])[0];
        return [b.node('MaxPool', [large], { kernel_shape: [2, 2] }, ['small'])[0], large];
      },
    };
    const small: Made = { ...pyramid, end: (b, flat) => [...(pyramid.end(b, flat) as Value[])].reverse() };
    for (const made of [pyramid, small]) {
      // 4 x 4 is no picture: 5 pixels and more are.
      const { generator } = await open(made);
      expect([generator.height, generator.width]).toEqual([8, 8]);
    }
    const cropped: Made = {
      end: (b, flat) => {
        const large = b.node('Tanh', [pictures(b, flat)], {}, ['large'])[0];
        return [b.node('Slice', [large, b.ints([0]), b.ints([5]), b.ints([2])], {}, ['part'])[0], large];
      },
    };
    expect((await open(cropped)).notes[0]).toBe(
      "Of the outputs that are pictures, 'part' (5 x 8), 'large' (8 x 8), the largest is taken: 'large' (--output-name).",
    );
    expect((await open(cropped, { output: 'part' })).generator.height).toBe(5);
  });
});

describe('no gradient', () => {
  it.each([
    ['Round', (b: GraphBuilder, x: Value) => b.node('Round', [x])[0], "Round 'Round': the derivative of Round is"],
    [
      'Cast',
      (b: GraphBuilder, x: Value) => b.Cast(b.Cast(x, 'int32'), 'float32'),
      "Cast 'Cast': the derivative of Cast to int32 is",
    ],
    [
      'QuantizeLinear',
      (b: GraphBuilder, x: Value) => {
        const zero = b.initializer('zero', tensorOf('uint8', [128], []));
        const q = b.node('QuantizeLinear', [x, b.scalar(0.02), zero])[0];
        return b.node('DequantizeLinear', [q, b.scalar(0.02), zero])[0];
      },
      "QuantizeLinear 'QuantizeLinear': the derivative of QuantizeLinear is",
    ],
    [
      'Greater',
      (b: GraphBuilder, x: Value) => b.Where(b.node('Greater', [x, b.scalar(0)])[0], b.scalar(1), b.scalar(-1)),
      "Greater 'Greater': the derivative of Greater is",
    ],
  ] as const)('through %s, which is named', async (_, step, sentence) => {
    const made: Made = {
      end: (b, flat) => b.Tanh(b.Mul(step(b, b.Mul(pictures(b, flat), b.scalar(20))), b.scalar(0.05))),
    };
    expect(await refusal(made)).toBe(
      `The model: ${sentence} zero everywhere, and no path from 'z' to 'Tanh' avoids it. Export the model without it.`,
    );
    expect(await refusal(made, { latents: ['z'] })).toBe(await refusal(made));
  });

  it('is no matter where another path leads around', async () => {
    const made: Made = {
      end: (b, flat) => b.Tanh(b.Add(pictures(b, flat), b.Mul(b.node('Round', [pictures(b, flat)])[0], b.scalar(0.1)))),
    };
    expect((await open(made)).facts.withoutDerivative).toEqual([]);
  });
});

describe('what is no generator', () => {
  const encoded = (b: GraphBuilder): Value => {
    const code = b.MatMul(
      b.node('Flatten', ['x'])[0],
      b.initializer('e', float32(randomFrom(2).normals(768), [192, 4])),
    );
    return b.Tanh(pictures(b, b.MatMul(code, 'w')));
  };
  it('a network from pictures to pictures', async () => {
    const b = new GraphBuilder();
    b.reserve('x');
    b.initializer('w', float32(randomFrom(5).normals(768), [4, 192]));
    const y = encoded(b);
    const bytes = encodeModel(
      b.graph(
        'g',
        [{ name: 'x', type: 'float32', dims: ['N', 3, SIDE, SIDE] }],
        [{ name: y, type: 'float32', dims: [] }],
      ),
    );
    await expect(openGeneratorBytes(bytes, runtime)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[RgiError: The model: its input 'x' [3, 8, 8] is a picture, as is its output 'Tanh': a network from pictures to pictures is not a generator. If a part of it is one, such as an autoencoder's decoder, name the value that the part begins with (--latent; 'rgi inspect' lists them); if 'x' is a latent, say so with --latent x.]`,
    );
    const { generator } = await openGeneratorBytes(bytes, runtime, { latents: ['MatMul'] });
    expect(generator.latents).toEqual([{ name: 'MatMul', dims: [4] }]);
  });

  it('weights with NaN, or infinite ones, are found at opening', async () => {
    const broken = (value: number): Made => ({ ...usual, weight: (values) => values.fill(value, 7, 9) });
    expect(await refusal(broken(Number.NaN))).toBe(
      "The model: 2 of the 768 values of the weight 'w' are NaN: its training diverged, or the file is damaged. Export it from an earlier state.",
    );
    expect(await refusal(broken(Number.NEGATIVE_INFINITY))).toBe(
      "The model: 2 of the 768 values of the weight 'w' are infinite: its training diverged, or the file is damaged. Export it from an earlier state.",
    );
    expect(await refusal({ end: (b, flat) => b.Log(b.Tanh(pictures(b, flat))) })).toBe(
      'The model: its pictures hold values that are not finite (NaN or infinite) at random latents. Export it again, in float32 and from a training that did not diverge.',
    );
  });

  it('a latent of an open size: it is asked for', async () => {
    const openSize: Made = { ...usual, inputs: [{ ...LATENT, dims: ['n', 'size'] }] };
    expect(await refusal(openSize)).toBe(
      "The model: the size of its latent 'z' [n, size] is open ('size'): give it, as in --latent-shape 128.",
    );
    expect((await open(openSize, { latentShape: [4] })).generator.latents).toEqual([{ name: 'z', dims: [4] }]);
    expect(await refusal(usual, { latentShape: [5] })).toBe(
      "The model: --latent-shape 5 does not fit: its latent 'z' is [N, 4].",
    );
  });

  it('the reason is that of one picture, or of the declared batch size, not of the last size that was tried', async () => {
    // Rows that are not there: the reshape before it fails at the other batch sizes already.
    const failing = (rows: number, batch: string | number): Made => ({
      inputs: [{ ...LATENT, dims: [batch, 4] }],
      end: (b, flat) => b.Gather(b.Reshape(flat, [rows, 3, SIDE, SIDE]), b.ints([99]), 0),
    });
    expect(await refusal(failing(1, 'N'))).toMatch(/^The model: The model could not be run: .* at Gather 'Gather'/);
    expect(await refusal(failing(2, 2))).toMatch(/^The model: The model could not be run: .* at Gather 'Gather'/);
  });
});

const cases = sharedPath('cases', 'onnx');
describe.skipIf(!existsSync(cases))(
  needs(existsSync(cases), 'skipped: no field test beside the repository', 'the files of the field test'),
  () => {
    const outcome = async (name: string, flags = {}) => {
      try {
        const { generator } = await openGeneratorFile(runtime, {
          generator: sharedPath('cases', 'onnx', `${name}.onnx`),
          ...flags,
        });
        return `${generator.channels} x ${generator.height} x ${generator.width}, batch ${generator.batch}`;
      } catch (error) {
        return messageOf(error)
          .replace(/^.*\.onnx: /, '')
          .replace(/^(.{48}).*$/, '$1...');
      }
    };
    it('are opened, or refused for what is wrong', async () => {
      const names = [
        'autoenc',
        'flat784',
        'h_dqw',
        'h_logits',
        'h_nan',
        'h_qdq',
        'h_unk',
        'hw28',
        'multires',
        'nobatch',
        'noisein',
        'round',
        'uint8',
        'vaesample',
      ];
      const outcomes: Record<string, string> = {};
      for (const name of names) outcomes[name] = await outcome(name);
      outcomes['flat784 --shape'] = await outcome('flat784', { shape: [1, 28, 28] });
      outcomes['h_unk --latent-shape'] = await outcome('h_unk', { latentShape: [8] });
      outcomes['noisein --input'] = await outcome('noisein', { input: ['noise=0'] });
      expect(outcomes).toMatchInlineSnapshot(`
        {
          "autoenc": "its input 'x' [3, 16, 16] is a picture, as is it...",
          "flat784": "No output looks like a batch of pictures ([N, C,...",
          "flat784 --shape": "1 x 28 x 28, batch any",
          "h_dqw": "3 x 16 x 16, batch any",
          "h_logits": "the values of its output 'y' run from -14.45 to ...",
          "h_nan": "1 of the 6144 values of the weight 'W' are NaN: ...",
          "h_qdq": "QuantizeLinear 'quant': the derivative of Quanti...",
          "h_unk": "the size of its latent 'z' [unk__1, unk__2] is o...",
          "h_unk --latent-shape": "3 x 16 x 16, batch any",
          "hw28": "1 x 28 x 28, batch any",
          "multires": "3 x 16 x 16, batch any",
          "nobatch": "3 x 16 x 16, batch 1",
          "noisein": "beside the latent 'z' it takes 'noise' [N, 1, 16...",
          "noisein --input": "3 x 16 x 16, batch any",
          "round": "Round '/Round': the derivative of Round is zero ...",
          "uint8": "3 x 16 x 16, batch any",
          "vaesample": "its input 'x' [3, 16, 16] is a picture, as is it...",
        }
      `);
    });
  },
);
