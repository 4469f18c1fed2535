/**
 * A generator ready to be inverted: an image-making graph, the unknowns (inputs or any intermediate value, where the
 * graph is cut), the law they are drawn from, and the values of every other input.
 */

import { joinedRows, rows } from '../../arrays/rows.ts';
import { RgiError } from '../../errors.ts';
import { splitModel } from '../../onnx/encode.ts';
import type { Graph } from '../../onnx/graph.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import { withoutDeadCode } from '../../passes/dead-code.ts';
import { withFrozenDraws } from '../../passes/draws.ts';
import { retie } from '../../passes/tied.ts';
import { type Random, randomFrom } from '../../random.ts';
import { evaluatorOf, type Runtime } from '../../runtime/runtime.ts';
import { batchOf, cutAt, latentDims, withFixedInputs } from './inputs.ts';
import { drawLatent, LAW_MOMENTS, type LatentLaw, type Moments, momentsOf } from './latent-law.ts';
import type { NoiseModel } from './noise-model.ts';

export type { LatentLaw } from './latent-law.ts';

/** An unknown of a generator. */
export interface Latent {
  /** Name of the graph's input. */
  readonly name: string;
  /** Shape of one image's latent, without the batch axis. */
  readonly dims: readonly number[];
}

/**
 * A generator ready to be inverted: pictures in [-1,1], the shapes and the law of its latents known (`openGenerator`).
 */
export interface Generator {
  /** Maps the latents to `output`; every other input is a constant in it. */
  readonly graph: Graph;
  /** Name of the image output: float32 [N,C,H,W] in about [-1,1]. */
  readonly output: string;
  /** The unknowns, in the order of the graph's inputs. */
  readonly latents: readonly Latent[];
  /** Of each latent's numbers, by name: what their prior knows of them. */
  readonly moments: ReadonlyMap<string, Moments>;
  /** C of the output [N,C,H,W]. */
  readonly channels: number;
  /** H, in pixels. */
  readonly height: number;
  /** W, in pixels. */
  readonly width: number;
  /** The batch sizes it accepts: any, or the one baked into it. */
  readonly batch: number | 'any';
  /** Image to latent, of a generator that was trained beside one: gives one of several starts. */
  readonly encoder?: Graph;
  /** What it leaves out of good pictures, where its file says so. */
  readonly noise?: NoiseModel;
  /** Draws `count` sets of latents (each [count, ...dims]). */
  draw(count: number, random: Random): Promise<Map<string, Tensor>>;
  /** The latents as the network has them, where they are searched in other coordinates; see `style-space.ts`. */
  exported?(latents: ReadonlyMap<string, Tensor>): Map<string, Tensor>;
  /** The inverse of `exported`. */
  imported?(latents: ReadonlyMap<string, Tensor>): Map<string, Tensor>;
}

/** Options of `openGenerator` besides the graph; every field has a default. */
export interface GeneratorOptions {
  /** Names of the unknowns; default: the float inputs that are not fixed. */
  readonly latents?: readonly string[];
  /** The law of the latents; default 'normal', N(0,1). */
  readonly law?: LatentLaw;
  /** Values of other inputs, by name. */
  readonly fixed?: ReadonlyMap<string, Tensor>;
  /** Name of the picture output; default: the first. */
  readonly output?: string;
}

/** Describes `graph` (working opset, image output NCHW in [-1,1]) as a generator; runs it once to learn its shapes. */
export async function openGenerator(
  graph: Graph,
  runtime: Runtime,
  options: GeneratorOptions = {},
): Promise<Generator> {
  const { fixed = new Map<string, Tensor>(), latents: wanted, law = 'normal' } = options;
  // Copies that an exporter made of one weight are one variable again, so that R-RGI cannot tune them apart.
  const tied = retie(graph).graph;
  const open = withFixedInputs(tied, fixed, options.output);
  const batch = batchOf(open);
  const inputs = open.inputs.map((input) => ({ name: input.name, dims: latentDims(input) }));
  const source: Source = { inputs, law, batch };
  const probe = drawInputs(source, batch === 'any' ? 1 : batch, zeroRandom);
  // Noise that the model draws by itself is drawn once: G is one function in the starts, the steps and the pictures.
  const frozen = (from: Graph) => withFrozenDraws(from, probe, evaluatorOf(runtime, splitModel), batch === 'any');
  const whole = await frozen(open);
  const cut = wanted && cutAt(await frozen(withFixedInputs(tied, fixed, options.output, wanted[0])), wanted);
  const inner = cut?.inputs.map(({ name }) => name).filter((name) => !whole.inputs.some((i) => i.name === name)) ?? [];
  const values = await runOnce(runtime, withOutputs(whole, [open.outputs[0].name, ...inner]), probe);
  const facts = { ...pictureOf(open.outputs[0].name, values), batch };
  if (cut) return cutGenerator(cut, facts, { ...source, runtime, mapping: withOutputs(whole, inner) }, probe, values);
  return {
    ...facts,
    graph: whole,
    latents: inputs,
    moments: new Map(inputs.map(({ name }) => [name, LAW_MOMENTS[law]])),
    draw: async (count, random) => drawInputs(source, count, random),
  };
}

/** What is drawn, before any cut. */
interface Source {
  readonly inputs: readonly Latent[];
  readonly law: LatentLaw;
  readonly batch: number | 'any';
}

/** What inner values are drawn by: the part of the network before them. */
interface Mapped extends Source {
  readonly runtime: Runtime;
  readonly mapping: Graph;
}

function drawInputs({ inputs, law }: Source, count: number, random: Random): Map<string, Tensor> {
  return new Map(inputs.map(({ name, dims }) => [name, drawLatent([count, ...dims], law, random)]));
}

function withOutputs(graph: Graph, names: readonly string[]): Graph {
  const known = new Map(graph.outputs.map((output) => [output.name, output]));
  const outputs = names.map((name) => known.get(name) ?? { name, type: 'float32' as const, dims: [] });
  return withoutDeadCode({ ...graph, outputs });
}

/** The shape of the output, one picture at a time. */
function pictureOf(output: string, values: ReadonlyMap<string, Tensor>) {
  const image = values.get(output)!;
  if (image.type !== 'float32' || image.dims.length !== 4) {
    throw new RgiError(
      'model',
      `The generator's output '${output}' has shape [${image.dims.join(', ')}]; an image batch [N, C, H, W] is needed. Name another with --output-name.`,
      {},
      { details: { kind: 'shape', of: output, expected: ['N', 'C', 'H', 'W'], received: image.dims } },
    );
  }
  const [, channels, height, width] = image.dims;
  return { output, channels, height, width };
}

/** The generator from inner values on. Their law is that of the inputs, carried through the mapping. */
async function cutGenerator(
  cut: Graph,
  facts: Pick<Generator, 'output' | 'channels' | 'height' | 'width' | 'batch'>,
  mapped: Mapped,
  probe: ReadonlyMap<string, Tensor>,
  values: ReadonlyMap<string, Tensor>,
): Promise<Generator> {
  const { batch } = facts;
  const latents = cut.inputs.map(({ name }) => {
    const { dims } = probe.get(name) ?? values.get(name)!;
    if (dims[0] !== (batch === 'any' ? 1 : batch)) {
      throw new RgiError(
        'usage',
        `'${name}' of shape [${dims.join(', ')}] does not have one entry per image and cannot be the unknown.`,
      );
    }
    return { name, dims: dims.slice(1) };
  });
  const names = latents.map(({ name }) => name);
  const axis = batch === 'any' ? 'N' : batch;
  const sample = await drawMapped(mapped, names, SAMPLE, randomFrom(0));
  return {
    ...facts,
    graph: { ...cut, inputs: cut.inputs.map((input, i) => ({ ...input, dims: [axis, ...latents[i].dims] })) },
    latents,
    moments: new Map([...sample].map(([name, drawn]) => [name, momentsOf(drawn)])),
    draw: (count, random) => drawMapped(mapped, names, count, random),
  };
}

/** Inner values, [count, ...dims] each, by the mapping alone, a few at a time: those of a large network fill the memory. */
async function drawMapped(
  { mapping, runtime, ...source }: Mapped,
  names: readonly string[],
  count: number,
  random: Random,
): Promise<Map<string, Tensor>> {
  const { batch } = source;
  const parts: ReadonlyMap<string, Tensor>[] = [];
  const size = batch === 'any' ? MAPPED_TOGETHER : batch;
  // Of any batch all are drawn together, so that they do not depend on how they are parted.
  const all = batch === 'any' ? drawInputs(source, count, random) : undefined;
  const session = mapping.outputs.length > 0 ? await runtime.session(splitModel(mapping)) : undefined;
  const isRead = new Set(mapping.inputs.map(({ name }) => name));
  try {
    for (let from = 0; from < count; from += size) {
      const picked = Array.from({ length: Math.min(size, count - from) }, (_, i) => from + i);
      const inputs = all
        ? new Map([...all].map(([name, tensor]): [string, Tensor] => [name, rows(tensor, picked)]))
        : drawInputs(source, size, random);
      const read = new Map([...inputs].filter(([name]) => isRead.has(name)));
      parts.push(new Map([...((await session?.run(read)) ?? []), ...inputs]));
    }
  } finally {
    await session?.dispose();
  }
  const joinedOf = (name: string) =>
    joinedRows(
      parts.map((part) => part.get(name)!),
      count,
    );
  return new Map(names.map((name) => [name, joinedOf(name)]));
}

/** Draws that go through the mapping together. */
const MAPPED_TOGETHER = 32;

/** Draws from which the moments of an inner value are estimated. */
const SAMPLE = 64;

const zeroRandom: Random = {
  uniform: () => 0.5,
  normal: () => 0,
  integer: () => 0,
  sample: () => new Uint32Array(),
  normals: (count) => new Float32Array(count),
};

async function runOnce(
  runtime: Runtime,
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
): Promise<Map<string, Tensor>> {
  const session = await runtime.session(splitModel(graph));
  try {
    return await session.run(feeds);
  } finally {
    await session.dispose();
  }
}

/** Images that are made at a time where a pool of latents is looked through, at most. */
const POOL_BATCH = 25;
/** Their pixels together, and the weights of the network times their number: what is held of them while they are made. */
const POOL_PIXELS = POOL_BATCH * 128 ** 2;
const POOL_WEIGHTS = POOL_BATCH * 2 ** 23;

/** How many latents of a pool are looked at together. */
export function poolBatch({ batch, graph, height, width }: Generator): number {
  if (batch !== 'any') return batch;
  // Layers that modulate their weights (StyleGAN2) hold them for each image.
  const weights = [...graph.initializers.values()].reduce((sum, { data }) => sum + data.length, 0);
  const most = Math.min(POOL_BATCH, POOL_PIXELS / (height * width), POOL_WEIGHTS / Math.max(1, weights));
  return Math.max(1, Math.floor(most));
}
