/**
 * Constants whose exact value no test has to notice, each with the reason. Only what no reader of a result could tell apart belongs here:
 * where a value means something, a test says what. By file name and label, so that files may move; what is declared in a line of code is
 * named by the variable.
 */
import path from 'node:path';

const COST = 'limits time or memory; the result does not depend on it';
const GRID = 'a value that calibration tries; which is best is measured on the product';
const LOOK = 'how drawn defects look; the study compares what follows from it, no single value is right';
const CONVERGED = 'rounds of an iteration that has converged before';
const UNREACHED = 'a bound that no value reaches';

export const REASONS: Readonly<Record<string, string>> = {
  'lbfgs.ts rate': 'times a direction that is zero: the first point is the start itself',
  'noise.ts ROUNDS': CONVERGED,
  'generator.ts POOL_BATCH': COST,
  'pool.ts MAX_COMPARED': COST,
  'pool.ts stride': 'which pixels of a large picture are compared: any odd stride serves',
  'candidates.ts blur': GRID,
  'candidates.ts smoothing': GRID,
  'candidates.ts score': 'the divisor of a mean that is only compared',
  'candidates.ts SCORE_SHARES': GRID,
  'calibration-setup.ts CALIBRATION_SEARCH.priorStrengths': GRID,
  'calibration-setup.ts CALIBRATION_SEARCH.comparedOn': COST,
  'selection.ts MAX_PILOTS': COST,
  'selection.ts MAX_SIDE': COST,
  'calibrate.ts MAX_PIXELS': COST,
  'calibrate.ts MAX_TOGETHER': COST,
  'calibrate.ts STEPS.started': 'a budget of steps; the study measures what it buys',
  'calibrate.ts STEPS.drawn': 'a budget of steps; the study measures what it buys',
  'calibration-setup.ts CALIBRATION_SEARCH.starts': 'a budget of searches; the study measures what it buys',
  'defects.ts bottom': 'the start of a running maximum, below every position',
  'defects.ts right': 'the start of a running maximum, below every position',
  'scoring.ts pairs': 'a longer array of pairs ends in zeros that are not read',
  'folds.ts length': 'statistics of a part that no picture is in',
  'inverter.ts BATCH_VALUES': COST,
  'good-pictures.ts SEEN': COST,
  'scale.ts MAX_GREY': UNREACHED,
  'local-contrast.ts SAMPLED': COST,
  'policy-schema.ts MAX_SIDE': 'what a damaged file may claim at most',
  'policy-schema.ts MAX_COUNT': 'what a damaged file may claim at most',
  'synthetic.ts SHAPES.count': LOOK,
  'synthetic.ts SHAPES.radius': LOOK,
  'synthetic.ts opacity': LOOK,
  'synthetic.ts size': LOOK,
  'synthetic.ts coloured': LOOK,
  'synthetic.ts wanted': LOOK,
};

/** Why a change of the constant `label` of `file` may go unnoticed; undefined where it may not. */
export function reasonFor(file: string, label: string): string | undefined {
  return REASONS[`${path.basename(file)} ${label}`];
}
