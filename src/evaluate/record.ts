/**
 * What an evaluation leaves behind. A trial is one picture, one case, one method; a result is what the trials of one set,
 * case and method come to. Restoration and detection share both: for detection the case is the kind of defect.
 */
import type { MetricName } from './metrics.ts';
import type { Summary } from './statistics.ts';

export type EvaluationKind = 'inpaint' | 'detect';

/** The history of a search at a limited number of evenly spaced steps. */
export interface ThinHistory {
  readonly step: readonly number[];
  readonly loss: readonly number[];
  /** Mean |M| over the picture. */
  readonly masked: readonly number[];
}

/** Pictures of a trial, as paths relative to the evaluation's folder. */
export interface TrialPictures {
  /** What the method was given. */
  readonly input: string;
  /** The clean picture, where there is one. */
  readonly truth?: string;
  /** The true mask: corrupted pixels, or the annotated defect. */
  readonly trueMask?: string;
  readonly restored?: string;
  readonly composite?: string;
  /** The found mask. */
  readonly mask?: string;
  /** The residual or anomaly map, on one scale for all pictures. */
  readonly map?: string;
}

export interface Snapshot {
  readonly step: number;
  readonly restored: string;
  readonly mask: string;
}

export interface TrialRecord {
  readonly kind: EvaluationKind;
  /** Hash of everything that decides the scores: a resumed run takes over what has the same key. */
  readonly key: string;
  readonly set: string;
  readonly case: string;
  readonly method: string;
  /** Was the method given the true mask? */
  readonly maskGiven: boolean;
  readonly image: string;
  readonly index: number;
  /** How it ended: a `ResultCode`, 'done' where nothing is searched, 'failed' where it could not be kept. */
  readonly code: string;
  /** Why it could not be kept. */
  readonly message?: string;
  readonly metrics: Readonly<Partial<Record<MetricName, number | null>>>;
  readonly seconds: number;
  /** Detection: the picture's score. */
  readonly score?: number;
  readonly steps?: number;
  readonly loss?: number | null;
  readonly history?: ThinHistory;
  readonly pictures?: TrialPictures;
  readonly snapshots?: readonly Snapshot[];
}

/** A number of all pixels or pictures together, of which there is no mean over pictures. */
export interface Pooled {
  readonly n: number;
  readonly pooled: number;
}

export interface Curve {
  readonly kind: 'roc' | 'pro';
  /** False positive rate against true positive rate or region overlap. */
  readonly x: readonly number[];
  readonly y: readonly number[];
}

export interface Result {
  readonly set: string;
  readonly case: string;
  readonly method: string;
  /** Was the method given the true mask? */
  readonly maskGiven: boolean;
  /** Pictures scored, and those whose search diverged. */
  readonly n: number;
  readonly diverged: number;
  readonly metrics: Readonly<Partial<Record<MetricName, Summary | Pooled>>>;
  readonly curves?: readonly Curve[];
}

export interface Results {
  readonly format: 1;
  readonly kind: EvaluationKind;
  /** False while trials are missing. */
  readonly complete: boolean;
  /** The command that repeats it. */
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly device: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** How each method was resolved, by name. */
  readonly methods: Readonly<Record<string, unknown>>;
  readonly notes: readonly string[];
  /** Pictures that could not be used, and why. */
  readonly failed: readonly { readonly file: string; readonly reason: string }[];
  readonly results: readonly Result[];
  /** Keys of the trials that the results are made of; `journal.jsonl` may hold those of other settings, too. */
  readonly trials: readonly string[];
}

const HISTORY_POINTS = 120;

/** A search's history with at most `points` of its steps, evenly spaced, first and last included, in six digits. */
export function thinned(
  history: { readonly loss: readonly number[]; readonly masked: readonly number[] },
  points = HISTORY_POINTS,
): ThinHistory {
  const { length } = history.loss;
  const count = Math.min(length, points);
  const step = Array.from({ length: count }, (_, i) => (count < 2 ? i : Math.round((i * (length - 1)) / (count - 1))));
  const short = (values: readonly number[]) => step.map((t) => Number(values[t].toPrecision(6)));
  return { step, loss: short(history.loss), masked: short(history.masked) };
}
