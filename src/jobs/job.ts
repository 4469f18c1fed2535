/**
 * A run over many items, of which none may be lost or done twice: what a job is, what storage it needs, what it reports.
 * `runJob` runs it; `jobs/node` stores on disk, and a browser can bring a storage of its own.
 */
import type { RgiError } from '../errors.ts';

/** One thing to be done. It is cheap to hold: what it takes to compute it is loaded when its turn comes. */
export interface Planned<Item> {
  /** Identifies the item in its journal; unique there. */
  readonly name: string;
  /** Where it comes from, for messages: usually a path. */
  readonly source: string;
  /** Hash of what goes in. An item of the same name and another content is done again. */
  readonly content: string;
  readonly item: Item;
  /** Why it cannot be used, where that is known already. */
  readonly error?: RgiError;
  /** How many items come after it, as far as is known. */
  readonly left?: number;
}

/** What was computed of a batch so far, in [0, 1], and a few words on what is under way. */
export type ReportShare = (share: number, what: string) => void;

/** What a job makes of a result: `failed` where there is none that could be used; no files are kept of it then. */
export interface Written<R> {
  readonly status: Status;
  readonly record: R;
}

export type Status = 'done' | 'failed';

/**
 * @typeParam Item what is planned; @typeParam Loaded an item as it is computed on; @typeParam Result what comes out;
 * @typeParam R the record of an item: plain JSON, what is known of it afterwards.
 */
export interface Job<Item, Loaded, Result, R> {
  /** What kind of run this is ('restore', 'detect'), for the journal. */
  readonly kind: string;
  /** Hash of all settings that decide the results: two jobs of one key, version and item give the same. */
  readonly key: string;
  /** Version of the rules that make results of settings: raised whenever the same settings give other results. */
  readonly rules: number;
  /** The items in the order in which they are done; may be many, and are taken one by one. */
  items(): AsyncIterable<Planned<Item>>;
  /** Items computed side by side at most. */
  readonly batch: number;
  /** Batches as equal in size as the number of items allows: of use where every size is compiled by itself. */
  readonly even: boolean;
  /**
   * True: a batch is computed as a whole. It is finished once begun, and computed whole again where a part is missing, so that a
   * resumed run gives the same numbers. False: its items are finished one after another, and only the missing ones are computed.
   */
  readonly together: boolean;
  /** The user named this one thing: its error ends the run, and is not an item's. */
  readonly alone: boolean;
  load(planned: Planned<Item>): Promise<Loaded>;
  /** Yields one result for each member of the batch, in order; fewer where it was aborted. */
  run(batch: readonly Loaded[], report: ReportShare): AsyncIterable<Result>;
  /** Puts the files of a result into `outputs`, and says what is to be known of it. */
  write(outputs: OutputSet, planned: Planned<Item>, loaded: Loaded, result: Result): Promise<Written<R>>;
  /** The record of an item that could not be done. */
  failed(planned: Planned<Item>, message: string): R;
  /** Has an earlier record all that is asked for now? Without it, every record has. */
  suffices?(record: R, planned: Planned<Item>): boolean;
}

/** File names relative to the run's folder, with '/' between folders, and the SHA-256 of each file's bytes. */
export type Outputs = Readonly<Record<string, string>>;

/** What the journal keeps of an item. */
export interface Entry<R> {
  /** Name of the job, for instance 'restore'. */
  readonly job: string;
  /** Name of the item, unique in the run. */
  readonly item: string;
  /** Where the item came from. */
  readonly source: string;
  /** SHA-256 of the item's content. */
  readonly content: string;
  /** What the item's results depend on beside its content. */
  readonly key: string;
  /** Version of the program that made it. */
  readonly program: string;
  /** Version of the job's rules. */
  readonly rules: number;
  /** How the item ended. */
  readonly status: Status;
  /** The files written, with their hashes. */
  readonly outputs: Outputs;
  /** The job's own record of the item. */
  readonly record: R;
}

/** The files of one item: all of them appear under their names and are recorded, or none. */
export interface OutputSet {
  /** Stores a file under a temporary name. Throws `input` where it cannot be written. */
  put(file: string, content: Uint8Array | string): Promise<void>;
  /** Stores the bytes of a file that is there and is never changed, of which `sha256` is the hash. Throws `input` as `put`. */
  putFile(file: string, from: string, sha256: string): Promise<void>;
  /** Names of the files so far, in the order they were put. */
  names(): string[];
  /**
   * Gives the files their names, and calls `record`, which writes the item's entry. Where either fails, what was there before is there
   * again. Throws `input` where a file cannot be written, or may not be replaced.
   */
  commit(record: (outputs: Outputs) => Promise<void>): Promise<void>;
  /** Removes what is stored and was not committed. */
  discard(): Promise<void>;
}

/** Where a run keeps what it did. */
export interface Storage<R> {
  /** Version of the program that now runs. */
  readonly program: string;
  /** The last entry of an item. */
  find(item: string): Promise<Entry<R> | undefined>;
  /** Are all files of the entry there, with the bytes that were written? */
  confirms(entry: Entry<R>): Promise<boolean>;
  outputs(): OutputSet;
  append(entry: Entry<R>): Promise<void>;
  /** Called after a complete run; throws `input` where what `save` wrote did not arrive where it was to go. */
  settle?(): Promise<void>;
}

/** What a run reports while it goes on. */
export type JobEvent<R> =
  /** Something is about to be computed. */
  | { readonly kind: 'begin' }
  /** `done` of `total` items, fractions of one included. */
  | { readonly kind: 'progress'; readonly done: number; readonly total: number; readonly what: string }
  /** An item is finished; `kept`: an earlier run had done it. */
  | { readonly kind: 'record'; readonly entry: Entry<R>; readonly kept: boolean }
  /** Something that a user should know and that ends nothing. */
  | { readonly kind: 'warning'; readonly message: string }
  | ({ readonly kind: 'end' } & Outcome);

/** Numbers of items by what became of them. */
export interface Outcome {
  /** Items that are done, those of earlier runs (`kept`) included. */
  readonly done: number;
  /** Items that an earlier run had done. */
  readonly kept: number;
  /** Items that could not be done; the others are. */
  readonly failed: number;
  /** True where the run ended before its last item. */
  readonly interrupted: boolean;
}
