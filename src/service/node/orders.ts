/** What a process that computes is asked, and what it answers: plain data that passes between processes. */
import type { DetectRecord } from '../../detect/node/record.ts';
import type { ErrorCode, ErrorDetails } from '../../errors.ts';
import type { ImageRecord } from '../../restore/node/manifest.ts';
import type { InferResponse } from '../oip/response.ts';
import type { tensorsOf, Variant } from '../oip/variants.ts';
import type { DetectOptions, RestoreOptions } from '../options.ts';

/** A model of the folder: its name for users, its file for us. */
export interface ModelFile {
  readonly name: string;
  readonly file: string;
  /** Changes when the file is replaced. */
  readonly stamp: string;
}

interface PictureOrder {
  readonly model: ModelFile;
  /** Of the job: holds `picture`, and `mask` where one was given; the results go to `out` in it. */
  readonly folder: string;
  readonly maxPixels: number;
}

export interface RestoreOrder extends PictureOrder {
  readonly kind: 'restore';
  readonly options: RestoreOptions;
  readonly masked: boolean;
  readonly maxSteps: number;
}

export interface DetectOrder extends PictureOrder {
  readonly kind: 'detect';
  readonly options: DetectOptions;
}

export interface InspectOrder {
  readonly kind: 'inspect';
  readonly model: ModelFile;
}

/** Asks for the tensors of a variant. */
export interface MetadataOrder {
  readonly kind: 'metadata';
  readonly model: ModelFile;
  readonly variant: Variant;
}

/** A request of the Open Inference Protocol, as it came. */
export interface InferOrder {
  readonly kind: 'infer';
  readonly model: ModelFile;
  readonly variant: Variant;
  readonly body: Uint8Array;
  /** Length of its JSON, where bytes follow it. */
  readonly headerLength?: number;
  readonly maxPixels: number;
  readonly maxSteps: number;
}

export type Order = RestoreOrder | DetectOrder | InspectOrder | MetadataOrder | InferOrder;

/** What an order gives. */
export interface Results {
  readonly restore: ImageRecord;
  readonly detect: DetectRecord;
  readonly inspect: Readonly<Record<string, unknown>>;
  readonly metadata: ReturnType<typeof tensorsOf>;
  readonly infer: InferResponse;
}

/** An error as it passes between processes; `unexpected` is what is no `RgiError`. */
export interface Failure {
  readonly code: ErrorCode | 'unexpected';
  readonly message: string;
  readonly details?: ErrorDetails;
}

/** To the process: an order, or that one is not wanted any more. */
export type Request = { readonly id: number; readonly order: Order } | { readonly cancel: number };

/** Seconds by stage of a job. */
export type Stages = Readonly<Record<string, number>>;

/** From the process. */
export type Reply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress'; readonly id: number; readonly share: number; readonly what: string }
  | {
      readonly kind: 'done';
      readonly id: number;
      readonly result: Results[keyof Results];
      readonly stages: Stages;
      readonly held: Held;
    }
  | { readonly kind: 'failed'; readonly id: number; readonly failure: Failure; readonly held: Held };

/** What a process holds after a job. */
export interface Held {
  /** Names of the models that are open. */
  readonly models: readonly string[];
  /** Resident memory, in bytes. */
  readonly bytes: number;
  /** Compiled steps. */
  readonly steps: number;
}

/** Called with the share that is done, in [0, 1], and a few words. */
export type OnProgress = (share: number, what: string) => void;
