/**
 * From pictures to feature maps on one grid, as one graph: the picture is brought to the network's size, range and layout; each layer's map
 * is averaged over 3 x 3 positions and brought to the grid; the maps are joined along their channels (PaDiM, Defard et al. 2021,
 * with the local mean of PatchCore, Roth et al. 2022).
 */
import { type Image, imageAt, type Size, shapeOf, stackImages } from '../images/image.ts';
import { GraphBuilder, type Value } from '../onnx/builder.ts';
import { encodeModel } from '../onnx/encode.ts';
import type { Graph, ValueInfo } from '../onnx/graph.ts';
import { appendGraph } from '../onnx/merge.ts';
import { float32, float32Data, type Tensor } from '../onnx/tensor.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { FeatureLayer, FeatureNetwork, FeatureRange } from './network.ts';

/** Shape of the pictures that features are taken of. */
export interface PictureSize extends Size {
  readonly channels: number;
}

/** Positions of the grid along each side, for a network that is given 256 pixels. */
export const GRID = 32;

/** Pictures that are extracted together. */
const BATCH = 8;

/** Channels of the joined feature maps. */
export function featureChannels({ layers }: FeatureNetwork): number {
  return layers.reduce((sum, { channels }) => sum + channels, 0);
}

export interface FeatureExtractor {
  /** Features [N,D,grid,grid] of pictures [N,C,H,W] in [-1,1], C being 1 or 3. */
  extract(images: Image): Promise<Tensor<'float32'>>;
  dispose(): Promise<void>;
}

/** Opens the extraction for pictures of one size. */
export async function openExtractor(
  network: FeatureNetwork,
  picture: PictureSize,
  runtime: Runtime,
  grid = GRID,
): Promise<FeatureExtractor> {
  const session = await runtime.session(encodeModel(extractionGraph(network, picture, grid)));
  const together = network.batch === 'any' ? BATCH : network.batch;
  return {
    async extract(images) {
      const { count } = shapeOf(images);
      const depth = featureChannels(network) * grid * grid;
      const all = new Float32Array(count * depth);
      for (let from = 0; from < count; from += together) {
        const wanted = Math.min(together, count - from);
        // A network exported for a fixed batch is given full ones.
        const taken = network.batch === 'any' ? wanted : together;
        const part = stackImages(
          Array.from({ length: taken }, (_, i) => imageAt(images, Math.min(from + i, count - 1))),
        );
        const made = float32Data((await session.run(new Map([['image', part]]))).get('features')!);
        all.set(made.subarray(0, wanted * depth), from * depth);
      }
      return float32(all, [count, featureChannels(network), grid, grid]);
    },
    dispose: () => session.dispose(),
  };
}

/** The graph `image` [N,C,H,W] in [-1,1] to `features` [N,D,grid,grid]. */
export function extractionGraph(network: FeatureNetwork, picture: PictureSize, grid: number): Graph {
  const b = new GraphBuilder();
  b.reserve('image');
  const features = appendExtraction(b, network, picture, grid, 'image');
  b.node('Identity', [features], {}, ['features']);
  const output: ValueInfo = { name: 'features', type: 'float32', dims: ['N', featureChannels(network), grid, grid] };
  return b.graph('features', [imageInput(picture)], [output]);
}

/** How pictures [N,C,H,W] are made smaller. */
export type Resizing = (b: GraphBuilder, x: Value, from: Size, to: Size) => Value;

/**
 * Appends the extraction to a graph under way; returns the features [N,D,grid,grid] of `image`. `reduced` makes pictures smaller where the
 * network takes smaller ones: by default with ONNX's operator.
 */
export function appendExtraction(
  b: GraphBuilder,
  network: FeatureNetwork,
  picture: PictureSize,
  grid: number,
  image: Value,
  reduced: Resizing = onnxResize,
): Value {
  const layers = appendLayers(b, network, picture, image, reduced);
  const maps = network.layers.map((layer, i) => onGrid(b, layers[i], layer, grid));
  return b.Concat(maps, 1);
}

/** Appends the network; returns the maps [N,D,h,w] of its layers, each of its own size. */
export function appendLayers(
  b: GraphBuilder,
  network: FeatureNetwork,
  picture: PictureSize,
  image: Value,
  reduced: Resizing = onnxResize,
): Value[] {
  const names = network.layers.map(({ name }) => name);
  const layers = appendNetwork(b, network, picture, image, names, reduced);
  return network.layers.map((layer) => asMap(b, layers.get(layer.name)!, layer));
}

/** A graph from `image` [N,C,H,W] in [-1,1] to one value of the network as it is. */
export function networkInput(network: FeatureNetwork, picture: PictureSize, [wanted]: readonly [string]): Graph {
  const b = new GraphBuilder();
  b.reserve('image');
  const value = appendNetwork(b, network, picture, 'image', [wanted]).get(wanted)!;
  return b.graph('network', [imageInput(picture)], [{ name: value, type: 'float32', dims: ['N', 'C', 'H', 'W'] }]);
}

/** The input `image` [N,C,H,W]. */
export function imageInput({ channels, height, width }: PictureSize): ValueInfo {
  return { name: 'image', type: 'float32', dims: ['N', channels, height, width] };
}

function appendNetwork(
  b: GraphBuilder,
  network: FeatureNetwork,
  { channels, height, width }: PictureSize,
  image: Value,
  wanted: readonly string[],
  reduced: Resizing = onnxResize,
): Map<string, Value> {
  const { size, inputChannels, inputLayout, range, graph, input } = network;
  const coloured = inChannels(b, image, channels, inputChannels);
  const isSmaller = size < height || size < width;
  const resize = isSmaller ? reduced : resized;
  const ranged = inRange(
    b,
    resize(b, coloured, { height, width }, { height: size, width: size }),
    inputChannels,
    range,
  );
  const given = inputLayout === 'NHWC' ? b.Transpose(ranged, [0, 2, 3, 1]) : ranged;
  return appendGraph(b, graph, 'features/', new Map([[input, given]]), wanted);
}

function inChannels(b: GraphBuilder, image: Value, from: number, to: number): Value {
  if (from === to) return image;
  return to === 3 ? b.Concat([image, image, image], 1) : b.ReduceMean(image, [1]);
}

/** Linear interpolation on half-pixel centres. */
function resized(b: GraphBuilder, x: Value, from: Size, to: Size, attributes: Record<string, number> = {}): Value {
  if (from.height === to.height && from.width === to.width) return x;
  const scales = b.floats([1, 1, to.height / from.height, to.width / from.width]);
  const mode = { mode: 'linear', coordinate_transformation_mode: 'half_pixel' };
  return b.node('Resize', [x, '', scales], { ...mode, ...attributes })[0];
}

/** Over the whole footprint of a pixel. */
function onnxResize(b: GraphBuilder, x: Value, from: Size, to: Size): Value {
  return resized(b, x, from, to, { antialias: 1 });
}

/** Mean and deviation of ImageNet's pictures in 0..1 (torchvision). */
const IMAGENET = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };

/** From [-1,1] to the network's range. */
function inRange(b: GraphBuilder, x: Value, channels: number, range: FeatureRange): Value {
  if (range === '-1..1') return x;
  if (range === '0..1') return b.Add(b.Mul(x, b.scalar(0.5)), b.scalar(0.5));
  if (range === '0..255') return b.Add(b.Mul(x, b.scalar(127.5)), b.scalar(127.5));
  const each = Array.from({ length: channels }, (_, c) => c);
  const factor = each.map((c) => 0.5 / IMAGENET.deviation[c]);
  const offset = each.map((c) => (0.5 - IMAGENET.mean[c]) / IMAGENET.deviation[c]);
  return b.Add(b.Mul(x, b.floats(factor, [1, channels, 1, 1])), b.floats(offset, [1, channels, 1, 1]));
}

function asMap(b: GraphBuilder, x: Value, { form, channels, height, width }: FeatureLayer): Value {
  if (form === 'map') return x;
  if (form === 'nhwc') return b.Transpose(x, [0, 3, 1, 2]);
  const patches = b.Slice(x, [-height * width], [2 ** 31 - 1], [1]);
  return b.Reshape(b.Transpose(patches, [0, 2, 1]), [-1, channels, height, width]);
}

/** The local mean of a layer's map, at the positions of the grid. */
function onGrid(b: GraphBuilder, map: Value, { height, width }: FeatureLayer, grid: number): Value {
  const padded = b.node('Pad', [map, b.ints([0, 0, 1, 1, 0, 0, 1, 1])], { mode: 'edge' })[0];
  const mean = b.node('AveragePool', [padded], { kernel_shape: [3, 3], strides: [1, 1] })[0];
  return resized(b, mean, { height, width }, { height: grid, width: grid });
}
