/** Which model files this program wrote itself, by their content: they need no trial (`models/node/trial`). */
import { readCached, writeCached } from './cache.ts';
import { sha256OfContent } from './hash.ts';

/** Was a model with this content written here? */
export async function isModelKnown(sha256: string): Promise<boolean> {
  return (await readCached(entryOf(sha256))) !== undefined;
}

/** To be called with the content of a model that was made here and has just been written. */
export async function rememberModel(bytes: Uint8Array): Promise<void> {
  await writeCached(entryOf(sha256OfContent(bytes)), '');
}

function entryOf(sha256: string): string {
  return `models/${sha256}.known`;
}
