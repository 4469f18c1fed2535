/** Content hashes: what a record names, and by which a model is known again. */
import { createHash } from 'node:crypto';
import { openRegular } from './regular.ts';

/** SHA-256 of the bytes of a regular file, in lower-case hexadecimal digits. Throws an `input` error where it cannot be read. */
export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  const handle = await openRegular(file);
  // The stream closes the file at its end.
  for await (const chunk of handle.createReadStream()) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

/** SHA-256 of a text or of bytes, hexadecimal. */
export function sha256OfContent(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
