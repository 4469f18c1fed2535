/** The place that senders and workers share: each job has a folder in it, with what is sent, who waits for it, and the result. */
import type { Delivered, QueueResult } from '../queue-data.ts';

/** Files that are sent, by the names that they have in the folder of a job. */
export interface SentFiles {
  readonly picture: string;
  readonly mask?: string;
}

/** A result with where its files lie on this machine. */
export interface Taken {
  readonly folder: string;
  readonly result: QueueResult;
}

export interface Shared {
  /** Notes that `sender` waits for the job, and puts its files there where they are not. May be repeated. */
  place(key: string, files: SentFiles, sender: string): Promise<void>;
  /** Copies a file that was sent to `to`. */
  fetch(key: string, name: keyof SentFiles, to: string): Promise<void>;
  hasResult(key: string): Promise<boolean>;
  /** Does anyone wait for the result? */
  isWanted(key: string): Promise<boolean>;
  /** Adds a result whose files lie in `folder` as `picture.KIND`: whole, or not at all. The first one stays. */
  deliver(key: string, folder: string, result: Delivered): Promise<void>;
  /** The result; undefined where there is none. A place that is not on this machine copies its files into the folder `to`. */
  take(key: string, to: string): Promise<Taken | { readonly error: string } | undefined>;
  /** The sender waits no longer. Where nobody else does, the job's folder is removed. */
  release(key: string, sender: string): Promise<void>;
  /** As `release`, of all jobs that the sender waited for but those of the keys `but`. */
  releaseAll(sender: string, but: ReadonlySet<string>): Promise<void>;
  /** Removes the job's folder, whoever waits. */
  discard(key: string): Promise<void>;
}
