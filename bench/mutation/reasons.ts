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
const MEASURED =
  '`npm run bench -- masks` measures it: half and twice are in docs/figures.md, under the ablation of the model of corruption';
const VERSION = 'a version number: what is compared is that it is the same';
const SHAPE = 'a declared shape; the runtime gives a tensor its own';
const FAR = 'further out a Gaussian is 0 in double precision beside the flat part';
const LONGER = 'a longer array ends in zeros that are not read';

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
  'calibration-setup.ts LEARNT.residuals': COST,
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

  // Numbers of code that says the same with another one.
  'forward.ts all': 'one image joined with no other is that image',
  'objective.ts overChannels': 'the sum over one channel is that channel',
  'inputs.ts shape': 'the shape of a tensor of one axis is its count, whether it is joined with nothing or not',
  'noise-model.ts side': 'a window of 6.5 or 7 reaches three pixels to each side, and its area cancels',
  'inliers.ts isFitted': 'of one channel there is no covariance to fit: `channelCovariance` returns the one before',
  'map.ts each': 'a split into one part is that part; pictures have one channel or three',
  'local-contrast.ts length': 'a length of 11.5 is one of 11',
  'leave-one-out.ts j': 'a pivot that is passed over costs digits where a diagonal vanishes, which the ridge prevents',
  'normal-equations.ts transA': 'an attribute that is read as yes or no',
  'restore.ts shared': 'a factor of all residuals, of which only ratios are taken',
  'inverter.ts last': 'which picture fills up a batch; what is made of it is not read',
  'stages.ts takesAll': 'the choice of the best of one search is that search',
  'contiguity.ts sums': LONGER,
  'outliers.ts variance': 'the width of values that repeat, before there are any',
  'outliers.ts parts': LONGER,
  'generator.ts zeroRandom.uniform': 'of the first run of a network only shapes are read',
  'lbfgs-loop.ts NUMBERS': 'the length of a vector of numbers: longer ones are carried along unread',
  'mask-steps.ts dims': SHAPE,
  'verdict.ts dims': SHAPE,
  'restore.ts RESTORE_RULES': VERSION,
  'inspector.ts INSPECTION_RULES': VERSION,

  // Time and memory.
  'affine-map.ts MAX_NUMBERS': 'limits memory; what is larger is searched',
  'affine-map.ts TOGETHER': COST,
  'generator.ts MAPPED_TOGETHER': COST,
  'normal-equations.ts ROWS': COST,
  'halved.ts MIN_LENGTH': 'limits the size of a file; the values are the same',
  'verdict.ts STEPS_IN_ROUND': COST,
  'check.ts batch': COST,
  'feature-space.ts TOGETHER': COST,
  'projection.ts PROJECTED_TOGETHER': COST,
  'restorer.ts batch': COST,
  'calibration-setup.ts LEARNT.features':
    'limits time; statistics of 500 pictures are as uncertain as to 6%, of 2000 to 3%',
  'calibrate.ts PIXEL_SHARE': 'of the progress that is shown',
  'policy-schema.ts MAX_ROUNDS': 'what a damaged file may claim at most',

  // Budgets, and bounds that are not reached.
  'inliers.ts UPDATES': MEASURED,
  'infer-corruption.ts SWEEPS': MEASURED,
  'outliers.ts MAX_DEVIATIONS': FAR,
  'outliers.ts reach': FAR,
  'alternation.ts isRough': 'no temperature lies between 1 and 2',
  'alternation.ts SCALE_SETTLED': 'the accuracy of a scale that is found again with every mask',
  'alternation.ts MAX_SCALES': CONVERGED,
  'alternation.ts scale': 'where an iteration begins that converges from anywhere',
  'alternation.ts i': 'one round more or fewer of an iteration that has converged before',
  'alternation.ts MIN_SCALE': 'a hundredth of a grey level, half or twice of which no picture shows',
  'posterior.ts MIN_RIDGE': 'what is added in case of rounding; more is added where that is not enough',
  'posterior.ts PROBES':
    'draws of an estimate of how many unknowns are used, which is small beside the number of pixels',
  'affine-map.ts MAX_DEVIATION': 'graphs that are affine lie far below, others are refused by their operators before',
  'missing.ts ASKED': 'draws of an estimate that is compared with a twentieth',
  'mask-steps.ts POINTS': 'points on the way to a threshold that the user chose, which decides at the end',
  'mask-steps.ts ROUGH.rounds':
    'a budget of rounds while the reconstruction is a rough one; the last steps take all of them',
  'selection.ts UNMASKED_GREY': 'beyond the residuals of good pictures',
  'check.ts NOISE': 'a picture of noise, whichever, on which two implementations have to agree',
  'synthetic.ts MARGIN': LOOK,
};

/** Why a change of the constant `label` of `file` may go unnoticed; undefined where it may not. */
export function reasonFor(file: string, label: string): string | undefined {
  return REASONS[`${path.basename(file)} ${label}`];
}
