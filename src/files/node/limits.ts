/** How large files may be that are read. */
import { fileError, type RgiError } from '../../errors.ts';

/** What one read into memory can hold: models, checkpoints. Protobuf's own limit of a message, too. */
export const MAX_FILE_BYTES = 2 ** 31 - 1;

/** Says that a file, or an object of a bucket, has more bytes than are read. */
export function tooLarge(path: string, size: number, limit: number): RgiError {
  const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
  return fileError(path, 'too-large', `${path} has ${mib(size)}; files of at most ${mib(limit)} are read here.`);
}
