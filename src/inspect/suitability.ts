/** Is a model a generator that can be searched as it is? Each reason against it is a sentence with what to do. */
import type { Graph, ValueInfo } from '../onnx/graph.ts';
import { sizeOf, type Tensor } from '../onnx/tensor.ts';
import type { ImageFacts, LatentFacts } from './facts.ts';
import { LATENT_NAMES } from './guess.ts';
import type { Sample } from './picture.ts';

export interface Intention {
  /** Values of inputs, by name. */
  readonly inputs?: ReadonlyMap<string, Tensor>;
  /** The unknowns of the search, where they were named. */
  readonly unknowns?: readonly string[];
}

/** A latent whose size the file leaves open; pictures (four axes) are tried at a usual size. */
export function openLatent(graph: Graph, latent: LatentFacts): string | undefined {
  const { dims } = graph.inputs.find(({ name }) => name === latent.name)!;
  const open = dims.slice(1).find((dim) => typeof dim === 'string');
  if (open === undefined || dims.length === 4) return undefined;
  const example = dims.slice(1).map((dim) => (typeof dim === 'number' ? dim : 128));
  return `the size of its latent '${latent.name}' [${dims.join(', ')}] is open ('${open}'): give it, as in --latent-shape ${example.join(',')}.`;
}

/** Float inputs besides the latent that are neither searched nor given a value. */
export function furtherInputs(graph: Graph, latent: LatentFacts, { inputs, unknowns }: Intention): string | undefined {
  if (unknowns !== undefined) return undefined;
  const further = graph.inputs.filter(
    ({ name, type, dims }) => type === 'float32' && dims.length > 0 && name !== latent.name && !inputs?.has(name),
  );
  if (further.length === 0) return undefined;
  const all = [latent.name, ...further.map(({ name }) => name)].join(',');
  const [first] = further;
  return `beside the latent '${latent.name}' it takes ${further.map(described).join(' and ')}: give ${further.length > 1 ? 'their values' : 'its value'} with --input (${first.name}=0, or ${first.name}=FILE.npy), or search all of them with --latent ${all}.`;
}

function described({ name, dims }: ValueInfo): string {
  return `'${name}' [${dims.join(', ')}]`;
}

/** A latent that is a picture itself, or has as many numbers as one, is none: unless it was named, or is called a latent. */
export function picturesToPictures(
  latent: LatentFacts,
  { output, channels, height, width }: ImageFacts,
  { unknowns }: Intention,
): string[] {
  const { name, dims } = latent;
  const named =
    unknowns !== undefined || latent.from === 'metadata' || LATENT_NAMES.slice(0, -1).some((p) => p.test(name));
  if (named || !(isPicture(dims) || sizeOf(dims) === channels * height * width)) return [];
  return [
    `its input '${name}' [${dims.join(', ')}] is a picture, as is its output '${output}': a network from pictures to pictures is not a generator. If a part of it is one, such as an autoencoder's decoder, name the value that the part begins with (--latent; 'rgi inspect' lists them); if '${name}' is a latent, say so with --latent ${name}.`,
  ];
}

function isPicture(dims: readonly number[]): boolean {
  if (dims.length !== 3) return false;
  const [a, b, c] = dims;
  return (a <= 4 && b > 4 && c > 4) || (c <= 4 && a > 4 && b > 4);
}

/** Why no output is a picture; with the shape that a flat one may have. */
export function noPicture(latent: LatentFacts, samples: readonly Sample[], shape?: readonly number[]): string {
  if (isPicture(latent.dims)) {
    return `The input '${latent.name}' takes pictures and no output is a picture: this is a discriminator or an encoder, not a generator.`;
  }
  const [{ size, values }] = samples;
  const outputs = [...values].map(([name, { dims }]) => `'${name}' [${['N', ...dims.slice(1)].join(', ')}]`);
  const are = outputs.length > 1 ? 'they are' : 'it is';
  if (shape)
    return `No output holds ${sizeOf(shape)} values for each picture (${shape.join(' x ')}); ${are} ${outputs.join(', ')}.`;
  const flat = [...values].find(([, { dims }]) => dims[0] === size && shapeOf(sizeOf(dims.slice(1))) !== undefined);
  const remedy = flat
    ? ` If ${outputs.length > 1 ? `'${flat[0]}'` : 'it'} holds pictures, give their shape, as in --shape ${shapeOf(sizeOf(flat[1].dims.slice(1)))!.join(',')}.`
    : '';
  return `No output looks like a batch of pictures ([N, C, H, W] or [N, H, W, C] with 1 to 4 channels); ${are} ${outputs.join(', ')}.${remedy}`;
}

/** Smallest number of values of a picture. */
const MIN_VALUES = 64;

/** [C, H, W] of a square picture with this many values, colour before grey where both are possible. */
function shapeOf(values: number): [number, number, number] | undefined {
  if (values < MIN_VALUES) return undefined;
  for (const channels of [3, 1, 4, 2]) {
    const side = Math.sqrt(values / channels);
    if (Number.isInteger(side)) return [channels, side, side];
  }
  return undefined;
}
