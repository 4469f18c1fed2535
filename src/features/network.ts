/**
 * Feature networks: any ONNX network from pictures to feature maps. Opening one finds its input (layout, size, range of values)
 * and the layers whose maps are used: those that are named, those that the file's metadata names (`rgi.features`), or the last map at each
 * of the resolutions that matter.
 */
import * as z from 'zod/mini';
import { RgiError } from '../errors.ts';
import { brokenWeight } from '../inspect/weights.ts';
import { encodeModel } from '../onnx/encode.ts';
import type { Graph, Model } from '../onnx/graph.ts';
import { sizeOf, type Tensor, zeros } from '../onnx/tensor.ts';
import { evaluatorOf, type Runtime } from '../runtime/runtime.ts';

/** What stands for black and white at the network's input; 'imagenet': 0..1, normalised by ImageNet's mean and deviation. */
export type FeatureRange = '0..1' | '-1..1' | '0..255' | 'imagenet';

/** All ranges by name. */
export const FEATURE_RANGES: readonly FeatureRange[] = ['0..1', '-1..1', '0..255', 'imagenet'];

/** A layer whose values are used as a feature map. */
export interface FeatureLayer {
  /** Name of the ONNX value. */
  readonly name: string;
  /** 'map': [N,C,H,W]. 'nhwc': [N,H,W,C]. 'tokens': [N,T,C], the last H W of T tokens being the patches of a vision transformer. */
  readonly form: 'map' | 'nhwc' | 'tokens';
  /** Features at each position. */
  readonly channels: number;
  /** Positions down. */
  readonly height: number;
  /** Positions across. */
  readonly width: number;
}

/** An opened feature network. */
export interface FeatureNetwork {
  /** The network, as it was read. */
  readonly graph: Graph;
  /** Name of the input that takes the pictures. */
  readonly input: string;
  /** Grey or RGB. */
  readonly inputChannels: 1 | 3;
  /** Order of the input's axes. */
  readonly inputLayout: 'NCHW' | 'NHWC';
  /** Side of the pictures that the network is given, pixels. */
  readonly size: number;
  /** What stands for black and white at the input. */
  readonly range: FeatureRange;
  /** Whose maps are used. */
  readonly layers: readonly FeatureLayer[];
  /** Pictures in one run: any number, or the one that the network was exported for. */
  readonly batch: number | 'any';
}

/** What a network's file does not say, or says wrongly. */
export interface FeatureNetworkOptions {
  /** Range of values at the input; default: as the file's metadata say. Needed where they say nothing. */
  readonly range?: FeatureRange;
  /** Names of the layers; default: as the metadata say, else chosen. */
  readonly layers?: readonly string[];
  /** Side of the pictures that the network is given; default: as declared, else as the metadata say, else 256. */
  readonly size?: number;
  /** What errors call the network: a file's path. Default 'The feature network'. */
  readonly name?: string;
}

/** Side of the pictures that are given to a network that takes any. */
const SIZE = 256;

/** Strides of the maps that are chosen where no layers are named: finer ones see edges only, coarser ones no place. */
const STRIDES = [2, 4, 8, 16];

const metadataSchema = z.looseObject({
  range: z.enum(['0..1', '-1..1', '0..255', 'imagenet']),
  size: z.optional(z.int().check(z.positive())),
  layers: z.optional(z.array(z.string())),
});

/** What a network's file says of its input and its layers (`rgi.features`); undefined where it says nothing that can be read. */
export function featureMetadata({ metadata }: Pick<Model, 'metadata'>): z.infer<typeof metadataSchema> | undefined {
  try {
    const parsed = metadataSchema.safeParse(JSON.parse(metadata.get('rgi.features') ?? 'null'));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Opens a feature network: runs it once to find the shapes of its layers. Throws `RgiError('model')` where it does not take pictures
 * alone, has no layer that can be used, or has weights that are NaN or infinite, `RgiError('usage')` where a layer is unknown or the range of its input is not known.
 *
 * @example
 * ```ts
 * import { createRuntime, openFeatureNetwork, openModel, SHIPPED_FEATURES } from 'rgi/node';
 *
 * const runtime = await createRuntime();
 * const network = await openFeatureNetwork(await openModel(SHIPPED_FEATURES), runtime);
 * console.log(network.range, network.layers.map(({ channels }) => channels).join(' ')); // 0..1 16 24 32 64
 * await runtime.dispose();
 * ```
 */
export async function openFeatureNetwork(
  model: Model,
  runtime: Runtime,
  options: FeatureNetworkOptions = {},
): Promise<FeatureNetwork> {
  const { name = 'The feature network' } = options;
  const stated = featureMetadata(model);
  const range = options.range ?? stated?.range;
  if (range === undefined) {
    throw new RgiError(
      'usage',
      `${name} does not say which range of values its input takes: give it with --feature-range (${FEATURE_RANGES.join(', ')}). PyTorch's networks take imagenet, most of Keras' -1..1.`,
      { file: options.name },
    );
  }
  const broken = brokenWeight(model.graph);
  if (broken) throw new RgiError('model', `${name}: ${broken}`, { file: options.name });
  const input = inputOf(model.graph, options.size ?? stated?.size, name);
  const batch = input.batch;
  const layers = await layersOf(model.graph, input, options.layers ?? stated?.layers, runtime, name);
  return {
    graph: model.graph,
    input: input.name,
    inputChannels: input.channels,
    inputLayout: input.layout,
    size: input.size,
    range,
    layers,
    batch,
  };
}

/**
 * The network without its layers of stride below `stride`: the finest maps see edges only, and their noise lowers what the others find
 * (docs/figures.md). All layers where none is left.
 */
export function coarserLayers(network: FeatureNetwork, stride = 4): FeatureNetwork {
  const layers = network.layers.filter(({ height }) => height * stride <= network.size);
  return layers.length > 0 ? { ...network, layers } : network;
}

interface InputFacts {
  readonly name: string;
  readonly channels: 1 | 3;
  readonly layout: 'NCHW' | 'NHWC';
  readonly size: number;
  readonly batch: number | 'any';
}

function inputOf({ inputs }: Graph, wanted: number | undefined, name: string): InputFacts {
  const has = inputs.map((one) => `'${one.name}' ${one.type} [${one.dims.join(', ')}]`).join(', ');
  const refuse = () =>
    new RgiError(
      'model',
      `${name} must take one batch of square pictures [N, 3, H, W] in float32; its inputs: ${has || 'none'}.`,
      { file: name },
    );
  const [input] = inputs;
  if (inputs.length !== 1 || input.type !== 'float32' || input.dims.length !== 4) throw refuse();
  const isColour = (dim: number | string) => dim === 1 || dim === 3;
  const layout = !isColour(input.dims[1]) && isColour(input.dims[3]) ? 'NHWC' : 'NCHW';
  const channels = input.dims[layout === 'NCHW' ? 1 : 3];
  const sides = layout === 'NCHW' ? input.dims.slice(2) : input.dims.slice(1, 3);
  if (!(isColour(channels) || typeof channels === 'string')) throw refuse();
  const fixed = sides.filter((side): side is number => typeof side === 'number');
  if (new Set(fixed).size > 1) throw refuse();
  const [batch] = input.dims;
  return {
    name: input.name,
    channels: channels === 1 ? 1 : 3,
    layout,
    size: fixed.at(0) ?? wanted ?? SIZE,
    batch: typeof batch === 'number' ? batch : 'any',
  };
}

/** The input of the network's own form, one picture of zeros in each place of its batch. */
function blankPictures({ channels, layout, size, batch }: InputFacts): Tensor {
  const count = batch === 'any' ? 1 : batch;
  return zeros('float32', layout === 'NCHW' ? [count, channels, size, size] : [count, size, size, channels]);
}

async function layersOf(
  graph: Graph,
  input: InputFacts,
  named: readonly string[] | undefined,
  runtime: Runtime,
  name: string,
): Promise<readonly FeatureLayer[]> {
  const values = graph.nodes.flatMap((node) => node.outputs.filter((output) => output));
  const missing = named?.find((layer) => !values.includes(layer));
  if (missing !== undefined) {
    const last = values.slice(-6).map((value) => `'${value}'`);
    throw new RgiError('usage', `${name} has no layer '${missing}'; its last ones are ${last.join(', ')}.`, {
      file: name,
      tensor: missing,
    });
  }
  const wanted = named ?? values;
  const evaluate = evaluatorOf(runtime, encodeModel);
  const made = await evaluate(graph, new Map([[input.name, blankPictures(input)]]), wanted);
  const layers = wanted.flatMap((value) => formOf(value, made.get(value)!, input.layout) ?? []);
  const used = named ? layers : chosen(layers, input.size);
  if (named && used.length < named.length) {
    const odd = named.find((one) => !used.some((layer) => layer.name === one))!;
    throw new RgiError(
      'usage',
      `The layer '${odd}' of ${name} is [${made.get(odd)!.dims.join(', ')}]; maps [N, C, H, W] or tokens [N, T, C] of a square grid are needed.`,
      { file: name, tensor: odd },
    );
  }
  if (used.length === 0)
    throw new RgiError('model', `${name} has no feature maps: no layer of it is [N, C, H, W] or [N, T, C].`, {
      file: name,
    });
  return used;
}

function formOf(name: string, { type, dims }: Tensor, layout: 'NCHW' | 'NHWC'): FeatureLayer | undefined {
  if (type !== 'float32' || sizeOf(dims) === 0) return undefined;
  if (dims.length === 4 && layout === 'NHWC' && dims[1] === dims[2])
    return { name, form: 'nhwc', channels: dims[3], height: dims[1], width: dims[2] };
  if (dims.length === 4 && dims[2] === dims[3])
    return { name, form: 'map', channels: dims[1], height: dims[2], width: dims[3] };
  if (dims.length !== 3) return undefined;
  // A square grid of patches, after a class token and registers.
  const side = Math.floor(Math.sqrt(dims[1]));
  return side >= 4 && dims[1] - side ** 2 <= MAX_EXTRA_TOKENS
    ? { name, form: 'tokens', channels: dims[2], height: side, width: side }
    : undefined;
}

/** Tokens of a transformer that are no patches: one of the class, and registers. */
const MAX_EXTRA_TOKENS = 8;

/** The last map at each of the strides; of a transformer, whose maps have one resolution, the last one. */
function chosen(layers: readonly FeatureLayer[], size: number): FeatureLayer[] {
  const maps = STRIDES.flatMap((stride) => layers.findLast((layer) => layer.height === Math.ceil(size / stride)) ?? []);
  return maps.length > 0 ? maps : layers.filter(({ form }) => form === 'tokens').slice(-1);
}
