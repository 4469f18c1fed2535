/** Guesses where a file does not say: which input is the latent, and what the other inputs may be fed. */
import { nameError } from '../errors.ts';
import type { Graph, Model, ValueInfo } from '../onnx/graph.ts';
import { float32, sizeOf, type Tensor, zeros } from '../onnx/tensor.ts';
import type { Random } from '../random.ts';
import type { LatentFacts } from './facts.ts';

/** Names exporters give latents, most telling first. */
export const LATENT_NAMES = [/^z$/i, /latent/i, /^(input_?)?z/i, /noise/i, /^(input|x|w|ws)$/i];

/** Size used for an axis of a picture that the file leaves open. */
const OPEN_SIZE = 64;

/** The latent: named by `wanted`, by the metadata `rgi.latent`, or the float input that looks like one. */
export function guessLatent(model: Model, wanted?: string): LatentFacts | undefined {
  const said = jsonMetadata(model, 'rgi.latent');
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

/** Nodes that move values without changing them. */
export const MOVES: ReadonlySet<string> = new Set([
  'Identity',
  'Transpose',
  'Reshape',
  'Flatten',
  'Slice',
  'Squeeze',
  'Unsqueeze',
  'DepthToSpace',
  'Cast',
]);

/** A metadata entry that is a JSON object; undefined where it is absent or broken. */
export function jsonMetadata(model: Model, key: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(model.metadata.get(key) ?? 'null');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
