/** Which model files this program wrote itself, by their content: they need no trial (`models/node/trial`). */
import { createHash } from 'node:crypto';
import { readCached, writeCached } from './cache.ts';

/** Was a model with this content written here? */
export async function isModelKnown(sha256: string): Promise<boolean> {
  return (await readCached(entryOf(sha256))) !== undefined;
}

/** To be called with the content of a model that was made here and has just been written. */
export async function rememberModel(bytes: Uint8Array): Promise<void> {
  await writeCached(entryOf(createHash('sha256').update(bytes).digest('hex')), '');
}

function entryOf(sha256: string): string {
  return `models/${sha256}.known`;
}
