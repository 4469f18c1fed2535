/** What a training run tells of itself: plain data for the checkpoint, the page and the exported file. */
import type { TrainingSettings } from './settings.ts';
import type { StepLosses } from './trainer.ts';

export interface LossPoint extends StepLosses {
  readonly step: number;
}

/** PSNR in dB of good pictures that were not trained on, by plain inversion. */
export interface CoveragePoint {
  readonly step: number;
  readonly median: number;
  readonly worst: number;
  /** Of the encoder's latents alone. */
  readonly encoded?: number;
}

export interface DataFacts {
  readonly folder: string;
  readonly pictures: number;
  readonly held: number;
  readonly channels: number;
  readonly size: number;
  readonly broken: number;
}

export interface RunRecord {
  readonly settings: TrainingSettings;
  readonly data: DataFacts;
  /** Time spent so far, pauses not counted. */
  readonly seconds: number;
  /** Losses averaged between points. */
  readonly losses: readonly LossPoint[];
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
