/**
 * One model of a corrupted picture, for a given reconstruction: which pixels are corrupted, how surely, and how well the reconstruction explains the
 * picture. It is fitted to each picture by EM, with a mean field over the mask:
 *
 *     x_p | m_p = 0 ~ Student's t about y_p, with a scale of its own for each place (`inliers.ts`)
 *     x_p | m_p = 1 ~ flat, plus the values that this picture's outliers repeat    (`outliers.ts`)
 *     m ~ Ising: single pixels or regions, as the picture has them                 (`contiguity.ts`)
 */
import { type Image, type Mask, shapeOf, unionOf } from '../../../images/image.ts';
import { float32 } from '../../../onnx/tensor.ts';
import { fitIsing, type Ising, meanField } from './contiguity.ts';
import { isOutOfDomain, misfitOf } from './domain.ts';
import { fitInliers, type Inliers, type InlierTerms, inlierTerms, ROUNDING, tailWeights } from './inliers.ts';
import { neighbourMean } from './lattice.ts';
import { fitOutliers, flatOutliers, type Outliers, outlierDensity } from './outliers.ts';
import { type KnownMask, type Planes, planesOf, type ScaleTerms } from './planes.ts';

/** What `inferCorruption` is given. */
export interface CorruptionData extends KnownMask {
  /** The picture, [1,C,H,W] in [-1,1]; values beyond are allowed. */
  readonly picture: Image;
  /** What the generator makes of it, G(z), of the same shape. */
  readonly reconstruction: Image;
  /** Standard deviation of intact residuals at each place, [1,1|C,H,W], known from good pictures: in place of a constant. */
  readonly noise?: Image;
}

/** Options of `inferCorruption`; `CORRUPTION_DEFAULTS` has their defaults. */
export interface CorruptionOptions extends ScaleTerms {
  /** Is a covariance of the channels fitted? Where not, their residuals are independent and of one scale. */
  readonly correlated: boolean;
  /** Degrees of freedom of Student's t; infinite for Gaussian residuals. */
  readonly freedom: number;
  /** Values that repeat among the corrupted pixels, at most. */
  readonly values: number;
  /** The greatest coupling of a pixel with its neighbours; 0 for independent pixels. */
  readonly maxCoupling: number;
  /**
   * Share of the picture's pixels that are taken, beforehand, to be intact amid corrupted ones: contiguous residuals that a generator cannot make
   * have to outweigh them before they count as corruption. The share falls to 0 in two thirds of the rounds, so that what is found can grow.
   */
  readonly intactShare: number;
  /** Rounds of EM. */
  readonly rounds: number;
}

/** The defaults; `npm run bench -- masks --ablation` shows what each earns. */
export const CORRUPTION_DEFAULTS: CorruptionOptions = {
  displacement: true,
  brightness: true,
  correlated: true,
  freedom: 3,
  values: 4,
  maxCoupling: 8,
  intactShare: 0.02,
  rounds: 16,
};

/** What the model says of a picture. */
export interface InferredCorruption {
  /** P(corrupted), [1,1,H,W]; the nearer to one half, the less certain. */
  readonly probability: Mask;
  /** 1 = corrupted, where that is likelier, [1,1,H,W]. */
  readonly mask: Mask;
  /** Expected precision of each value, in units of [-1,1]^-2, for a weighted least squares of z: [1,C,H,W]. */
  readonly weights: Image;
  /** log p(x_p | corrupted) of each pixel's value, in units of [-1,1]: [1,1,H,W]. */
  readonly corruptedLogDensity: Image;
  /** Log-likelihood of the picture, in nats for each visible value. */
  readonly evidence: number;
  /** Is the picture none of the generator's kind (`isOutOfDomain`)? Then the mask means nothing. */
  readonly outOfDomain: boolean;
  /** What was fitted. */
  readonly parameters: CorruptionParameters;
}

/** The fitted numbers of the model. */
export interface CorruptionParameters {
  /** Weights of the terms of the variance: constant or the given noise, displacement, brightness. */
  readonly theta: readonly number[];
  /** Covariance of the channels, row by row; its trace is C. */
  readonly covariance: readonly number[];
  /** Log-odds of corruption where the neighbours disagree. */
  readonly field: number;
  /** What agreement of all neighbours adds. */
  readonly coupling: number;
  /** Values that corrupted pixels repeat, [C] each. */
  readonly outlierValues: readonly (readonly number[])[];
  /** Shares of corrupted pixels: flat, and of each value. */
  readonly outlierShares: readonly number[];
}

/** The state of EM. */
interface Fit {
  readonly inliers: Inliers;
  readonly outliers: Outliers;
  readonly ising: Ising;
  /** P(corrupted), [H,W]. */
  readonly q: Float64Array;
}

/** Sweeps of mean field in each round. */
const SWEEPS = 2;

/** Log-odds of corruption that EM begins with: one pixel in ten. */
const FIRST_FIELD = Math.log(1 / 9);

/** Share of the rounds in which the prior for intact pixels falls to 0. */
const FALLING = 2 / 3;

/**
 * Infers the corruption of one picture from its reconstruction.
 *
 * @throws RgiError `input` where shapes differ, or a pixel is to be kept and hidden.
 * @example
 * ```ts
 * import { float32, inferCorruption } from 'rgi';
 *
 * const grey = (values: Float32Array) => float32(values, [1, 1, 16, 16]);
 * const reconstruction = grey(new Float32Array(256));
 * const picture = grey(Float32Array.from({ length: 256 }, (_, p) => (p < 64 ? 0.9 : 0.01 * Math.sin(p))));
 * const { mask } = inferCorruption({ picture, reconstruction });
 * console.log(mask.data.reduce((sum, m) => sum + m, 0)); // 64
 * ```
 */
export function inferCorruption(data: CorruptionData, options: Partial<CorruptionOptions> = {}): InferredCorruption {
  const settings = { ...CORRUPTION_DEFAULTS, ...options };
  const planes = planesOf(data.picture, data.reconstruction, data, settings, data.noise);
  let fit = firstFit(planes, settings);
  for (let round = 0; round < settings.rounds; round++) {
    const share = settings.intactShare * Math.max(0, 1 - round / (FALLING * settings.rounds));
    fit = emRound(fit, planes, settings, share * planes.size);
  }
  return concluded(fit, planes, data);
}

/** Residuals' own scale, no value repeated, and all pixels independent. */
function firstFit(planes: Planes, { freedom }: CorruptionOptions): Fit {
  const { channels, size, residual, features, seen } = planes;
  const covariance = new Float64Array(channels * channels);
  for (let c = 0; c < channels; c++) covariance[c * channels + c] = 1;
  const energy = new Float64Array(size);
  residual.forEach((r, i) => {
    energy[i % size] += r ** 2 / channels;
  });
  const sorted = energy.filter((_, p) => seen[p] === 1).sort();
  // Twice the lower quartile of the absolute residuals: half of the pixels may be corrupted.
  const scale = Math.max(MIN_VARIANCE, 4 * (sorted[Math.floor(sorted.length / 4)] ?? 1));
  const theta = Float64Array.from(features, (feature, j) => {
    const mean = feature.reduce((sum, f) => sum + f / size, 0);
    return (j === 0 ? 1 : 0.1) * (scale / Math.max(mean, MIN_VARIANCE));
  });
  return {
    inliers: { theta, covariance, freedom },
    outliers: flatOutliers(planes),
    ising: { field: FIRST_FIELD, coupling: 0 },
    q: Float64Array.from(planes.given),
  };
}

/** A seventh of a grey level, squared: less than what 8 bits resolve. */
const MIN_VARIANCE = 1e-6;

function emRound(fit: Fit, planes: Planes, settings: CorruptionOptions, intactPixels: number): Fit {
  const { open, seen, lattice } = planes;
  const terms = inlierTerms(fit.inliers, planes);
  const evidence = outlierDensity(fit.outliers, planes).map((out, p) => out - terms.logDensity[p]);
  const q = meanField(fit.ising, fit.q, evidence, planes, SWEEPS);
  const intact = q.map((m, p) => (seen[p] === 1 ? 1 - m : 0));
  const corrupted = q.map((m, p) => (seen[p] === 1 ? m : 0));
  const byFlatLaw = terms.logDensity.map((own) => fit.outliers.logFlat - own);
  const inliers = fitInliers(fit.inliers, terms, planes, intact, settings.correlated);
  const outliers = fitOutliers(fit.outliers, planes, corrupted, meanField(fit.ising, q, byFlatLaw, planes, 1), {
    most: settings.values,
    variance: weightedMean(terms.variance, intact),
  });
  const ising = fitIsing(fit.ising, q, open, lattice, { maxCoupling: settings.maxCoupling, intact: intactPixels });
  return { inliers, outliers, ising, q };
}

function weightedMean(values: Float64Array, weights: Float64Array): number {
  let [sum, total] = [0, Number.MIN_VALUE];
  for (let p = 0; p < values.length; p++) {
    sum += weights[p] * values[p];
    total += weights[p];
  }
  return Math.max(sum / total, ROUNDING);
}

function concluded(fit: Fit, planes: Planes, { picture, reconstruction, missing }: CorruptionData): InferredCorruption {
  const { channels, size, seen } = planes;
  const { inliers, outliers, ising, q } = fit;
  const { height, width } = shapeOf(picture);
  const terms = inlierTerms(inliers, planes);
  const tails = tailWeights(terms, inliers, channels);
  const corrupted = outlierDensity(outliers, planes);
  const plane = (data: Float64Array) => float32(Float32Array.from(data), [1, 1, height, width]);
  const mask = plane(q.map((m) => (m > 0.5 ? 1 : 0)));
  const weights = Float32Array.from({ length: channels * size }, (_, i) => {
    const p = i % size;
    return seen[p] === 1 ? ((1 - q[p]) * tails[p]) / terms.variance[p] : 0;
  });
  return {
    probability: plane(q),
    mask,
    weights: float32(weights, picture.dims),
    corruptedLogDensity: plane(corrupted),
    evidence: evidenceOf(fit, terms, corrupted, planes),
    outOfDomain: isOutOfDomain(misfitOf(picture, reconstruction, unionOf(mask, missing))),
    parameters: {
      theta: [...inliers.theta],
      covariance: [...inliers.covariance],
      field: ising.field,
      coupling: ising.coupling,
      outlierValues: outliers.values.map((value) => [...value]),
      outlierShares: [...outliers.shares],
    },
  };
}

/** Mean over the visible values of log p(x_p | the neighbours' q): both cases of the pixel's mask are summed out. */
function evidenceOf({ ising, q }: Fit, { logDensity }: InlierTerms, corrupted: Float64Array, planes: Planes): number {
  const { channels, size, seen, lattice } = planes;
  const neighbours = neighbourMean(q, lattice);
  let [sum, visible] = [0, 0];
  for (let p = 0; p < size; p++) {
    if (seen[p] === 0) continue;
    const odds = ising.field + ising.coupling * neighbours[p];
    const [a, b] = [logDensity[p] - softplus(odds), corrupted[p] - softplus(-odds)];
    sum += Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
    visible += channels;
  }
  return visible > 0 ? sum / visible : 0;
}

function softplus(v: number): number {
  return Math.max(0, v) + Math.log1p(Math.exp(-Math.abs(v)));
}
