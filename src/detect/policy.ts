/**
 * A policy is what `calibrate` derives from good pictures and `openInspector` applies: how pictures are inverted, which statistics
 * their residuals are compared with, and the thresholds of a defect. It belongs to one generator.
 */
import { RgiError } from '../errors.ts';
import type { FeatureGaussian } from '../features/gaussian.ts';
import { channelsOf, pairsOf } from '../features/moments.ts';
import type { FeatureRange } from '../features/network.ts';
import type { Image } from '../images/image.ts';
import { castTensor, float32Data, ints, numbersOf, type Tensor } from '../onnx/tensor.ts';
import type { Appearance } from './appearance.ts';

/** Statistics of the residuals of good pictures, used by `standardised` (`scoring.ts`). */
export interface Statistics {
  /** Mean residual [1,C,H,W]; [1,C,1,1] where all pixels are alike. */
  readonly location: Image;
  /** The lower triangle, row by row, of a matrix that makes residuals white: [1,C(C+1)/2,H,W], or [...,1,1]. */
  readonly whitening: Image;
  /** Of the feature maps, where the policy compares them, too. */
  readonly features?: FeatureGaussian;
}

/** A search: robust inversion with the exact mask (`RgiOptions`, preset 'fast'). */
export interface SearchSettings {
  /** Residual, in grey levels, at which a pixel is masked: lambda (CONTRACT, Masks). */
  readonly thresholdGrey: number;
  /** Weight of the Gaussian prior, mean(z^2)/2. */
  readonly prior: number;
  /** Steps of each search. */
  readonly steps: number;
  /** Searches per picture, where no encoder gives the start. */
  readonly starts: number;
}

/** The same in closed form (`projection.ts`). */
export interface ProjectionSettings {
  /** Residual (root mean square of the channels), in grey levels, at which a pixel is masked. */
  readonly thresholdGrey: number;
  /** Deviation of the residuals of good pixels, in grey levels: the weight of the prior. */
  readonly noiseGrey: number;
  /** Times that the mask is found; 0: the projection of the picture as it is. */
  readonly rounds: number;
}

/** Is it in closed form? */
export function isProjection(settings: SearchSettings | ProjectionSettings): settings is ProjectionSettings {
  return 'rounds' in settings;
}

/** The part of a policy that is written into the model file (`rgi.policies`). */
export interface PolicySettings {
  /** Version of this form. */
  readonly format: 1;
  /** Whole objects at the generator's size, or tiles of a texture or large picture at its own (divided by `scale`). */
  readonly form: 'object' | 'tiles';
  /** Tiles: the factor by which pictures are reduced before they are inspected, at least 1. Objects: 1. */
  readonly scale: number;
  /** Pixels from one tile to the next. */
  readonly stride: number;
  /** How z is found: by a search, or of a generator that is affine in its latents in closed form. */
  readonly inversion: SearchSettings | ProjectionSettings;
  /** How a residual becomes an anomaly map (`scoring.ts`). The member's name is that of stored policies. */
  readonly evidence: {
    /** Width (sigma, pixels) by which residuals are smoothed before they are compared with those of good pictures. */
    readonly blur: number;
    /** Local contrast (`local-contrast.ts`): the level of good maps by the activity around a pixel; absent where it is not used. */
    readonly surround?: {
      /** Sigma of the Gaussian window over which activity is measured, pixels. */
      readonly width: number;
      /** Activities at which `scale` was measured, ascending. */
      readonly activity: readonly number[];
      /** Root mean square of good maps at such activities; maps are divided by it, linearly interpolated. */
      readonly scale: readonly number[];
    };
    /** Width by which the map is smoothed afterwards. */
    readonly smoothing: number;
  };
  /** The second space (`feature-space.ts`); absent where pixels alone are compared. */
  readonly features?: {
    /** The network that the statistics are of. */
    readonly network: {
      /** Name of its file. */
      readonly file: string;
      /** SHA-256 of the file's content. */
      readonly sha256: string;
      /** Range of values at its input. */
      readonly range: FeatureRange;
      /** Side of the pictures that it is given. */
      readonly size: number;
      /** Layers whose maps are compared. */
      readonly layers: readonly string[];
    };
    /** Width (sigma, pixels) by which the feature map is smoothed. */
    readonly smoothing: number;
    /** What the two maps are divided by before they are joined: levels of good pictures. 0: the space is not used. */
    readonly units: { readonly pixels: number; readonly features: number };
  };
  /** The picture as a whole; absent in policies made before it was compared. */
  readonly appearance?: Appearance;
  /** In the anomaly map's units (about 1 on good pixels): of a pixel, and of a picture's score. */
  readonly thresholds: { readonly pixel: number; readonly image: number };
  /** The rates that the thresholds were set for. */
  readonly falseAlarms: {
    /** Share of good pictures called defective; and of good pictures with any region marked, unless `pixel` is given. */
    readonly image: number;
    /** Share of good pixels above the threshold of a pixel. */
    readonly pixel?: number;
  };
  /** Marked regions of fewer pixels are dropped. */
  readonly leastArea: number;
  /**
   * A map's score is the mean of this many of its highest values: a number and no share, since pictures may have any size. That of a
   * picture may be larger (`appearanceScore`).
   */
  readonly scorePixels: number;
  /** The value that is drawn white; 0 is black. */
  readonly displayHigh: number;
  /** What it was made from; plain JSON. */
  readonly calibration: {
    /** Good pictures used for calibration. */
    readonly pictures: number;
    /** Of these, those that the generator was not trained on. */
    readonly unseen: number;
    readonly [fact: string]: unknown;
  };
}

/** A named policy with its statistics: settings, thresholds, and the statistics of good residuals. */
export interface Policy extends PolicySettings {
  /** Letters, digits, - and _, up to 40; 'default' if none was chosen. */
  readonly name: string;
  /** Mean and whitening of good residuals, per pixel or for all alike. */
  readonly statistics: Statistics;
}

const POLICY_NAME = /^[a-z0-9][a-z0-9_-]{0,39}$/i;

/** Throws `usage` for a name that could not stand in a file. */
export function checkPolicyName(name: string): void {
  if (!POLICY_NAME.test(name))
    throw new RgiError(
      'usage',
      `The policy name '${name}' cannot be used: letters, digits, - and _ are allowed, up to 40.`,
    );
}

export function settingsOf({ name: _name, statistics: _statistics, ...settings }: Policy): PolicySettings {
  return settings;
}

/** Throws `model` where the statistics are of pictures of another kind than the generator makes. */
export function checkPolicyFits(
  { name, form, statistics }: Policy,
  generator: { readonly channels: number; readonly height: number; readonly width: number },
): void {
  const [, channels, height, width] = statistics.location.dims;
  const isShared = height === 1 && width === 1;
  const isOfSize = form === 'object' && height === generator.height && width === generator.width;
  if (channels === generator.channels && (isShared || isOfSize)) return;
  throw new RgiError(
    'model',
    `The policy '${name}' was calibrated on pictures of ${channels} channel(s)${isShared ? '' : ` and ${width} x ${height} pixels`}; the generator makes ${generator.channels} channel(s) of ${generator.width} x ${generator.height} pixels. Calibrate again.`,
  );
}

/** Statistics as named arrays, and back; undefined where an array is missing, of another shape, or holds what is no number. */
export function statisticsArrays({ location, whitening, features }: Statistics): Map<string, Tensor> {
  return new Map<string, Tensor>([
    ['location', location],
    ['whitening', whitening],
    // Half precision: a hundred numbers and more at each of a thousand positions.
    ...(features
      ? ([
          ['featureGroups', ints(features.groups)],
          ['featureMean', castTensor(features.mean, 'float16')],
          ['featureWhitening', castTensor(features.whitening, 'float16')],
        ] as const)
      : []),
  ]);
}

export function statisticsFrom(arrays: ReadonlyMap<string, Tensor>): Statistics | undefined {
  const [location, whitening] = [arrays.get('location'), arrays.get('whitening')];
  const fits = (tensor: Tensor | undefined) =>
    tensor?.type === 'float32' &&
    tensor.dims.length === 4 &&
    tensor.dims[0] === 1 &&
    float32Data(tensor).every(Number.isFinite);
  if (!location || !whitening || !fits(location) || !fits(whitening)) return undefined;
  const channels = location.dims[1];
  if (whitening.dims[1] !== (channels * (channels + 1)) / 2) return undefined;
  if (location.dims.slice(2).join() !== whitening.dims.slice(2).join()) return undefined;
  const [groups, mean, factors] = ['featureGroups', 'featureMean', 'featureWhitening'].map((name) => arrays.get(name));
  const own = { location: asImage(location), whitening: asImage(whitening) };
  if (!groups && !mean && !factors) return own;
  const features = groups && mean && factors && featuresFrom(groups, mean, factors);
  return features && { ...own, features };
}

function featuresFrom(sizes: Tensor, mean: Tensor, whitening: Tensor): FeatureGaussian | undefined {
  if (![mean, whitening].every(({ type, dims }) => type === 'float16' && dims.length === 2)) return undefined;
  const groups = numbersOf(sizes);
  if (!groups.every((n) => Number.isSafeInteger(n) && n > 0)) return undefined;
  const [positions, channels] = mean.dims;
  const grid = Math.round(Math.sqrt(positions));
  if (
    grid ** 2 !== positions ||
    channelsOf(groups) !== channels ||
    whitening.dims.join() !== `${positions},${pairsOf(groups)}`
  )
    return undefined;
  const wide = { mean: castTensor(mean, 'float32'), whitening: castTensor(whitening, 'float32') };
  return [wide.mean, wide.whitening].every(({ data }) => data.every(Number.isFinite))
    ? { groups, grid, ...wide }
    : undefined;
}

function asImage(tensor: Tensor): Image {
  return { type: 'float32', dims: tensor.dims, data: float32Data(tensor) };
}
