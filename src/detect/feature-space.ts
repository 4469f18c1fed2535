/**
 * The second space of a policy: pictures are compared with good ones in the feature maps of a pretrained network, by a Gaussian at each
 * position (`features/gaussian.ts`). Fitting it is not robust and need not be: the mean of good feature maps, or their projection on a few
 * components, finds defects better than an inversion that fits them (docs/dropped.md).
 */
import { featureChannels, openExtractor, type PictureSize } from '../features/extraction.ts';
import { type FeatureGaussian, gaussianOf, POOLED, withLevels } from '../features/gaussian.ts';
import { type Moments, noMoments, togetherOf, withMaps } from '../features/moments.ts';
import type { FeatureNetwork } from '../features/network.ts';
import { scoringGraph } from '../features/scoring.ts';
import { type Image, imageAt, type Size, shapeOf, stackImages } from '../images/image.ts';
import { gaussianBlur, resize } from '../images/resize.ts';
import { encodeModel } from '../onnx/encode.ts';
import type { Runtime } from '../runtime/runtime.ts';

/** Pictures that are scored, or whose features are held, together. */
const TOGETHER = 16;

/** Sigma of feature maps, pixels of a picture of size 128: half the distance between two positions of the grid. */
const SMOOTHING = 2;

/** Levels: the power whose mean is taken; pictures that the common level counts for in each; sigma in positions of the grid. */
const LEVEL_POWER = 4;
const LEVEL_WEIGHT = 32;
const LEVEL_SMOOTHING = 1;

/** The sigma of feature maps for pictures of a size. */
export function featureSmoothing({ height, width }: Size): number {
  return (SMOOTHING * Math.min(height, width)) / 128;
}

export interface FeatureScorer {
  /** Distances [1,1,grid,grid] of pictures [1,C,H,W] of one size; about 1 where a picture is good. */
  score(images: readonly Image[]): Promise<Image[]>;
  dispose(): Promise<void>;
}

export async function openFeatureScorer(
  network: FeatureNetwork,
  gaussian: FeatureGaussian,
  picture: PictureSize,
  runtime: Runtime,
): Promise<FeatureScorer> {
  const session = await runtime.session(encodeModel(scoringGraph(network, gaussian, picture)));
  const together = network.batch === 'any' ? TOGETHER : network.batch;
  return {
    async score(images) {
      const maps: Image[] = [];
      for (let from = 0; from < images.length; from += together) {
        const part = images.slice(from, from + together);
        // A network exported for a fixed batch is given full ones.
        const filled = network.batch === 'any' ? part : Array.from({ length: together }, (_, i) => part[i] ?? part[0]);
        const made = (await session.run(new Map([['image', stackImages(filled)]]))).get('distances') as Image;
        for (const i of part.keys()) maps.push(imageAt(made, i));
      }
      return maps;
    },
    dispose: () => session.dispose(),
  };
}

/** A map of the grid at a picture's size, smoothed. */
export function featureMap(distances: Image, { height, width }: Size, smoothing: number): Image {
  return gaussianBlur(resize(distances, { height, width }, 'bilinear'), smoothing);
}

/** Good pictures, and what is to be scored by statistics of the parts that it does not belong to. */
export interface FeatureJob {
  readonly network: FeatureNetwork;
  /** Pictures [1,C,H,W] of one size that set thresholds, and the part of each. */
  readonly unseen: readonly Image[];
  readonly folds: readonly number[];
  /** Other good pictures. */
  readonly seen: readonly Image[];
  /** Pictures with defects drawn on them, and the part that the good picture of each belongs to. */
  readonly drawn: readonly Image[];
  readonly drawnFolds: readonly number[];
}

export interface FeatureHooks {
  readonly onProgress?: (share: number) => void;
  readonly signal?: AbortSignal;
}

export interface FittedFeatures {
  /** The statistics of all good pictures. */
  readonly gaussian: FeatureGaussian;
  /** Maps at the pictures' size of `unseen` and `drawn`, each by statistics of the other parts. */
  readonly unseen: readonly Image[];
  readonly drawn: readonly Image[];
}

/** Fits the Gaussian, and scores each picture by the statistics of the others. Throws the signal's reason when that is aborted. */
export async function fitFeatures(
  job: FeatureJob,
  runtime: Runtime,
  hooks: FeatureHooks = {},
): Promise<FittedFeatures> {
  const { network, unseen, folds, drawn, drawnFolds } = job;
  const size = shapeOf(unseen[0]);
  const { always, parts } = await gather(job, runtime, hooks);
  const raw = { unseen: new Array<Image>(unseen.length), drawn: new Array<Image>(drawn.length) };
  for (const fold of parts.keys()) {
    hooks.signal?.throwIfAborted();
    const others = gaussianOf(togetherOf([always, ...parts.filter((_, i) => i !== fold)]), { pooled: POOLED });
    const scorer = await openFeatureScorer(network, others, size, runtime);
    try {
      await scoreFold(scorer, unseen, folds, fold, raw.unseen);
      await scoreFold(scorer, drawn, drawnFolds, fold, raw.drawn);
    } finally {
      await scorer.dispose();
    }
    hooks.onProgress?.(0.7 + (0.3 * (fold + 1)) / parts.length);
  }
  const smoothing = featureSmoothing(size);
  // Of the other parts, like the statistics: a picture that takes part in its own level looks better than a new one can.
  const levels = Array.from(parts, (_, fold) => levelsOf(raw.unseen.filter((_, i) => folds[i] !== fold)));
  const finished = (map: Image, fold: number) =>
    featureMap({ ...map, data: map.data.map((v, p) => v / levels[fold][p]) }, size, smoothing);
  return {
    gaussian: withLevels(gaussianOf(togetherOf([always, ...parts]), { pooled: POOLED }), levelsOf(raw.unseen)),
    unseen: raw.unseen.map((map, i) => finished(map, folds[i])),
    drawn: raw.drawn.map((map, i) => finished(map, drawnFolds[i])),
  };
}

async function scoreFold(
  scorer: FeatureScorer,
  images: readonly Image[],
  folds: readonly number[],
  fold: number,
  into: Image[],
): Promise<void> {
  const places = [...images.keys()].filter((i) => folds[i] === fold);
  const maps = await scorer.score(places.map((i) => images[i]));
  places.forEach((place, i) => {
    into[place] = maps[i];
  });
}

/** Moments of the seen pictures, and of each part of the others. */
async function gather(
  { network, unseen, folds, seen }: FeatureJob,
  runtime: Runtime,
  { onProgress, signal }: FeatureHooks,
): Promise<{ always: Moments; parts: Moments[] }> {
  const extractor = await openExtractor(network, shapeOf(unseen[0]), runtime);
  const groups = [featureChannels(network)];
  const total = unseen.length + seen.length;
  let done = 0;
  try {
    const origin = await extractor.extract(unseen[0]);
    const momentsOf = async (images: readonly Image[]) => {
      let moments = noMoments(origin, groups);
      for (let from = 0; from < images.length; from += TOGETHER) {
        signal?.throwIfAborted();
        const part = images.slice(from, from + TOGETHER);
        moments = withMaps(moments, await extractor.extract(stackImages(part)));
        done += part.length;
        onProgress?.((0.7 * done) / total);
      }
      return moments;
    };
    const parts: Moments[] = [];
    for (let fold = 0; fold <= Math.max(...folds); fold++)
      parts.push(await momentsOf(unseen.filter((_, i) => folds[i] === fold)));
    return { always: await momentsOf(seen), parts };
  } finally {
    await extractor.dispose();
  }
}

/**
 * The level of distances at each position, of good pictures that the statistics are not of: the root of the mean fourth power, drawn to that
 * of all positions, and smoothed. Where good pictures differ in ways that few of them show, it is above the others', and what is found there
 * counts for less. (With the mean, positions that seldom differ, but then by much, count for more than without levels.)
 */
function levelsOf(maps: readonly Image[]): Float32Array {
  const power = (sum: number, count: number) => Math.max((sum / count) ** (1 / LEVEL_POWER), 1e-6);
  const sums = new Float64Array(maps[0].data.length);
  for (const { data } of maps) for (let p = 0; p < sums.length; p++) sums[p] += data[p] ** LEVEL_POWER;
  const common = power(
    sums.reduce((sum, v) => sum + v, 0),
    sums.length * maps.length,
  );
  const own = maps.length / (maps.length + LEVEL_WEIGHT);
  const levels = Float32Array.from(sums, (sum) => own * power(sum, maps.length) + (1 - own) * common);
  return gaussianBlur({ ...maps[0], data: levels }, LEVEL_SMOOTHING).data;
}
