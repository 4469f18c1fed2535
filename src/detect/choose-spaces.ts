/**
 * Which spaces a policy compares pictures in: pixels, features, or both. Decided on good pictures alone, by how well the defects drawn on
 * some of them are found. Both is what is used unless one alone is clearly better: drawn defects say little about real ones.
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

export interface ChosenSpaces {
  readonly spaces: Spaces;
  readonly measured: Measured;
  readonly compared: Readonly<Partial<Record<Spaces, Measured>>>;
  readonly scorePixels: number;
  /** Where features alone set the thresholds: all good pictures. Absent: the unseen ones. */
  readonly judged?: JudgedPictures;
  /** Maps in the chosen spaces of the pictures that are judged. */
  readonly good: readonly Image[];
  /** Absent where pixels alone were chosen. */
  readonly settings?: NonNullable<PolicySettings['features']>;
  readonly gaussian?: FeatureGaussian;
}

/** Unseen pictures from which drawn defects tell which space is better; of fewer, both are used. */
const MIN_TO_CHOOSE = 30;

export async function chooseSpaces(job: SpaceJob, runtime: Runtime, hooks: FeatureHooks): Promise<ChosenSpaces> {
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
  // On 15 pictures of BSData pixels alone led by .05, and found a third of what both find.
  const lead = used.length < MIN_TO_CHOOSE ? Number.POSITIVE_INFINITY : setup.lead;
  const chosen = tried.reduce((kept, other) => (other.score > kept.score + lead ? other : kept));
  const compared = Object.fromEntries(tried.map(({ spaces, measured }) => [spaces, measured]));
  const { spaces, measured, scorePixels } = chosen;
  const told = { spaces, measured, compared, scorePixels };
  if (spaces === 'pixels') return { ...told, good: pixels.good };
  return {
    ...told,
    good: chosen.good,
    settings: featureSettings(source, shapeOf(images[0]), chosen.units),
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
