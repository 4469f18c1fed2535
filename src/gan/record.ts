/** What a training run tells of itself: plain data for the checkpoint, the page and the exported file. */
import type { TrainingSettings } from './settings.ts';
import type { StepLosses } from './trainer.ts';

export interface LossPoint extends StepLosses {
  readonly step: number;
}

/** What the generator is worth for inversion, in dB PSNR on good pictures that were not trained on. */
export interface CoveragePoint {
  readonly step: number;
  /** By plain inversion of the whole pictures. */
  readonly median: number;
  readonly worst: number;
  /** Of the encoder's latents alone. */
  readonly encoded?: number;
  /** Of whole pictures (median) whose central quarter was hidden from the inversion. */
  readonly block: number;
}

/**
 * The checkpoint with the largest value is kept. A generator with many free latents reaches every picture and fills a hole
 * with nonsense; one with few does the opposite. Both jobs need both, so their decibels count alike.
 */
export function worth({ median, block }: CoveragePoint): number {
  return (median + block) / 2;
}

/** The measurement whose checkpoint was kept; undefined before the first. */
export function bestOf(points: readonly CoveragePoint[]): CoveragePoint | undefined {
  return points.reduce<CoveragePoint | undefined>(
    (best, point) => (best && worth(best) >= worth(point) ? best : point),
    undefined,
  );
}

export interface DataFacts {
  readonly folder: string;
  readonly pictures: number;
  readonly held: number;
  readonly channels: number;
  readonly size: number;
  readonly kind: 'object' | 'crops';
  readonly scale: number;
  readonly mirror: boolean;
  readonly limit?: number;
  /** Of all pictures' names and pixels: a resumed run must see the same ones. */
  readonly fingerprint: string;
  readonly broken: number;
  /** Pictures that were left out as defective; absent where none were looked for. */
  readonly leftOut?: number;
}

export interface RunRecord {
  readonly settings: TrainingSettings;
  readonly data: DataFacts;
  /** Time spent so far, pauses not counted. */
  readonly seconds: number;
  /** Losses averaged between points. */
  readonly losses: readonly LossPoint[];
  /** Losses of the steps since the last point. */
  readonly pending: readonly StepLosses[];
  readonly coverage: readonly CoveragePoint[];
  /** What happened that a user should know (rolled back, could not write, ...). */
  readonly events: readonly string[];
}

/** Means of several steps' losses, term by term. */
export function averaged(step: number, losses: readonly StepLosses[]): LossPoint {
  const point: Record<string, number> = { step };
  for (const name of new Set(losses.flatMap((l) => Object.keys(l) as (keyof StepLosses)[]))) {
    const values = losses.flatMap((l) => (l[name] === undefined ? [] : [l[name]]));
    if (values.length > 0) point[name] = values.reduce((a, v) => a + v, 0) / values.length;
  }
  return point as unknown as LossPoint;
}
