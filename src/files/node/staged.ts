/**
 * A set of files of which one, the last to be renamed, names the others with their hashes: the others wait under a staged name until that
 * one is in place. Whoever reads in between finds them there.
 */
import path from 'node:path';

/** Where the next content of `file` waits. */
export function stagedBeside(file: string): string {
  return path.join(path.dirname(file), `.${path.basename(file)}.staged`);
}
