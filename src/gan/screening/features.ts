/**
 * How far pictures are from the others in feature maps, by a Gaussian at each position, as a policy compares them (`detect/feature-space.ts`).
 * But some of the others are defective, too, and a Gaussian that has learnt a defect finds it normal. So a picture that stands out is masked
 * where it does, and what is left is learnt again: the exact mask of RGI, position by position, used in learning.
 */

import { featureChannels, openExtractor } from '../../features/extraction.ts';
import { type FeatureGaussian, gaussianOf, POOLED } from '../../features/gaussian.ts';
import { channelsOf, type Moments, noMoments, pairsOf, togetherOf, withMaps } from '../../features/moments.ts';
import type { FeatureNetwork } from '../../features/network.ts';
import { type Image, shapeOf, stackImages } from '../../images/image.ts';
import { float32 } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { inUsualUnits, partsOf, ranked, type ScreeningJob, scoreOf } from './scores.ts';

/** Positions of the feature maps along each side where nothing is said. */
export const SCREENING_GRID = 16;

/** In suspect pictures, positions are masked whose distance is above this multiple of the usual one. */
const MASKED = 1.6;

/** Pictures whose features are extracted together. */
const TOGETHER = 16;

/** Scores of pictures [1,C,H,W] in [-1,1] of one size, C being 1 or 3; about 1 to 1.5 of ordinary ones. */
export async function featureScores(
  images: readonly Image[],
  network: FeatureNetwork,
  runtime: Runtime,
  { grid, rounds, limit, beforePart, onShare }: ScreeningJob,
): Promise<readonly number[]> {
  const maps = await extracted(images, network, grid, runtime, (share) => {
    beforePart();
    onShare(share / 2);
  });
  let hidden = maps.map(() => new Uint8Array(grid ** 2));
  let scores: readonly number[] = [];
  for (let round = 0; round < rounds; round++) {
    const relative = inUsualUnits(await comparedWithOthers(maps, hidden, beforePart));
    scores = relative.map(scoreOf);
    const suspects = ranked(scores).map((rank) => rank > limit);
    hidden = relative.map((map, i) => Uint8Array.from(map, (v) => (suspects[i] && v > MASKED ? 1 : 0)));
    onShare(0.5 + (0.5 * (round + 1)) / rounds);
  }
  return scores;
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
  const { parts, partOf } = partsOf(maps.length);
  const groups = [maps[0].dims[1]];
  const moments = Array.from({ length: parts }, () => noMoments(maps[0], groups));
  for (const [i, map] of maps.entries()) withMaps(moments[partOf(i)], map, hidden[i]);
  const gaussians: FeatureGaussian[] = [];
  for (const part of moments.keys()) {
    beforePart();
    gaussians.push(gaussianOf(othersOf(moments, part), { pooled: POOLED }));
    // A browser's page and a signal are heard between parts.
    await new Promise((resolve) => setTimeout(resolve));
  }
  return maps.map((map, i) => distancesOf(gaussians[partOf(i)], map));
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
