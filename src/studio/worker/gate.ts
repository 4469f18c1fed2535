/** A piece of work that can be held up between two steps, and be stopped. */
import type { EngineFailure } from '../engine.ts';
import { nextTask } from './next-task.ts';

export const STOPPED: EngineFailure = { code: 'stopped', message: 'Stopped.' };

export interface Gate {
  /** Waits while the work is paused. Throws where it was stopped. */
  pass(): Promise<void>;
  /** Aborted when the work is stopped. */
  readonly signal: AbortSignal;
  pause(): void;
  resume(): void;
  stop(): void;
}

export function createGate(): Gate {
  const controller = new AbortController();
  let open: Promise<void> | undefined;
  let release = () => {};
  return {
    signal: controller.signal,
    async pass() {
      await nextTask();
      await open;
      if (controller.signal.aborted) throw STOPPED;
    },
    pause() {
      open ??= new Promise((resolve) => {
        release = resolve;
      });
    },
    resume() {
      open = undefined;
      release();
    },
    stop() {
      controller.abort(STOPPED);
      open = undefined;
      release();
    },
  };
}
