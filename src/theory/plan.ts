/** The experiments as data: which corruption, which clean pictures, which estimator, how many pictures. */
import type { Corruption } from '../images/corruptions.ts';
import type { EstimatorName } from './estimators.ts';
import { EXPERIMENTS, type Experiment, type GapKind, type PathExperiment } from './record.ts';

/** Thresholds in grey levels, halved from half the range to one level: the path of lambda towards 0. */
export const PATH: readonly number[] = [128, 64, 32, 16, 8, 4, 2, 1];

/** Steps of the weights after which R-RGI is looked at. */
export const WEIGHT_STEPS: readonly number[] = [0, 10, 25, 50, 100, 200, 400];

export interface PathPlan {
  readonly kind: 'path';
  readonly experiment: PathExperiment;
  readonly case: string;
  readonly corruption: Corruption;
  readonly estimator: EstimatorName;
  readonly level?: number;
  /** RMS, in grey levels, of the smooth field that is added to the clean pictures. */
  readonly gap?: number;
  /** The folder of given pictures, in place of G(z*). */
  readonly pictures?: string;
  readonly count: number;
  /** Is there a search that begins at z*? */
  readonly fromTruth: boolean;
}

export interface TuningPlan {
  readonly kind: 'tuning';
  readonly experiment: 'tuning';
  readonly case: string;
  readonly corruption: Corruption;
  readonly gap: GapKind;
  readonly level: number;
  /** Is R-RGI given the true mask? */
  readonly maskGiven: boolean;
  readonly count: number;
}

/** What one cell computes: a path of thresholds towards 0, or R-RGI over steps of the weights. */
export type Plan = PathPlan | TuningPlan;

/** The paper's values N(-1,1) in three kinds of region. */
const CASES: Readonly<Record<string, Corruption>> = {
  block: { region: { kind: 'block', share: 0.25 } },
  random: { region: { kind: 'random', share: 0.49 } },
  irregular: { region: { kind: 'irregular' } },
};

const FRACTIONS = [0.1, 0.3, 0.5, 0.7, 0.9];
const DEVIATIONS = [4, 8, 16, 32, 64];
const GAPS = [0, 2, 4, 8, 16];
const TUNED_GAPS: readonly (readonly [GapKind, number])[] = [
  ['smooth', 4],
  ['smooth', 16],
  ['weights', 0.02],
  ['weights', 0.1],
];

export interface PlanOptions {
  /** Latents z* of the theorems; the other experiments take shares of them. */
  readonly count: number;
  /** Clean pictures that were given, and their folder. */
  readonly pictures?: { readonly folder: string; readonly count: number };
  /** Default all. */
  readonly experiments?: readonly Experiment[];
}

/** All cells, in the order in which they are run. */
export function planOf({ count, pictures, experiments = EXPERIMENTS }: PlanOptions): Plan[] {
  const all: Plan[] = [
    ...theoremCells(count),
    ...assumptionCells(partOf(count, 3)),
    ...(pictures ? pictureCells(pictures) : []),
    ...relativeCells(partOf(count, 2)),
    ...tuningCells(partOf(count, 6)),
  ];
  return all.filter((plan) => experiments.includes(plan.experiment));
}

function partOf(count: number, divisor: number): number {
  return Math.max(1, Math.ceil(count / divisor));
}

/** The theorems as they are: lambda towards 0, nothing broken. */
function theoremCells(count: number): PathPlan[] {
  return Object.entries(CASES).flatMap(([name, corruption]) =>
    (['rgi-l2', 'rgi-l1'] as const).map((estimator) => ({
      kind: 'path' as const,
      fromTruth: true,
      experiment: 'path' as const,
      case: name,
      corruption,
      estimator,
      count,
    })),
  );
}

/** One assumption at a time, broken by more and more: the corrupted share, how far corrupted values are off, the generator's gap. */
function assumptionCells(count: number): PathPlan[] {
  const common = { kind: 'path', fromTruth: true, estimator: 'rgi-l1', count } as const;
  return [
    ...FRACTIONS.map((level) => ({
      ...common,
      experiment: 'fraction' as const,
      case: 'random',
      corruption: { region: { kind: 'random' as const, share: level } },
      level,
    })),
    ...DEVIATIONS.map((level) => ({
      ...common,
      experiment: 'weak' as const,
      case: 'block',
      corruption: { ...CASES.block, fill: { kind: 'deviation' as const, mean: 0, deviation: level / 127.5 } },
      level,
    })),
    ...GAPS.map((level) => ({
      ...common,
      experiment: 'gap' as const,
      case: 'random',
      corruption: CASES.random,
      level,
      gap: level,
    })),
  ];
}

function pictureCells({ folder, count }: NonNullable<PlanOptions['pictures']>): PathPlan[] {
  return (['block', 'random'] as const).map((name) => ({
    kind: 'path',
    experiment: 'pictures',
    case: name,
    corruption: CASES[name],
    estimator: 'rgi-l1',
    pictures: folder,
    count,
    fromTruth: false,
  }));
}

/** Other M-estimators on the corruptions of the theorems. */
function relativeCells(count: number): PathPlan[] {
  return (['block', 'random'] as const).flatMap((name) =>
    RELATIVES.map((estimator) => ({
      kind: 'path' as const,
      experiment: 'relatives' as const,
      case: name,
      corruption: CASES[name],
      estimator,
      count,
      fromTruth: false,
    })),
  );
}

function tuningCells(count: number): TuningPlan[] {
  return TUNED_GAPS.flatMap(([gap, level]) =>
    [false, true].map(
      (maskGiven): TuningPlan => ({
        kind: 'tuning',
        experiment: 'tuning',
        case: 'block',
        corruption: CASES.block,
        gap,
        level,
        maskGiven,
        count,
      }),
    ),
  );
}

/** RGI with squares and with absolute values are on the path of the theorems already, on the same pictures and more. */
const RELATIVES: readonly EstimatorName[] = ['squares', 'absolute', 'huber', 'truncated', 'rgi-huber'];

/** What a cell is called in progress lines and tables. */
export function nameOf(plan: Plan): string {
  const level = plan.level === undefined ? '' : ` ${plan.level}`;
  const how = plan.kind === 'tuning' ? `${plan.gap}${plan.maskGiven ? ', mask given' : ''}` : plan.estimator;
  return `${plan.experiment}${level}, ${plan.case}, ${how}`;
}

/** A cell's share of the whole, in steps of one search. */
export function workOf(plan: Plan, { steps, starts }: { readonly steps: number; readonly starts: number }): number {
  // A step of the weights costs about as much as four of z alone; before them comes a search of about a thousand steps.
  if (plan.kind === 'tuning') return plan.count * (1000 + 4 * WEIGHT_STEPS[WEIGHT_STEPS.length - 1]);
  return plan.count * PATH.length * steps * (starts + (plan.fromTruth ? 1 : 0));
}
