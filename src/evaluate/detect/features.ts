/**
 * Detectors on the features of a pretrained network, trained on nothing but good pictures: PaDiM (Defard et al. 2021) and
 * PatchCore (Roth et al. 2022). What a user of the field would pick instead.
 */
import { greedyCentres } from '../../features/coreset.ts';
import { type FeatureExtractor, featureChannels, openExtractor } from '../../features/extraction.ts';
import { appendDistances, type FeatureGaussian, gaussianOf } from '../../features/gaussian.ts';
import { channelsOf, noMoments, withMaps } from '../../features/moments.ts';
import type { FeatureNetwork } from '../../features/network.ts';
import { type Image, imageAt, shapeOf, stackImages } from '../../images/image.ts';
import { gaussianBlur, resize } from '../../images/resize.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import { encodeModel } from '../../onnx/encode.ts';
import { float32, float32Data, type Tensor } from '../../onnx/tensor.ts';
import { randomFrom } from '../../random.ts';
import type { Runtime, Session } from '../../runtime/runtime.ts';
import { type Detector, SMOOTHING } from './detector.ts';

/** Sigma of these methods' maps, pixels of a picture of size 128 (their authors: 4 pixels of 224). */
const MAP_SMOOTHING = 2;

/** Good pictures whose features are held together. */
const TOGETHER = 32;

export interface LearningHooks {
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** A Gaussian of features at each position; undefined if aborted. */
export async function padimDetector(
  good: Image,
  network: FeatureNetwork,
  runtime: Runtime,
  { onProgress, signal }: LearningHooks = {},
): Promise<Detector | undefined> {
  const extractor = await openExtractor(network, shapeOf(good), runtime);
  const { count } = shapeOf(good);
  let moments = noMoments(await extractor.extract(part(good, 0, 1)), [featureChannels(network)]);
  for (let from = 0; from < count; from += TOGETHER) {
    if (signal?.aborted) return void (await extractor.dispose());
    const to = Math.min(count, from + TOGETHER);
    moments = withMaps(moments, await extractor.extract(part(good, from, to)));
    onProgress?.(to, count);
  }
  const session = await runtime.session(encodeModel(distanceGraph(gaussianOf(moments))));
  return {
    async find(images) {
      const features = await extractor.extract(images);
      const distances = (await session.run(new Map([['features', features]]))).get('distances')!;
      return { maps: atPictureSize(distances as Image, images) };
    },
    async dispose() {
      await extractor.dispose();
      await session.dispose();
    },
  };
}

export interface PatchcoreOptions {
  /** Vectors in the memory bank; default 4096. */
  readonly bank?: number;
  /** Vectors, drawn at random from all pictures, that the bank is chosen from; default 65536. */
  readonly drawn?: number;
  /** Neighbours by which a picture's score is weighted; default 9, as its authors have it. */
  readonly neighbours?: number;
  readonly seed?: number;
}

/** Defaults of `PatchcoreOptions`. */
export const PATCHCORE: Required<PatchcoreOptions> = { bank: 4096, drawn: 65536, neighbours: 9, seed: 0 };

/** Distance to the nearest of a bank of good features, wherever they are from; undefined if aborted. */
export async function patchcoreDetector(
  good: Image,
  network: FeatureNetwork,
  runtime: Runtime,
  options: PatchcoreOptions = {},
  { onProgress, signal }: LearningHooks = {},
): Promise<Detector | undefined> {
  const settings = { ...PATCHCORE, ...options };
  const extractor = await openExtractor(network, shapeOf(good), runtime);
  const drawn = await drawnPatches(good, extractor, settings, { onProgress, signal });
  if (!drawn) return void (await extractor.dispose());
  const centres = greedyCentres(drawn.vectors, drawn.length, { count: settings.bank, seed: settings.seed });
  const bank = new Float32Array(centres.length * drawn.length);
  centres.forEach((row, i) => {
    bank.set(drawn.vectors.subarray(row * drawn.length, (row + 1) * drawn.length), i * drawn.length);
  });
  const memory = float32(bank, [centres.length, drawn.length]);
  const session = await runtime.session(encodeModel(nearestGraph(memory)));
  return {
    async find(images) {
      const maps: Image[] = [];
      const scores: number[] = [];
      for (let i = 0; i < shapeOf(images).count; i++) {
        const found = await nearest(session, await extractor.extract(imageAt(images, i)));
        maps.push(atPictureSize(found.map, images));
        scores.push(weightedScore(found, memory, settings.neighbours));
      }
      return { maps: stackImages(maps), scores };
    },
    async dispose() {
      await extractor.dispose();
      await session.dispose();
    },
  };
}

/** Patches of all good pictures, as many of each: [rows, length]. */
async function drawnPatches(
  good: Image,
  extractor: FeatureExtractor,
  { drawn, seed }: Required<PatchcoreOptions>,
  { onProgress, signal }: LearningHooks,
): Promise<{ vectors: Float32Array; length: number } | undefined> {
  const { count } = shapeOf(good);
  const random = randomFrom(seed);
  const each = Math.max(1, Math.floor(drawn / count));
  const rows: Float32Array[] = [];
  for (let from = 0; from < count; from += TOGETHER) {
    if (signal?.aborted) return undefined;
    const to = Math.min(count, from + TOGETHER);
    const { dims, data } = await extractor.extract(part(good, from, to));
    const [, length, height, width] = dims;
    const positions = height * width;
    for (let n = 0; n < to - from; n++) {
      for (let k = 0; k < Math.min(each, positions); k++) {
        const p = each >= positions ? k : random.integer(positions);
        rows.push(Float32Array.from({ length }, (_, c) => data[(n * length + c) * positions + p]));
      }
    }
    onProgress?.(to, count);
  }
  const [{ length }] = rows;
  const vectors = new Float32Array(rows.length * length);
  rows.forEach((row, i) => {
    vectors.set(row, i * length);
  });
  return { vectors, length };
}

interface Nearest {
  /** Distance to the nearest vector of the bank at each position: [1,1,grid,grid]. */
  readonly map: Image;
  /** The feature vector of the position with the largest distance, and the vector that is nearest to it. */
  readonly vector: Float32Array;
  readonly nearest: number;
}

async function nearest(session: Session, features: Tensor<'float32'>): Promise<Nearest> {
  const [, length, height, width] = features.dims;
  const made = await session.run(new Map([['features', features]]));
  const squares = float32Data(made.get('squares')!);
  const map = float32(
    squares.map((v) => Math.sqrt(Math.max(v, 0))),
    [1, 1, height, width],
  );
  const at = map.data.reduce((most, v, p) => (v > map.data[most] ? p : most), 0);
  return {
    map,
    vector: Float32Array.from({ length }, (_, c) => features.data[c * height * width + at]),
    nearest: Number((made.get('places')!.data as BigInt64Array)[at]),
  };
}

/**
 * The score of a picture (Roth et al. 2022, eq. 7): its largest distance s, weighted by 1 - exp(s) / sum exp(distances of the vector to the
 * `neighbours` vectors of the bank around its nearest one).
 */
function weightedScore({ map, vector, nearest }: Nearest, bank: Tensor<'float32'>, neighbours: number): number {
  const [count, length] = bank.dims;
  const s = map.data.reduce((most, v) => Math.max(most, v), 0);
  const row = (i: number) => bank.data.subarray(i * length, (i + 1) * length);
  const around = Array.from({ length: count }, (_, i) => ({ i, d: distance(row(nearest), row(i)) }))
    .sort((a, b) => a.d - b.d)
    .slice(0, neighbours);
  const sum = around.reduce((total, { i }) => total + Math.exp(distance(vector, row(i)) - s), 0);
  return count > 1 ? (1 - 1 / sum) * s : s;
}

function distance(a: Float32Array, b: Float32Array): number {
  return Math.sqrt(a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0));
}

/** `features` [1,D,g,g] to the squared distance |f|^2 - 2 f'b + |b|^2 to the nearest row b of the bank, and its place: [g g]. */
function nearestGraph({ dims, data }: Tensor<'float32'>) {
  const [count, length] = dims;
  const b = new GraphBuilder();
  b.reserve('features');
  const rows = b.Transpose(b.Reshape('features', [length, -1]), [1, 0]);
  const transposed = new Float32Array(data.length);
  const norms = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < length; k++) {
      transposed[k * count + i] = -2 * data[i * length + k];
      norms[i] += data[i * length + k] ** 2;
    }
  }
  const products = b.Add(b.MatMul(rows, b.floats(transposed, [length, count])), b.floats(norms));
  b.node('ArgMin', [products], { axis: 1, keepdims: 0 }, ['places']);
  const least = b.node('ReduceMin', [products, b.ints([1])], { keepdims: 0 })[0];
  b.node('Add', [least, b.ReduceSumSquare(rows, [1], false)], {}, ['squares']);
  const inputs = [{ name: 'features', type: 'float32', dims: [1, length, 'H', 'W'] }] as const;
  return b.graph('nearest', inputs, [
    { name: 'squares', type: 'float32', dims: ['P'] },
    { name: 'places', type: 'int64', dims: ['P'] },
  ]);
}

function distanceGraph(gaussian: FeatureGaussian) {
  const { groups, grid } = gaussian;
  const channels = channelsOf(groups);
  const b = new GraphBuilder();
  b.reserve('features');
  b.node('Identity', [appendDistances(b, gaussian, 'features')], {}, ['distances']);
  return b.graph(
    'distances',
    [{ name: 'features', type: 'float32', dims: ['N', channels, grid, grid] }],
    [{ name: 'distances', type: 'float32', dims: ['N', 1, grid, grid] }],
  );
}

/** A map of the grid at the pictures' size, smoothed so that with the smoothing of all maps (`SMOOTHING`) it is by `MAP_SMOOTHING`. */
function atPictureSize(map: Image, pictures: Image): Image {
  const { height, width } = shapeOf(pictures);
  const sigma = Math.sqrt(MAP_SMOOTHING ** 2 - SMOOTHING ** 2) * (Math.min(height, width) / 128);
  return gaussianBlur(resize(map, { height, width }, 'bilinear'), sigma);
}

function part(images: Image, from: number, to: number): Image {
  const size = images.data.length / images.dims[0];
  return float32(images.data.subarray(from * size, to * size), [to - from, ...images.dims.slice(1)]);
}
