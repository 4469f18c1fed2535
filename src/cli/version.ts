/** What a manifest must name to be repeated: the program's version, its file's hashes. */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';

export { sha256Of } from '../models/node/hash.ts';

const described = createRequire(import.meta.url)('../../package.json') as { readonly version: string };

export const VERSION = described.version;

export function sha256OfText(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
