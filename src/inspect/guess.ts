/** Guesses where a file does not say: which input is the latent, which output the picture, in what layout and range. */
import { nameError } from '../errors.ts';
import { type Graph, type Model, producersOf, type ValueInfo } from '../onnx/graph.ts';
import { float32, numbersOf, sizeOf, type Tensor, zeros } from '../onnx/tensor.ts';
import type { Random } from '../random.ts';
import type { ImageFacts, ImageRange, LatentFacts } from './facts.ts';

/** Names exporters give latents, most telling first. */
const LATENT_NAMES = [/^z$/i, /latent/i, /^(input_?)?z/i, /noise/i, /^(input|x|w|ws)$/i];

/** Size used for an axis of a picture that the file leaves open. */
const OPEN_SIZE = 64;

/** The latent: named by `wanted`, by the metadata `rgi.latent`, or the float input that looks like one. */
export function guessLatent(model: Model, wanted?: string): LatentFacts | undefined {
  const said = json(model, 'rgi.latent');
  const floats = model.graph.inputs.filter((input) => input.type === 'float32');
  const name = wanted ?? (typeof said?.input === 'string' ? said.input : undefined);
  const input = name
    ? floats.find((f) => f.name === name)
    : (LATENT_NAMES.flatMap((pattern) => floats.filter((f) => pattern.test(f.name)))[0] ?? floats[0]);
  if (!input) {
    if (!wanted) return undefined;
    const names = floats.map((f) => `'${f.name}'`).join(', ') || 'none';
    throw nameError(
      `The model has no float input '${wanted}'; its float inputs: ${names}.`,
      'input',
      wanted,
      floats.map((f) => f.name),
    );
  }
  const law = said?.law;
  const known = law === 'normal' || law === 'uniform' || law === 'unit';
  return { name: input.name, dims: innerDims(input), law: known ? law : 'normal', from: known ? 'metadata' : 'guess' };
}

function innerDims(input: ValueInfo): number[] {
  const open = input.dims.length === 4 ? OPEN_SIZE : 1;
  return input.dims.slice(1).map((dim) => (typeof dim === 'number' ? dim : open));
}

/** Values for every input at a batch size: draws for the latent, ones for other single floats, zeros for the rest. */
export function probeFeeds(
  graph: Graph,
  latent: LatentFacts,
  batch: number,
  random: Random,
  given: ReadonlyMap<string, Tensor> = new Map(),
): Map<string, Tensor> {
  const draws = { normal: random.normal, uniform: () => 2 * random.uniform() - 1, unit: random.uniform };
  return new Map(
    graph.inputs.map((input): [string, Tensor] => {
      const known = given.get(input.name);
      if (known) return [input.name, known];
      if (input.name === latent.name) {
        const dims = [batch, ...latent.dims];
        return [input.name, float32(Float32Array.from({ length: sizeOf(dims) }, draws[latent.law]), dims)];
      }
      const dims = input.dims.map((dim, i) => (typeof dim === 'number' ? dim : i === 0 ? batch : 1));
      const value = zeros(input.type, dims);
      // A single float beside a latent is a strength (truncation, noise): 1 leaves it as trained.
      if (input.type === 'float32' && value.data.length === 1) (value.data as Float32Array)[0] = 1;
      return [input.name, value];
    }),
  );
}

/** The output that is a batch of pictures, with its layout and range; `samples` are the outputs of some runs. */
export function findImage(model: Model, samples: readonly ReadonlyMap<string, Tensor>[]): ImageFacts | undefined {
  const said = json(model, 'rgi.image');
  for (const { name } of model.graph.outputs) {
    const tensors = samples.map((sample) => sample.get(name)!);
    const layout = layoutOf(tensors[0].dims);
    if (!layout) continue;
    const [, a, b, c] = tensors[0].dims;
    const [channels, height, width] = layout === 'NCHW' ? [a, b, c] : [c, a, b];
    let [minimum, maximum] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const tensor of tensors) {
      for (const v of numbersOf(tensor)) {
        if (v < minimum) minimum = v;
        if (v > maximum) maximum = v;
      }
    }
    const range = rangeSaid(said?.range) ?? rangeOfLastOperator(model.graph, name);
    return {
      output: name,
      layout,
      channels,
      height,
      width,
      range: range ?? rangeOfValues(minimum, maximum),
      from: rangeSaid(said?.range) ? 'metadata' : range ? 'last operator' : 'samples',
      minimum,
      maximum,
    };
  }
  return undefined;
}

function layoutOf(dims: readonly number[]): 'NCHW' | 'NHWC' | undefined {
  if (dims.length !== 4) return undefined;
  const [, a, b, c] = dims;
  if (a <= 4 && b > 4 && c > 4) return 'NCHW';
  return c <= 4 && a > 4 && b > 4 ? 'NHWC' : undefined;
}

function rangeSaid(range: unknown): ImageRange | undefined {
  const text = Array.isArray(range) ? range.join('..') : range;
  return text === '-1..1' || text === '0..1' || text === '0..255' ? text : undefined;
}

/** Nodes that move values without changing them. */
const MOVES = new Set(['Identity', 'Transpose', 'Reshape', 'Slice', 'Squeeze', 'Unsqueeze', 'DepthToSpace', 'Cast']);

function rangeOfLastOperator(graph: Graph, output: string): ImageRange | undefined {
  const producers = producersOf(graph);
  let node = producers.get(output);
  while (node && MOVES.has(node.operator)) node = producers.get(node.inputs[0]);
  if (node?.operator === 'Tanh') return '-1..1';
  if (node?.operator === 'Sigmoid') return '0..1';
  if (node?.operator !== 'Clip') return undefined;
  const bounds = node.inputs.slice(1).map((name) => {
    const constant = graph.initializers.get(name);
    const attribute = producers.get(name)?.attributes.value;
    const tensor = constant ?? (attribute?.kind === 'tensor' ? attribute.value : undefined);
    return tensor && numbersOf(tensor)[0];
  });
  return rangeSaid(bounds);
}

/** Pictures of untrained networks may be faint: what stays far within -1..1 and goes below 0 is taken for it. */
function rangeOfValues(minimum: number, maximum: number): ImageRange {
  if (maximum > 16 && minimum > -64) return '0..255';
  if (minimum >= -1e-3 && maximum <= 1 + 1e-3) return '0..1';
  return minimum >= -4 && maximum <= 4 ? '-1..1' : 'unknown';
}

/** A metadata entry that is a JSON object; undefined where it is absent or broken. */
function json(model: Model, key: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(model.metadata.get(key) ?? 'null');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
