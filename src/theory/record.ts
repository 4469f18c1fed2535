/** The numbers of the experiments, as plain data: what `theory.json` holds. */
import type { EstimatorName } from './estimators.ts';

/**
 * path: the theorems, along thresholds towards 0. fraction, weak, gap, pictures: where their assumptions break (too much
 * corrupted; corruption that differs little from G(z*); clean pictures off the manifold). relatives: other M-estimators.
 */
export type PathExperiment = 'path' | 'fraction' | 'weak' | 'gap' | 'pictures' | 'relatives';

/** tuning: R-RGI against the number of steps in which the generator's weights move. */
export type Experiment = PathExperiment | 'tuning';

/** All experiments, in the order in which they are run. */
export const EXPERIMENTS: readonly Experiment[] = [
  'path',
  'fraction',
  'weak',
  'gap',
  'pictures',
  'relatives',
  'tuning',
];

/** Errors of one restored picture; lengths in grey levels (1/127.5 of the unit). */
export interface Errors {
  /** What was minimised, at its end. */
  readonly objective: number;
  /** ||z - z*|| / ||z*||, both scaled to one length where only the direction counts; null without a z*. */
  readonly z: number | null;
  /** RMS of G(z) - clean: whole, where corrupted, where not (null where there are no such pixels); PSNR of the clipped G(z). */
  readonly rms: number;
  readonly rmsInside: number | null;
  readonly rmsOutside: number | null;
  readonly psnr: number | null;
  /** Of M > 1/2 against the truth M*, and the mean of |M - M*|; null without a mask. */
  readonly mask: MaskErrors | null;
}

export interface MaskErrors {
  readonly iou: number;
  /** Share of the intact pixels that are masked, and of the corrupted ones that are not. */
  readonly falsePositives: number;
  readonly misses: number;
  readonly distance: number;
}

/** One threshold: the errors of every picture, from the chosen starts (the lowest objective) and from z*. */
export interface Point {
  readonly grey: number;
  readonly lambda: number;
  readonly search: readonly Errors[];
  readonly truth?: readonly Errors[];
}

export interface PathCell {
  readonly kind: 'path';
  readonly key: string;
  readonly experiment: PathExperiment;
  readonly case: string;
  readonly estimator: EstimatorName;
  /** The share corrupted, the deviation or the gap in grey levels. */
  readonly level?: number;
  readonly points: readonly Point[];
}

/** R-RGI on one kind of gap: the errors of every picture against the number of steps of the weights. */
export interface TuningCell {
  readonly kind: 'tuning';
  readonly key: string;
  readonly experiment: 'tuning';
  readonly case: string;
  readonly gap: GapKind;
  readonly level: number;
  /** RMS of the clean pictures to the G(z*) they were made from, grey levels: median. */
  readonly gapGrey: number;
  /** Was the true mask given? */
  readonly maskGiven: boolean;
  readonly points: readonly TuningPoint[];
}

/** smooth: a smooth random field is added to G(z*). weights: G(z*) is made by a G with perturbed weights. */
export type GapKind = 'smooth' | 'weights';

export interface TuningPoint {
  readonly weightSteps: number;
  readonly errors: readonly Errors[];
  /** RMS of G(z) to the corrupted values where corrupted: overfitting shows as its fall. */
  readonly toCorruption: readonly number[];
}

/** The results of one experiment on one case. */
export type Cell = PathCell | TuningCell;

/** Which of z can be found at all. */
export interface Invariance {
  /** G(2z) = G(z): only z's direction counts. */
  readonly scale: boolean;
  /** The same as a sentence for a reader. */
  readonly sentence: string;
}

/** What `theory.json` holds. */
export interface Theory {
  /** Version of this form. */
  readonly format: 1;
  /** Have all planned cells been computed? */
  readonly complete: boolean;
  /** The command that was run. */
  readonly command: string;
  /** Of rgi, ONNX Runtime and Node, by name. */
  readonly versions: Readonly<Record<string, string>>;
  /** The device that computed it. */
  readonly device: string;
  /** Everything the numbers depend on. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Which of z can be found at all with this generator. */
  readonly invariance: Invariance;
  /** Sentences that a reader should know. */
  readonly notes: readonly string[];
  /** Of the last run: those before it, which it resumed, are not counted. */
  readonly seconds: number;
  /** In the order in which they were computed. */
  readonly cells: readonly Cell[];
}
