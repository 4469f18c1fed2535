/** Who may have work done now: a bounded queue, a bound for each token, and nobody while the service is about to end. */
import type { ServiceLimits } from '../limits.ts';
import { HttpError } from '../problem.ts';

export interface Admission {
  /**
   * Takes a place, before the body of the request is read, so that bodies are held only where there is room; returns what gives it back.
   * Throws 429 where the queue is full or the token has too many jobs, 503 while the service drains.
   */
  enter(owner: string | undefined, mayHave?: number): () => void;
  /** Places that are taken. */
  active(): number;
  /** Tells how long a job was computed, in seconds: what Retry-After is estimated from. */
  learn(seconds: number): void;
  isDraining(): boolean;
  /** Admits nobody from now on. */
  close(): void;
  /** Resolves when no place is taken. */
  idle(): Promise<void>;
}

/** Seconds of a job that are assumed before one was computed. */
const FIRST_GUESS = 2;

/** Weight of the last job in the mean of seconds. */
const LEARNING = 0.2;

/** Seconds after which another instance has surely taken over. */
const AFTER_DRAIN = 5;

export function openAdmission({ queue, processes }: Pick<ServiceLimits, 'queue' | 'processes'>): Admission {
  const owners = new Map<string, number>();
  const waiters: (() => void)[] = [];
  let active = 0;
  let draining = false;
  let mean = FIRST_GUESS;
  const retryAfter = (jobs: number) => Math.max(1, Math.ceil((mean * jobs) / processes));
  const leave = (owner: string | undefined) => {
    active--;
    if (owner !== undefined) owners.set(owner, owners.get(owner)! - 1);
    if (active === 0) for (const resolve of waiters.splice(0)) resolve();
  };
  return {
    enter(owner, mayHave = Number.POSITIVE_INFINITY) {
      if (draining) {
        throw new HttpError(503, 'The service is about to end; send the request to another one.', {
          retryAfter: AFTER_DRAIN,
        });
      }
      const own = owner === undefined ? 0 : (owners.get(owner) ?? 0);
      if (own >= mayHave) {
        throw new HttpError(
          429,
          `Your token has ${own} jobs queued or computed, as many as it may have. Wait for one to finish.`,
          { retryAfter: retryAfter(own) },
        );
      }
      if (active >= queue + processes) {
        throw new HttpError(429, `${active} jobs are queued or computed, as many as are taken. Try again later.`, {
          retryAfter: retryAfter(active),
        });
      }
      active++;
      if (owner !== undefined) owners.set(owner, own + 1);
      let left = false;
      return () => {
        if (!left) leave(owner);
        left = true;
      };
    },
    active: () => active,
    learn(seconds) {
      mean += LEARNING * (seconds - mean);
    },
    isDraining: () => draining,
    close() {
      draining = true;
    },
    idle: () => (active === 0 ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
  };
}
