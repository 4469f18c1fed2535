/**
 * A policy of two spaces: pixels and features, their maps joined. It is always both: defects drawn on good pictures say too little about real ones
 * to choose by them. On subsets of BSData they preferred pixels alone, by which real defects were found with a third of the AP of both.
 */

import type { FeatureGaussian } from '../features/gaussian.ts';
import type { FeatureNetwork } from '../features/network.ts';
import { type Image, shapeOf } from '../images/image.ts';
import { castTensor } from '../onnx/tensor.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { CalibrationSetup } from './calibration-setup.ts';
import { joined, type Measured, measuredMaps } from './candidates.ts';
import { type FeatureHooks, featureSmoothing, fitFeatures } from './feature-space.ts';
import { type Residuals, residualsOf } from './folds.ts';
import { type JoinUnits, joinedMap, joinUnits, type Spaces } from './joining.ts';
import type { PolicySettings } from './policy.ts';
import { drawnSample, type Trial } from './selection.ts';

/** A feature network, and the good pictures that its statistics are of. */
export interface FeatureSource {
  /** What pictures are compared by. */
  readonly network: FeatureNetwork;
  /** Name of its file, by which a policy finds it again. */
  readonly file: string;
  /** SHA-256 of the file's content, in hexadecimal. */
  readonly sha256: string;
  /** Good pictures [1,C,H,W] beside those that set thresholds: those that the generator was trained on, for instance. Default none. */
  readonly learnt?: readonly Image[];
  /** Names of these, for the list of the oddest ones; default: their numbers. */
  readonly learntNames?: readonly string[];
  /** The group of each of these, where near-duplicates are known to go together. */
  readonly learntGroups?: readonly number[];
}

/** Good pictures that thresholds are set on. */
export interface JudgedPictures {
  readonly pictures: readonly Image[];
  /** The part of each, by statistics of whose others it is judged. */
  readonly folds: readonly number[];
  readonly names: readonly string[];
}

/** How residuals become maps of pixels. */
export interface PixelMaps {
  readonly evidence: PolicySettings['evidence'];
  /** Maps of the unseen pictures, each by statistics of the others. */
  readonly good: readonly Image[];
  /** The same of other residuals, of the unseen pictures `places` with something drawn on them. */
  mapsOf(residuals: readonly Image[], places: readonly number[]): Image[];
}

export interface SpaceJob {
  readonly source: FeatureSource;
  readonly setup: CalibrationSetup;
  readonly best: Trial;
  readonly residuals: Residuals;
  readonly pixels: PixelMaps;
  /** Which of the unseen pictures the residuals are of. */
  readonly used: readonly number[];
}

export interface JoinedSpaces {
  readonly spaces: Spaces;
  readonly measured: Measured;
  readonly compared: Readonly<Partial<Record<Spaces, Measured>>>;
  readonly scorePixels: number;
  /** Where features alone set the thresholds: all good pictures. Absent: the unseen ones. */
  readonly judged?: JudgedPictures;
  /** Maps in these spaces of the pictures that are judged. */
  readonly good: readonly Image[];
  readonly settings: NonNullable<PolicySettings['features']>;
  readonly gaussian: FeatureGaussian;
}

/** Both spaces; beside them, for the record, how well each alone finds the drawn defects. */
export async function joinSpaces(job: SpaceJob, runtime: Runtime, hooks: FeatureHooks): Promise<JoinedSpaces> {
  const { source, setup, best, residuals, pixels, used } = job;
  const sample = drawnSample(setup);
  const drawn = sample.drawn.flatMap(({ image, mask }, i) => {
    const place = used.indexOf(sample.chosen[i]);
    return place < 0 ? [] : [{ image, mask, place }];
  });
  const places = drawn.map(({ place }) => place);
  const images = drawn.map(({ image }) => image);
  const fitted = await fitFeatures(
    {
      network: source.network,
      unseen: used.map((i) => setup.unseen[i]),
      folds: residuals.folds,
      seen: source.learnt ?? [],
      drawn: images,
      drawnFolds: places.map((place) => residuals.folds[place]),
    },
    runtime,
    hooks,
  );
  const restored = await setup.restore(best.inversion, images);
  const drawnPixels = pixels.mapsOf(residualsOf(restored, best.candidate.blur), places);
  const labels = joined(drawn.map(({ mask }) => mask));
  const tried = (['both', 'pixels', 'features'] as const).map((spaces) => {
    const units = joinUnits(pixels.good, fitted.unseen, spaces);
    const good = pixels.good.map((map, i) => joinedMap(map, fitted.unseen[i], units));
    const bad = drawnPixels.map((map, i) => joinedMap(map, fitted.drawn[i], units));
    const clean = places.map((place) => good[place]);
    return { spaces, units, good, ...measuredMaps(clean, bad, labels) };
  });
  const compared = Object.fromEntries(tried.map(({ spaces, measured }) => [spaces, measured]));
  const [{ spaces, measured, scorePixels, good, units }] = tried;
  return {
    spaces,
    measured,
    compared,
    scorePixels,
    good,
    settings: featureSettings(source, shapeOf(images[0]), units),
    gaussian: storedGaussian(fitted.gaussian),
  };
}

/** What a policy says of the features that it compares. */
export function featureSettings(
  { network, file, sha256 }: FeatureSource,
  size: { readonly height: number; readonly width: number },
  units: JoinUnits,
): NonNullable<PolicySettings['features']> {
  const layers = network.layers.map(({ name }) => name);
  return {
    network: { file, sha256, range: network.range, size: network.size, layers },
    smoothing: featureSmoothing(size),
    units,
  };
}

/** The statistics as they are read back: half precision is kept of them. */
export function storedGaussian({ mean, whitening, ...rest }: FeatureGaussian): FeatureGaussian {
  const half = (tensor: FeatureGaussian['mean']) => castTensor(castTensor(tensor, 'float16'), 'float32');
  return { ...rest, mean: half(mean), whitening: half(whitening) };
}
