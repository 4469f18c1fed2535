/** What a run has to tell so far: curves, events, time. Points of the curves lie at fixed steps, also in a resumed run. */
import { averaged, type CoveragePoint, type DataFacts, type LossPoint, type RunRecord, worth } from '../record.ts';
import type { TrainingSettings } from '../settings.ts';
import type { StepLosses } from '../trainer.ts';

export interface RunLog {
  step(done: number, losses: StepLosses): void;
  /** Adds a measurement; is it the best so far? */
  measured(point: CoveragePoint): boolean;
  isMeasured(step: number): boolean;
  event(text: string): void;
  /** Forgets the losses after `step`. */
  backTo(step: number): void;
  /** Seconds that `steps` more steps will take, measurements included, at the pace of this session. */
  secondsLeft(steps: number): number;
  /** Seconds of this session. */
  elapsed(): number;
  record(): RunRecord;
}

/** Points of the loss curves in a whole run. */
const POINTS = 400;

export function runLog(settings: TrainingSettings, data: DataFacts, before: RunRecord | undefined): RunLog {
  const started = performance.now();
  const every = Math.max(1, Math.round(settings.steps / POINTS));
  let losses: LossPoint[] = [...(before?.losses ?? [])];
  let pending: StepLosses[] = [...(before?.pending ?? [])];
  const coverage: CoveragePoint[] = [...(before?.coverage ?? [])];
  const events: string[] = [...(before?.events ?? [])];
  let made = 0;
  const elapsed = () => (performance.now() - started) / 1000;
  return {
    step(done, own) {
      made++;
      pending.push(own);
      if (done % every !== 0 && done !== settings.steps) return;
      losses.push(averaged(done, pending));
      pending = [];
    },
    measured(point) {
      const best = coverage.every((earlier) => worth(earlier) < worth(point));
      coverage.push(point);
      return best;
    },
    isMeasured: (step) => coverage.some((point) => point.step === step),
    event: (text) => events.push(text),
    backTo(step) {
      losses = losses.filter((point) => point.step <= step);
      pending = [];
    },
    secondsLeft: (steps) => (elapsed() / Math.max(1, made)) * steps,
    elapsed,
    record: () => ({
      settings,
      data,
      seconds: (before?.seconds ?? 0) + elapsed(),
      losses,
      pending,
      coverage,
      events,
    }),
  };
}
