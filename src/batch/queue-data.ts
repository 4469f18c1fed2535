/** What passes through the queue: plain data that is checked by whoever takes it out. */
import { z } from 'zod';
import { hashSchema } from '../jobs/journal.ts';
import { detectOptionsSchema, restoreOptionsSchema } from '../service/options.ts';

/** Is it the key of a job? Whoever reaches Redis can name one as he likes. */
export function isKey(name: string): boolean {
  return hashSchema.safeParse(name).success;
}

const common = {
  /** Version of the program, and of the rules that make results of settings: a worker of another one leaves the job to others. */
  program: z.string().max(100),
  rules: z.number().int().nonnegative(),
  model: z.object({
    /** For messages. */
    name: z.string().max(255),
    /** `modelIdentity`: a worker finds the model by it. */
    identity: hashSchema,
  }),
  /** SHA-256 of the picture's bytes, and of the given mask's. */
  picture: hashSchema,
  mask: hashSchema.optional(),
  /** Of the trace that the job belongs to (W3C Trace Context); it decides nothing. */
  traceparent: z.string().max(200).optional(),
};

export const queuedSchema = z.discriminatedUnion('kind', [
  z.strictObject({ ...common, kind: z.literal('restore'), options: restoreOptionsSchema }),
  z.strictObject({ ...common, kind: z.literal('detect'), options: detectOptionsSchema }),
]);

/** One picture to be done. It names no path: files are found by its key in the shared folder. */
export type Queued = z.infer<typeof queuedSchema>;

/** What a worker leaves beside the files of a result. */
export const resultSchema = z.object({
  /** As of the command; its name, path and files are those of the worker. */
  record: z.looseObject({ status: z.literal('done') }),
  /** SHA-256 of each file by its kind, such as `mask.png`. */
  files: z.record(z.string().regex(/^[a-z]+\.[a-z]+$/), hashSchema),
  /** Seconds by stage. */
  stages: z.record(z.string(), z.number()).default({}),
});

/** As a worker makes it; whoever takes it checks it. */
export interface Delivered {
  readonly record: object;
  readonly files: QueueResult['files'];
  readonly stages?: QueueResult['stages'];
}

/** What a worker reports while it computes. */
export const progressSchema = z.object({ share: z.number(), what: z.string() });

/** A result in the shared folder. */
export type QueueResult = z.infer<typeof resultSchema>;

/** Names of the queue in Redis, and of the files in the folder of a job. */
export const QUEUE = 'rgi';
export const [PICTURE, MASK, RESULT, RECORD] = ['picture', 'mask', 'out', 'record.json'];
