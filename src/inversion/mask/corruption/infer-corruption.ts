/**
 * One model of a corrupted picture, for a given reconstruction: which pixels are corrupted, how surely, and how well the reconstruction explains the
 * picture. It is fitted to each picture by EM with a mean field over the mask:
 *
 *     x_p | m_p = 0 ~ Student's t about y_p, scale of its own for each place  (`inliers.ts`)
 *     x_p | m_p = 1 ~ flat, plus what this picture's outliers show           (`outliers.ts`)
 *     m ~ Ising, single pixels or regions as the picture has them            (`contiguity.ts`)
 */
import type { Image, Mask } from '../../../images/image.ts';
import { float32 } from '../../../onnx/tensor.ts';
import { fitIsing, type Ising, meanField, neighbourMean } from './contiguity.ts';
import { fitInliers, type Inliers, type InlierTerms, inlierTerms, tailWeights } from './inliers.ts';
import { fitOutliers, flatOutliers, type Outliers, outlierDensity } from './outliers.ts';
import { type Known, type Planes, planesOf } from './planes.ts';

/** What `inferCorruption` is given. */
export interface CorruptionData extends Known {
  /** The picture, [1,C,H,W] in [-1,1]; values beyond are allowed, and pixels that are not finite are missing. */
  readonly picture: Image;
  /** What the generator makes of it, G(z), of the same shape. */
  readonly reconstruction: Image;
  /** Standard deviation of intact residuals at each place, [1,1|C,H,W], known from good pictures; fitted up to a factor. */
  readonly noise?: Image;
}

/** Options of `inferCorruption`, each with its default in `CORRUPTION_DEFAULTS`. */
export interface CorruptionOptions {
  /** Does the scale of noise follow the gradient of the reconstruction (an edge displaced by part of a pixel)? */
  readonly displacement: boolean;
  /** Does it follow the reconstruction's local variance? */
  readonly texture: boolean;
  /** Does it follow brightness? */
  readonly brightness: boolean;
  /** Are the channels' residuals correlated? */
  readonly correlated: boolean;
  /** Degrees of freedom of Student's t; infinite for Gaussian residuals. */
  readonly freedom: number;
  /** Residuals of an intact pixel that are expected beforehand, in grey levels, and the pixels that this counts for. */
  readonly noiseGrey: number;
  readonly noiseCount: number;
  /** Values that repeat among the corrupted pixels, at most; 0 for none. */
  readonly values: number;
  /** Do the corrupted pixels have a Gaussian beside the flat law? */
  readonly gaussian: boolean;
  /** The greatest coupling of a pixel with its neighbours; 0 for independent pixels. */
  readonly maxCoupling: number;
  /** The likelihood's exponent is 1 / tempering: neighbouring residuals are not independent. */
  readonly tempering: number;
  /** Temperature at which the mask begins; it falls to 1 geometrically in the first half of the rounds. */
  readonly temperature: number;
  /** Rounds of EM. */
  readonly rounds: number;
  readonly intactShare: number;
}

export const CORRUPTION_DEFAULTS: CorruptionOptions = {
  displacement: true,
  texture: true,
  brightness: true,
  correlated: true,
  freedom: 3,
  noiseGrey: 4,
  noiseCount: 100,
  values: 4,
  gaussian: false,
  maxCoupling: 8,
  tempering: 1,
  temperature: 1,
  rounds: 16,
  intactShare: 0.02,
};

/** What the model says of a picture. */
export interface Corruption {
  /** P(corrupted), [1,1,H,W]. */
  readonly probability: Mask;
  /** 1 = corrupted, [1,1,H,W]. */
  readonly mask: Mask;
  /** Expected precision of each value, in units of [-1,1]^-2, for a weighted least squares of z: [1,C,H,W]. */
  readonly weights: Image;
  /** Log-likelihood of the picture, in nats for each visible value. */
  readonly evidence: number;
  /** Is the picture none of the generator's kind, so that nothing can be said of its corruption? */
  readonly outOfDomain: boolean;
  /** What was fitted. */
  readonly parameters: {
    readonly theta: readonly number[];
    readonly covariance: readonly number[];
    readonly field: number;
    readonly coupling: number;
    readonly outlierValues: readonly (readonly number[])[];
    readonly outlierWeights: readonly number[];
  };
}

/** The state of EM. */
interface Fit {
  readonly inliers: Inliers;
  readonly outliers: Outliers;
  readonly ising: Ising;
  /** P(corrupted), [H,W]. */
  readonly q: Float64Array;
}

export function inferCorruption(data: CorruptionData, options: Partial<CorruptionOptions> = {}): Corruption {
  const settings = { ...CORRUPTION_DEFAULTS, ...options };
  const planes = planesOf(data.picture, data.reconstruction, data, settings, data.noise);
  let fit = firstFit(planes, settings);
  for (let round = 0; round < settings.rounds; round++) {
    const progress = Math.min(1, (2 * round) / settings.rounds);
    fit = emRound(fit, planes, settings, Math.max(0, 1 - (1.5 * round) / settings.rounds));
  }
  return conclude(fit, planes);
}

function firstFit(planes: Planes, { freedom }: CorruptionOptions): Fit {
  const { channels, size, residual, features, seen } = planes;
  const covariance = new Float64Array(channels * channels);
  for (let c = 0; c < channels; c++) covariance[c * channels + c] = 1;
  const energy = new Float64Array(size);
  residual.forEach((r, i) => {
    energy[i % size] += (r * r) / channels;
  });
  const sorted = energy.filter((_, p) => seen[p] === 1).sort();
  // Twice the lower quartile: half of the pixels may be corrupted.
  const scale = Math.max(1e-6, 4 * (sorted[Math.floor(sorted.length / 4)] ?? 1));
  const theta = Float64Array.from(features, (feature, j) => {
    let mean = 0;
    for (const f of feature) mean += f / size;
    return j === 0 ? scale / mean : (0.1 * scale) / Math.max(mean, 1e-6);
  });
  return {
    inliers: { theta, covariance, freedom },
    outliers: flatOutliers(planes),
    ising: { field: Math.log(0.1 / 0.9), coupling: 0 },
    q: Float64Array.from(planes.given),
  };
}

function emRound(fit: Fit, planes: Planes, settings: CorruptionOptions, temperature: number): Fit {
  const { channels, size, height, width, open, seen } = planes;
  const terms = inlierTerms(fit.inliers, planes);
  const evidence = evidenceOf(fit, terms, planes, settings.tempering);
  const q = meanField(fit.ising, fit.q, evidence, planes, 3);
  const intact = q.map((m, p) => (seen[p] === 1 ? 1 - m : 0));
  const corrupted = q.map((m, p) => (seen[p] === 1 ? m : 0));
  const prior = { variance: (settings.noiseGrey / 127.5) ** 2, count: settings.noiseCount };
  const inliers = fitInliers(fit.inliers, terms, planes, intact, {
    prior,
    rounds: 3,
    correlated: settings.correlated && channels > 1,
  });
  const misfit = meanField(fit.ising, q, flatEvidence(fit, terms, settings.tempering), planes, 1);
  const spread = averageVariance(terms, intact, size);
  const outliers = fitOutliers(fit.outliers, planes, corrupted, misfit, settings, spread);
  const ising = fitIsing(fit.ising, q, neighbourMean(q, height, width), open, {
    maxCoupling: settings.maxCoupling,
    count: settings.intactShare * size * temperature,
  });
  return { inliers, outliers, ising, q };
}

function averageVariance({ variance }: InlierTerms, intact: Float64Array, size: number): number {
  let [sum, total] = [0, 1e-9];
  for (let p = 0; p < size; p++) {
    sum += intact[p] * variance[p];
    total += intact[p];
  }
  return Math.max(sum / total, 1e-6);
}

/** The same with the flat law of corrupted values alone. */
function flatEvidence({ outliers }: Fit, { logDensity }: InlierTerms, tempering: number): Float64Array {
  return logDensity.map((intact) => (outliers.logFlat - intact) / tempering);
}

/** log p(x_p | corrupted) - log p(x_p | intact), tempered. */
function evidenceOf({ outliers }: Fit, { logDensity }: InlierTerms, planes: Planes, tempering: number): Float64Array {
  return outlierDensity(outliers, planes).map((out, p) => (out - logDensity[p]) / tempering);
}

function conclude(fit: Fit, planes: Planes): Corruption & { llr: Float64Array } {
  const { channels, height, width, size, seen } = planes;
  const { inliers, outliers, ising, q } = fit;
  const terms = inlierTerms(inliers, planes);
  const tails = tailWeights(terms, inliers, channels);
  const out = outlierDensity(outliers, planes);
  const neighbours = neighbourMean(q, height, width);
  let [evidence, visible] = [0, 0];
  for (let p = 0; p < size; p++) {
    if (seen[p] === 0) continue;
    const prior = 1 / (1 + Math.exp(-ising.field - ising.coupling * neighbours[p]));
    const [a, b] = [Math.log(1 - prior) + terms.logDensity[p], Math.log(prior) + out[p]];
    evidence += Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
    visible += channels;
  }
  const plane = (data: Float64Array) => float32(Float32Array.from(data), [1, 1, height, width]);
  const mask = plane(q.map((m) => (m > 0.5 ? 1 : 0)));
  return {
    probability: plane(q),
    mask,
    weights: float32(
      Float32Array.from({ length: channels * size }, (_, i) => {
        const p = i % size;
        return seen[p] === 0 ? 0 : ((1 - q[p]) * tails[p]) / terms.variance[p];
      }),
      [1, channels, height, width],
    ),
    evidence: visible > 0 ? evidence / visible : 0,
    outOfDomain: false,
    llr: out.map((v, p) => v - terms.logDensity[p]),
    parameters: {
      theta: [...inliers.theta],
      covariance: [...inliers.covariance],
      field: ising.field,
      coupling: ising.coupling,
      outlierValues: outliers.values.map((value) => [...value]),
      outlierWeights: [...outliers.weights],
    },
  };
}
