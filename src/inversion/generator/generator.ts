/**
 * A generator ready to be inverted: an image-making graph, the unknowns (inputs or any intermediate value, where the
 * graph is cut), the law they are drawn from, and the values of every other input.
 */
import { nameError, RgiError } from '../../errors.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import { encodeModel } from '../../onnx/encode.ts';
import { type Graph, producersOf, type ValueInfo } from '../../onnx/graph.ts';
import { float32, float32Data, sizeOf, type Tensor } from '../../onnx/tensor.ts';
import { withoutDeadCode } from '../../passes/dead-code.ts';
import { withFrozenDraws } from '../../passes/draws.ts';
import { retie } from '../../passes/tied.ts';
import { type Random, randomFrom } from '../../random.ts';
import { evaluatorOf, type Runtime } from '../../runtime/runtime.ts';
import { drawLatent, LAW_MOMENTS, type LatentLaw, type Moments, momentsOf } from './latent-law.ts';

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
  /** Draws `count` sets of latents (each [count, ...dims]). */
  draw(count: number, random: Random): Promise<Map<string, Tensor>>;
}

/** What `openGenerator` is told beside the graph; every field has a default. */
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
  const fixed = options.fixed ?? new Map<string, Tensor>();
  // Copies that an exporter made of one weight are one variable again, so that R-RGI cannot tune them apart.
  const tied = retie(graph).graph;
  const open = withFixedInputs(tied, fixed, options.output);
  const output = open.outputs[0].name;
  const batch = batchOf(open);
  const first = batch === 'any' ? 1 : batch;
  const law = options.law ?? 'normal';
  const inputs = open.inputs.map((input) => ({ name: input.name, dims: latentDims(input) }));

  const drawInputs = (count: number, random: Random) =>
    new Map(inputs.map((input) => [input.name, drawLatent([count, ...input.dims], law, random)]));
  const probe = drawInputs(first, { ...zeroRandom });
  // Noise that the model draws by itself is drawn once: G is one function in the starts, the steps and the pictures.
  const frozen = (from: Graph) => withFrozenDraws(from, probe, evaluatorOf(runtime, encodeModel), batch === 'any');
  const whole = await frozen(open);
  const cut =
    options.latents &&
    cutAt(await frozen(withFixedInputs(tied, fixed, options.output, options.latents[0])), options.latents);
  const inner = cut?.inputs.map((input) => input.name) ?? [];
  const reader = {
    ...whole,
    outputs: [
      ...whole.outputs,
      ...inner
        .filter((name) => !whole.inputs.some((i) => i.name === name))
        .map((name) => ({ name, type: 'float32' as const, dims: [] })),
    ],
  };
  const values = await runOnce(runtime, reader, probe);
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
  const facts = { output, channels, height, width, batch };
  if (!cut)
    return {
      ...facts,
      graph: whole,
      latents: inputs,
      moments: new Map(inputs.map(({ name }) => [name, LAW_MOMENTS[law]])),
      draw: async (count, random) => drawInputs(count, random),
    };

  const drawn = async (count: number, random: Random): Promise<Map<string, Tensor>> => {
    const parts: Map<string, Tensor>[] = [];
    const size = batch === 'any' ? count : batch;
    for (let from = 0; from < count; from += size) {
      const inputs = drawInputs(size, random);
      parts.push(new Map([...(await runOnce(runtime, reader, inputs)), ...inputs]));
    }
    return new Map(
      cut.inputs.map(({ name }) => [
        name,
        joined(
          parts.map((part) => part.get(name)!),
          count,
        ),
      ]),
    );
  };
  const latents = cut.inputs.map((input) => {
    const value = probe.get(input.name) ?? values.get(input.name)!;
    if (value.dims[0] !== first) {
      throw new RgiError(
        'usage',
        `'${input.name}' of shape [${value.dims.join(', ')}] does not have one entry per image and cannot be the unknown.`,
      );
    }
    return { name: input.name, dims: value.dims.slice(1) };
  });
  const axis = batch === 'any' ? 'N' : batch;
  const known = cut.inputs.map((input, i) => ({ ...input, dims: [axis, ...latents[i].dims] }));
  return {
    ...facts,
    graph: { ...cut, inputs: known },
    latents,
    moments: new Map([...(await drawn(SAMPLE, randomFrom(0)))].map(([name, values]) => [name, momentsOf(values)])),
    draw: drawn,
  };
}

/** Draws from which the moments of an inner value are estimated. */
const SAMPLE = 64;

const zeroRandom: Random = {
  uniform: () => 0.5,
  normal: () => 0,
  integer: () => 0,
  sample: () => new Uint32Array(),
  normals: (count) => new Float32Array(count),
};

/** The first `count` rows of `parts`, one after the other. */
function joined(parts: readonly Tensor[], count: number): Tensor {
  const dims = parts[0].dims.slice(1);
  const data = new Float32Array(count * sizeOf(dims));
  let offset = 0;
  for (const part of parts) {
    data.set(float32Data(part).subarray(0, data.length - offset), offset);
    offset += part.data.length;
  }
  return float32(data, [count, ...dims]);
}

async function runOnce(
  runtime: Runtime,
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
): Promise<Map<string, Tensor>> {
  const session = await runtime.session(encodeModel(graph));
  try {
    return await session.run(feeds);
  } finally {
    await session.dispose();
  }
}

/**
 * Fixed inputs as constants. One of a single row where the model takes one per image (a class label) is repeated for the
 * batch at hand, which is the first axis of the value `sized` (default: the first open input).
 */
function withFixedInputs(graph: Graph, fixed: ReadonlyMap<string, Tensor>, wanted?: string, sized?: string): Graph {
  for (const name of fixed.keys()) {
    if (!graph.inputs.some((input) => input.name === name)) {
      throw new RgiError(
        'usage',
        `The generator has no input '${name}'; it has ${graph.inputs.map((i) => `'${i.name}'`).join(', ')}.`,
      );
    }
  }
  const output = wanted ? graph.outputs.find((o) => o.name === wanted) : graph.outputs[0];
  if (!output)
    throw new RgiError(
      'usage',
      `The generator has no output '${wanted}'; it has ${graph.outputs.map((o) => `'${o.name}'`).join(', ')}.`,
    );
  const inputs = graph.inputs.filter((input) => !fixed.has(input.name));
  const odd = inputs.find((input) => input.type !== 'float32');
  if (odd)
    throw new RgiError(
      'usage',
      `The generator's input '${odd.name}' is ${odd.type}: give it a value with --input ${odd.name}=VALUE or a .npy file.`,
    );
  const anchor = sized ?? inputs.find((input) => typeof input.dims[0] === 'string')?.name;
  const perImage = graph.inputs.filter(
    ({ name, dims }) => typeof dims[0] === 'string' && fixed.get(name)?.dims[0] === 1,
  );
  if (anchor === undefined || perImage.length === 0) {
    const initializers = new Map([...graph.initializers, ...fixed]);
    return withoutDeadCode({ ...graph, inputs, outputs: [output], initializers });
  }
  const repeated = new Set(perImage.map((input) => input.name));
  const b = new GraphBuilder(graph);
  for (const [name, tensor] of fixed) if (!repeated.has(name)) b.initializer(name, tensor);
  const [count] = b.node('Shape', [anchor], { start: 0, end: 1 });
  for (const { name } of perImage) {
    const tensor = fixed.get(name)!;
    const row = b.initializer(b.fresh(`${name}/row`), tensor);
    const shape = tensor.dims.length > 1 ? b.Concat([count, b.ints(tensor.dims.slice(1))], 0) : count;
    b.node('Expand', [row, shape], {}, [name]);
  }
  const prepared = b.nodes.slice(graph.nodes.length);
  return withoutDeadCode({ ...b.graph(graph.name, inputs, [output]), nodes: [...prepared, ...graph.nodes] });
}

/** The graph from the named values on: they become its inputs, and what only served to make them goes. */
function cutAt(graph: Graph, names: readonly string[]): Graph {
  const producers = producersOf(graph);
  const inputs = names.map((name): ValueInfo => {
    const input = graph.inputs.find((i) => i.name === name);
    if (input) return input;
    if (!producers.has(name))
      throw nameError(`The generator has no value named '${name}'. 'rgi inspect' lists the names.`, 'value', name);
    return { name, type: 'float32', dims: [] };
  });
  const cut = new Set(names);
  const nodes = graph.nodes.flatMap((node) => {
    if (!node.outputs.some((output) => cut.has(output))) return [node];
    const outputs = node.outputs.map((output) => (cut.has(output) ? '' : output));
    return outputs.some((output) => output) ? [{ ...node, outputs }] : [];
  });
  const pruned = withoutDeadCode({ ...graph, inputs, nodes });
  const read = new Set(pruned.nodes.flatMap((node) => node.inputs));
  const open = graph.inputs.filter((input) => !cut.has(input.name) && read.has(input.name));
  const decisive = open.find((input) => isReadByValue(pruned, input.name));
  if (decisive) {
    throw new RgiError(
      'usage',
      `Cutting at ${names.map((n) => `'${n}'`).join(', ')} leaves the image dependent on '${decisive.name}': name it as an unknown too (--latent), or give its value (--input).`,
    );
  }
  return open.length === 0 ? pruned : withStandIns(pruned, open, names[0]);
}

/** Does the output depend on what is in `name`, not on its shape alone? */
function isReadByValue(graph: Graph, name: string): boolean {
  const reached = new Set([name]);
  for (const node of graph.nodes) {
    if (node.operator === 'Shape' || node.operator === 'Size') continue;
    if (node.inputs.some((input) => reached.has(input))) for (const output of node.outputs) reached.add(output);
  }
  return graph.outputs.some((output) => reached.has(output.name));
}

/** Exporters ask a latent for the batch size (Shape of z): zeros of its shape, as many as `anchor` has rows, answer too. */
function withStandIns(graph: Graph, open: readonly ValueInfo[], anchor: string): Graph {
  const b = new GraphBuilder(graph);
  const [count] = b.node('Shape', [anchor], { start: 0, end: 1 });
  for (const input of open) {
    const dims = latentDims(input);
    b.node('ConstantOfShape', [dims.length > 0 ? b.Concat([count, b.ints(dims)], 0) : count], {}, [input.name]);
  }
  const standIns = b.nodes.slice(graph.nodes.length);
  return { ...b.graph(graph.name, graph.inputs, graph.outputs), nodes: [...standIns, ...graph.nodes] };
}

function batchOf(graph: Graph): number | 'any' {
  const sizes = graph.inputs.map((input) => input.dims[0]).filter((dim): dim is number => typeof dim === 'number');
  return sizes.length > 0 ? sizes[0] : 'any';
}

function latentDims(input: ValueInfo): number[] {
  return input.dims.slice(1).map((dim) => {
    if (typeof dim === 'number') return dim;
    throw new RgiError(
      'usage',
      `The generator's input '${input.name}' has an open dimension '${dim}' beside the batch: fix it when exporting, or give the input's value (--input).`,
    );
  });
}
