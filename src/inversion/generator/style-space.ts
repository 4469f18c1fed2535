/**
 * W and W+ of a generator that maps its latent before it makes pictures of it (StyleGAN, Karras et al. 2019): the mapping's output w, and
 * one w per layer (Image2StyleGAN, Abdal et al. 2019). Both are found in the graph by what they are, whatever an exporter calls them.
 *
 * They are searched in coordinates v with w = mean + L v, where mean and L L^T are the mean and the covariance of the mapping's output.
 * So v is N(0, I) up to second moments: rates and priors made for z serve W as well, and |v|^2 is the squared Mahalanobis distance to
 * the mean w, by which StyleGAN inversions keep w plausible. In W+ the prior is the mean of this distance over the layers.
 */
import { choleskyFactor, solveLower } from '../../arrays/cholesky.ts';
import { joinedRows, rows } from '../../arrays/rows.ts';
import { nameError, RgiError } from '../../errors.ts';
import { cutPoints } from '../../inspect/cuts.ts';
import { findMapping, type Mapping, MIN_READERS } from '../../inspect/mapping.ts';
import { readersByLayer, withRowPerLayer } from '../../inspect/style-layers.ts';
import { GraphBuilder, type Value } from '../../onnx/builder.ts';
import { splitModel } from '../../onnx/encode.ts';
import type { Attribute, Graph } from '../../onnx/graph.ts';
import { float32, float32Data, numbersOf, scalar, type Tensor } from '../../onnx/tensor.ts';
import { withoutDeadCode } from '../../passes/dead-code.ts';
import { type Random, randomFrom } from '../../random.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Generator } from './generator.ts';
import { cutAt } from './inputs.ts';

/** 'w': the mapping's output. 'w+': one for each layer that reads it. */
export type StyleSpace = 'w' | 'w+';

/** The space that `latents` means: its name alone, in a graph where no value is called so. */
export function styleSpaceOf(graph: Graph, latents: readonly string[] | undefined): StyleSpace | undefined {
  const [name] = latents ?? [];
  if (latents?.length !== 1 || (name !== 'w' && name !== 'w+')) return undefined;
  const isValue = [...graph.inputs, ...graph.nodes.flatMap(({ outputs }) => outputs.map((n) => ({ name: n })))];
  return isValue.some((value) => value.name === name) ? undefined : name;
}

/** Draws from which mean and covariance are estimated: so many for each number of w, and at least MIN_DRAWS. */
const DRAWS_PER_NUMBER = 4;
const MIN_DRAWS = 1024;
/** Draws that go through the mapping together. */
const TOGETHER = 256;
/** Added to each variance, as a share of the mean variance: directions that the mapping hardly uses stay searchable. */
const VARIANCE_FLOOR = 1e-3;

/**
 * `generator`, whose latents are the inputs, with w or w+ as its unknown in their place. Throws `usage` where no mapping is found in its
 * graph.
 */
export async function inStyleSpace(generator: Generator, space: StyleSpace, runtime: Runtime): Promise<Generator> {
  const found = await mappingOf(generator, runtime);
  if (!found) {
    throw nameError(
      `--latent ${space}: no mapping network is found in the generator: no inner value of one row per image is read by ${MIN_READERS} layers or more. Leave --latent out, or name an inner value ('rgi inspect' lists them).`,
      'value',
      space,
    );
  }
  const mapping = await openMapping(generator, found.name, runtime);
  const law = lawOf(await mapping(Math.max(MIN_DRAWS, DRAWS_PER_NUMBER * found.size), 0), found.size);
  const broadcast = space === 'w+' ? found.broadcast : undefined;
  const cut = cutAt(generator.graph, [broadcast?.name ?? found.name]);
  const layers = space === 'w' ? 0 : (broadcast?.layers ?? readersByLayer(cut, found.name).length);
  const dims = layers === 0 ? [found.size] : [layers, found.size];
  const graph = withCoordinates(
    layers > 0 && !broadcast ? withRowPerLayer(cut) : cut,
    space,
    dims,
    law,
    generator.batch,
  );
  const { encoder: _, ...rest } = generator;
  return {
    ...rest,
    graph,
    latents: [{ name: space, dims }],
    moments: new Map([[space, { mean: scalar(0), deviation: scalar(Math.sqrt(Math.max(1, layers))) }]]),
    draw: async (count, random) => {
      const drawn = coordinatesOf(await mapping(count, random), law, found.size);
      return new Map([[space, layers === 0 ? float32(drawn, [count, ...dims]) : repeated(drawn, count, dims)]]);
    },
    exported: (latents) => new Map([[space, fromCoordinates(latents.get(space)!, law, found.size)]]),
    imported: (latents) => {
      const w = latents.get(space)!;
      return new Map([[space, float32(coordinatesOf(w, law, found.size), w.dims)]]);
    },
  };
}

/** The mapping of a generator whose latents are the inputs; runs it once for the shapes of inner values. */
async function mappingOf(generator: Generator, runtime: Runtime): Promise<Mapping | undefined> {
  const { graph, output } = generator;
  const inner = withOnly(graph, cutPoints(graph, output));
  const batch = generator.batch === 'any' ? 1 : generator.batch;
  const names = inner.outputs.map(({ name }) => name);
  if (names.length === 0) return undefined;
  const probed = withShapesOnly(inner, names);
  const session = await runtime.session(splitModel(probed));
  try {
    const shapes = await session.run(onlyRead(inner, await generator.draw(batch, randomFrom(0))));
    const cuts = probed.outputs.map(({ name }, i) => ({ name: names[i], dims: numbersOf(shapes.get(name)!) }));
    const perImage = cuts.flatMap(({ name, dims: [n, ...dims] }) => (n === batch ? [{ name, dims }] : []));
    return findMapping(graph, perImage);
  } finally {
    await session.dispose();
  }
}

/** The graph with the shapes of `names` as its outputs: the values of all cuts at once would fill the memory. */
function withShapesOnly(graph: Graph, names: readonly string[]): Graph {
  const b = new GraphBuilder(graph);
  const outputs = names.map((name) => ({ name: b.node('Shape', [name])[0], type: 'int64' as const, dims: [] }));
  return b.graph(graph.name, graph.inputs, outputs);
}

function withOnly(graph: Graph, names: readonly string[]): Graph {
  return withoutDeadCode({ ...graph, outputs: names.map((name) => ({ name, type: 'float32' as const, dims: [] })) });
}

function onlyRead({ nodes }: Graph, feeds: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  return new Map([...feeds].filter(([name]) => read.has(name)));
}

/** Mean and covariance of the mapping's output. */
interface StyleLaw {
  /** [size]. */
  readonly mean: Float64Array;
  /** L of the covariance L L^T, [size, size] row-major, lower triangular. */
  readonly factor: Float64Array;
}

/** What the mapping makes of `count` draws of the latents, [count, size]. */
async function openMapping(generator: Generator, name: string, runtime: Runtime) {
  const graph = withOnly(generator.graph, [name]);
  const encoded = splitModel(graph);
  const chunk = generator.batch === 'any' ? TOGETHER : generator.batch;
  return async (count: number, random: Random | number): Promise<Tensor<'float32'>> => {
    const padded = generator.batch === 'any' ? count : Math.ceil(count / chunk) * chunk;
    const drawn = onlyRead(
      graph,
      await generator.draw(padded, typeof random === 'number' ? randomFrom(random) : random),
    );
    const session = await runtime.session(encoded);
    const parts: Tensor[] = [];
    try {
      for (let from = 0; from < padded; from += chunk) {
        const picked = Array.from({ length: Math.min(chunk, padded - from) }, (_, i) => from + i);
        const feeds = new Map([...drawn].map(([input, tensor]): [string, Tensor] => [input, rows(tensor, picked)]));
        parts.push((await session.run(feeds)).get(name)!);
      }
    } finally {
      await session.dispose();
    }
    return joinedRows(parts, count);
  };
}

function lawOf(sample: Tensor<'float32'>, size: number): StyleLaw {
  const { data } = sample;
  const count = sample.dims[0];
  const mean = new Float64Array(size);
  for (let i = 0; i < data.length; i++) mean[i % size] += data[i] / count;
  const covariance = new Float64Array(size * size);
  const centred = new Float64Array(size);
  for (let from = 0; from < data.length; from += size) {
    for (let i = 0; i < size; i++) centred[i] = (data[from + i] - mean[i]) / Math.sqrt(count - 1);
    for (let i = 0; i < size; i++) {
      const own = centred[i];
      for (let j = 0, at = i * size; j <= i; j++, at++) covariance[at] += own * centred[j];
    }
  }
  let variance = 0;
  for (let i = 0; i < size; i++) variance += covariance[i * size + i] / size;
  for (let i = 0; i < size; i++) covariance[i * size + i] += VARIANCE_FLOOR * variance + Number.MIN_VALUE;
  const factor = choleskyFactor(covariance, size);
  if (factor) return { mean, factor };
  throw new RgiError('model', "The generator's mapping gives one w for all latents, so that W cannot be searched.");
}

/** v of w: [count, size] for [count, size], or for [count, layers, size] row by row. */
function coordinatesOf(w: Tensor, { mean, factor }: StyleLaw, size: number): Float32Array<ArrayBuffer> {
  const given = float32Data(w);
  const found = new Float32Array(given.length);
  for (let from = 0; from < found.length; from += size) {
    const centred = Float64Array.from({ length: size }, (_, i) => given[from + i] - mean[i]);
    found.set(solveLower(factor, size, centred), from);
  }
  return found;
}

/** w of v, in the shape of v. */
function fromCoordinates(v: Tensor, { mean, factor }: StyleLaw, size: number): Tensor<'float32'> {
  const given = float32Data(v);
  const found = new Float32Array(given.length);
  for (let from = 0; from < found.length; from += size) {
    for (let i = 0; i < size; i++) {
      let sum = mean[i];
      for (let j = 0; j <= i; j++) sum += factor[i * size + j] * given[from + j];
      found[from + i] = sum;
    }
  }
  return float32(found, v.dims);
}

/** Each row of `data` [count, size] once for each layer: [count, layers, size]. */
function repeated(data: Float32Array, count: number, [layers, size]: readonly number[]): Tensor<'float32'> {
  const all = new Float32Array(count * layers * size);
  for (let row = 0; row < count * layers; row++) {
    const from = Math.floor(row / layers) * size;
    all.set(data.subarray(from, from + size), row * size);
  }
  return float32(all, [count, layers, size]);
}

/**
 * `graph`, whose one input is w, from v on: w = mean + L v. What stands for mean and L are nodes and a subtraction, which the tuning of
 * weights leaves alone.
 */
function withCoordinates(
  graph: Graph,
  space: StyleSpace,
  dims: readonly number[],
  { mean, factor }: StyleLaw,
  batch: number | 'any',
): Graph {
  const [{ name }] = graph.inputs;
  const size = mean.length;
  const b = new GraphBuilder(graph);
  const transposed = new Float32Array(size * size);
  for (let i = 0; i < size; i++) for (let j = 0; j <= i; j++) transposed[j * size + i] = factor[i * size + j];
  const value: Attribute = { kind: 'tensor', value: float32(transposed, [size, size]) };
  b.reserve(space);
  const [factors] = b.node('Constant', [], { value }, [b.fresh(`${space}/factor`)]);
  const offset: Value = b.initializer(
    b.fresh(`${space}/offset`),
    float32(
      Float32Array.from(mean, (m) => -m),
      [size],
    ),
  );
  b.node('Sub', [b.MatMul(space, factors), offset], {}, [name]);
  const prepared = b.nodes.slice(graph.nodes.length);
  const input = { name: space, type: 'float32' as const, dims: [batch === 'any' ? 'N' : batch, ...dims] };
  return { ...b.graph(graph.name, [input], graph.outputs), nodes: [...prepared, ...graph.nodes] };
}
