/**
 * Which pictures of a folder that need not be clean look defective. Each is compared with the others in feature maps, by a Gaussian at each
 * position, as a policy does (`detect/feature-space.ts`); but some of the others are defective, too, and a Gaussian that has learnt a
 * defect finds it normal. So a picture that stands out is masked where it does, and what is left is learnt again: the exact mask of RGI,
 * position by position, used in learning.
 */
import { median } from '../arrays/sort.ts';
import { type Image, shapeOf, stackImages } from '../images/image.ts';
import { float32 } from '../onnx/tensor.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { featureChannels, openExtractor } from './extraction.ts';
import { type FeatureGaussian, gaussianOf, POOLED } from './gaussian.ts';
import { channelsOf, type Moments, noMoments, pairsOf, togetherOf, withMaps } from './moments.ts';
import type { FeatureNetwork } from './network.ts';
import { density, twoPopulationsOf } from './two-populations.ts';

/**
 * What a screening is made with. The defaults were chosen by the AP on test pictures: those of BSData, and the limit with its rule, one of seven,
 * on BSData, magnetic tiles and boards (docs/figures.md).
 */
export interface ScreeningOptions {
  /** Positions of the feature maps along each side; default 16. */
  readonly grid?: number;
  /** Rounds of finding masks and learning without what they hide; default 4. */
  readonly rounds?: number;
  /**
   * Where the log scores are of two populations, the ordinary ones being the lower, a picture is suspect whose own is this many deviations
   * of the ordinary ones above theirs; default 3.
   */
  readonly limit?: number;
  /** In suspect pictures, positions are masked whose distance is above this multiple of the usual one; default 1.6. */
  readonly masked?: number;
}

export interface ScreeningHooks {
  readonly onProgress?: (share: number) => void;
  readonly signal?: AbortSignal;
}

/** What was found of each picture, in their order. */
export interface Screening {
  /** Mean of the largest distances from what the other pictures have at these places; about 1 to 1.5 of ordinary pictures. */
  readonly scores: readonly number[];
  /** Above this score pictures are suspect; infinite where none is. */
  readonly limit: number;
  readonly suspects: readonly boolean[];
}

/** Positions of the feature maps along each side where nothing is said. */
export const SCREENING_GRID = 16;

const DEFAULTS = { grid: SCREENING_GRID, rounds: 4, limit: 3, masked: 1.6 } as const;

/** Pictures are compared with those of the other parts; neighbours, which are often near-duplicates, are in the same one. */
const PARTS = 4;

/** Positions whose mean distance is a picture's score. */
const SCORED = 4;

/** Pictures whose features are extracted, and whose moments are added, together. */
const TOGETHER = 16;

/**
 * Screens pictures [1,C,H,W] in [-1,1] of one size, C being 1 or 3. A quarter of a folder and more may be defective, as long as
 * the ordinary pictures are alike. Throws the signal's reason when that is aborted.
 */
export async function screenPictures(
  images: readonly Image[],
  network: FeatureNetwork,
  runtime: Runtime,
  options: ScreeningOptions = {},
  { onProgress, signal }: ScreeningHooks = {},
): Promise<Screening> {
  const settings = { ...DEFAULTS, ...options };
  const maps = await extracted(images, network, settings.grid, runtime, (share) => {
    signal?.throwIfAborted();
    onProgress?.(share / 2);
  });
  let hidden = maps.map(() => new Uint8Array(settings.grid ** 2));
  let found: Screening = { scores: [], limit: Number.POSITIVE_INFINITY, suspects: [] };
  for (let round = 0; round < settings.rounds; round++) {
    const distances = await comparedWithOthers(maps, hidden, () => signal?.throwIfAborted());
    const relative = inUsualUnits(distances);
    found = judged(relative.map(scoreOf), settings.limit);
    const { suspects } = found;
    const hides = relative.map((map, i) => Uint8Array.from(map, (v) => (suspects[i] && v > settings.masked ? 1 : 0)));
    // With the same positions hidden, the next round would find the same.
    const isSettled = hides.every((mask, i) => mask.every((v, p) => v === hidden[i][p]));
    hidden = hides;
    onProgress?.(isSettled ? 1 : 0.5 + (0.5 * (round + 1)) / settings.rounds);
    if (isSettled) break;
  }
  return found;
}

type FeatureMap = ReturnType<typeof float32>;

async function extracted(
  images: readonly Image[],
  network: FeatureNetwork,
  grid: number,
  runtime: Runtime,
  onShare: (share: number) => void,
): Promise<FeatureMap[]> {
  const extractor = await openExtractor(network, shapeOf(images[0]), runtime, grid);
  const dims = [1, featureChannels(network), grid, grid];
  const size = dims.reduce((product, n) => product * n, 1);
  const maps: FeatureMap[] = [];
  try {
    for (let from = 0; from < images.length; from += TOGETHER) {
      onShare(from / images.length);
      const part = images.slice(from, from + TOGETHER);
      const { data } = await extractor.extract(stackImages(part));
      part.forEach((_, i) => {
        maps.push(float32(data.slice(i * size, (i + 1) * size), dims));
      });
    }
  } finally {
    await extractor.dispose();
  }
  return maps;
}

/** Distances [P] of each map by the statistics of the other parts, without what is hidden of these. */
async function comparedWithOthers(
  maps: readonly FeatureMap[],
  hidden: readonly Uint8Array[],
  beforePart: () => void,
): Promise<Float32Array[]> {
  const parts = Math.min(PARTS, maps.length);
  const partOf = (i: number) => Math.floor((i * parts) / maps.length);
  const groups = [maps[0].dims[1]];
  const moments = Array.from({ length: parts }, () => noMoments(maps[0], groups));
  for (let from = 0, to: number; from < maps.length; from = to) {
    to = from + 1;
    while (to < maps.length && to - from < TOGETHER && partOf(to) === partOf(from)) to++;
    withMaps(moments[partOf(from)], stackImages(maps.slice(from, to)), joined(hidden.slice(from, to)));
  }
  const gaussians: FeatureGaussian[] = [];
  for (const part of moments.keys()) {
    beforePart();
    gaussians.push(gaussianOf(othersOf(moments, part), { pooled: POOLED }));
    // A browser's page and a signal are heard between parts.
    await new Promise((resolve) => setTimeout(resolve));
  }
  return maps.map((map, i) => distancesOf(gaussians[partOf(i)], map));
}

function joined(masks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(masks.length * masks[0].length);
  masks.forEach((mask, i) => {
    all.set(mask, i * mask.length);
  });
  return all;
}

function othersOf(moments: readonly Moments[], part: number): Moments {
  const others = moments.filter((_, i) => i !== part);
  return togetherOf(others.length > 0 ? others : moments);
}

/** Distances at each position of one map [1,D,grid,grid]: |W (f - mean)| / sqrt(D) of a Gaussian of one group. */
export function distancesOf({ groups, grid, mean, whitening }: FeatureGaussian, { data }: FeatureMap): Float32Array {
  const positions = grid * grid;
  const channels = channelsOf(groups);
  const pairs = pairsOf(groups);
  const centred = new Float64Array(channels);
  return Float32Array.from({ length: positions }, (_, p) => {
    for (let c = 0; c < channels; c++) centred[c] = data[c * positions + p] - mean.data[p * channels + c];
    let square = 0;
    for (let i = 0, t = p * pairs; i < channels; i++) {
      let sum = 0;
      for (let j = 0; j <= i; j++, t++) sum += whitening.data[t] * centred[j];
      square += sum * sum;
    }
    return Math.sqrt(square / channels);
  });
}

/** Distances in units of the usual one at each position, half of it that of all positions: the median does not see the defects. */
function inUsualUnits(distances: readonly Float32Array[]): Float32Array[] {
  const usual = distances[0].map((_, p) => median(distances.map((map) => map[p])));
  const common = median(usual);
  return distances.map((map) => map.map((v, p) => v / Math.max(0.5 * usual[p] + 0.5 * common, 1e-9)));
}

function scoreOf(map: Float32Array): number {
  return (
    map
      .slice()
      .sort()
      .slice(-SCORED)
      .reduce((sum, v) => sum + v, 0) / Math.min(SCORED, map.length)
  );
}

/**
 * The ordinary pictures are where the scores are densest: the shortest interval that holds half of them (the shorth, Andrews et al. 1972).
 * Their deviation is that below its median, because defective pictures lie above. Nothing is suspect where all scores look like those of
 * one population: rare good pictures look much as defective ones do, and without them the others are learnt worse (docs/figures.md). Nor is
 * anything where the ordinary ones are the upper of two populations, as beside blank pictures or near-duplicates.
 */
function judged(scores: readonly number[], limit: number): Screening {
  const logs = scores.map((v) => Math.log(Math.max(v, 1e-9)));
  const sorted = [...logs].sort((a, b) => a - b);
  const half = (sorted.length + 1) >> 1;
  let first = 0;
  for (let i = 1; i + half < sorted.length; i++)
    if (sorted[i + half] - sorted[i] < sorted[first + half] - sorted[first]) first = i;
  const middle = median(sorted.slice(first, first + half + 1));
  const below = logs.flatMap((v) => (v < middle ? [middle - v] : []));
  // 1.4826: the deviation of a normal law in units of its median absolute deviation.
  const deviation = below.length > 0 ? 1.4826 * median(below) : 0;
  const laws = twoPopulationsOf(logs);
  const isLower = laws !== undefined && density(laws[0], middle) > density(laws[1], middle);
  const above = deviation > 0 && isLower ? middle + limit * deviation : Number.POSITIVE_INFINITY;
  return { scores, limit: Math.exp(above), suspects: logs.map((v) => v > above) };
}
