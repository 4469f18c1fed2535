/** How trials of models ended, by content, in the user's cache folder. A cache that is not there costs a trial. */
import { z } from 'zod';
import { readCached, writeCached } from '../../files/node/cache.ts';
import { sha256OfContent } from '../../files/node/hash.ts';
import { onnxRuntimeVersion } from '../../runtime/node/library.ts';

export interface Outcome {
  /** killed: by the system, unasked; untried: no process could be started. */
  readonly end: 'done' | 'memory' | 'time' | 'crash' | 'killed' | 'untried';
  /** The budget: megabytes, seconds. */
  readonly memory: number;
  readonly seconds: number;
  /** Of a crash or kill: the signal or exit code. */
  readonly reason?: string;
}

const FORMAT = 1;

const schema = z.object({
  format: z.literal(FORMAT),
  end: z.enum(['done', 'memory', 'time']),
  memory: z.number(),
  seconds: z.number(),
});

/** Of a model's content, what it is run with, and the runtime. */
export function trialKey(sha256: string, settings: unknown): string {
  return sha256OfContent(JSON.stringify([FORMAT, sha256, settings, onnxRuntimeVersion()]));
}

/** Undefined where the model was not tried yet. */
export async function recall(key: string): Promise<Outcome | undefined> {
  try {
    const parsed = schema.safeParse(JSON.parse((await readCached(entryOf(key))) ?? ''));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps how a trial ended, unless that may have been the machine's doing: such a model is tried again. */
export async function remember(key: string, { end, memory, seconds }: Outcome): Promise<void> {
  if (!schema.shape.end.safeParse(end).success) return;
  await writeCached(entryOf(key), JSON.stringify({ format: FORMAT, end, memory, seconds }));
}

function entryOf(key: string): string {
  return `models/${key}.json`;
}
