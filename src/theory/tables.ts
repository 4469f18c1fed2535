/** `theory.csv`: one row per picture, threshold and search; `theory.json` holds the same. */
import type { Cell, Errors, Theory } from './record.ts';

const COLUMNS = [
  'experiment',
  'case',
  'estimator',
  'gap',
  'level',
  'mask_given',
  'threshold_grey',
  'lambda',
  'weight_steps',
  'began_at',
  'picture',
  'objective',
  'z_error',
  'rms_grey',
  'rms_grey_corrupted',
  'rms_grey_sound',
  'psnr',
  'mask_iou',
  'mask_false_positives',
  'mask_misses',
  'mask_distance',
  'rms_grey_to_corruption',
] as const;

type Entry = string | number | boolean | null | undefined;

export function csvOf({ cells }: Pick<Theory, 'cells'>): string {
  return [COLUMNS, ...cells.flatMap(rowsOf)]
    .map((row: readonly Entry[]) => `${row.map((entry) => entry ?? '').join(',')}\n`)
    .join('');
}

function rowsOf(cell: Cell): Entry[][] {
  if (cell.kind === 'tuning') {
    const start = [cell.experiment, cell.case, 'rgi-l1', cell.gap, cell.level, cell.maskGiven, null, null];
    return cell.points.flatMap((point) =>
      point.errors.map((errors, i) => [
        ...start,
        point.weightSteps,
        'starts',
        i,
        ...numbersOf(errors),
        point.toCorruption[i],
      ]),
    );
  }
  const start = [cell.experiment, cell.case, cell.estimator, null, cell.level, false];
  return cell.points.flatMap((point) => {
    const rows = (began: string, all: readonly Errors[] = []) =>
      all.map((errors, i) => [...start, point.grey, point.lambda, null, began, i, ...numbersOf(errors), null]);
    return [...rows('starts', point.search), ...rows('truth', point.truth)];
  });
}

function numbersOf({ objective, z, rms, rmsInside, rmsOutside, psnr, mask }: Errors): Entry[] {
  return [
    objective,
    z,
    rms,
    rmsInside,
    rmsOutside,
    psnr,
    mask?.iou,
    mask?.falsePositives,
    mask?.misses,
    mask?.distance,
  ];
}
