/** The files of one item: written under temporary names, renamed together when all are there. */
import { rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, RgiError } from '../../errors.ts';
import { sha256Of } from '../../files/node/hash.ts';
import { writeTemporary } from '../../images/node/write.ts';
import type { OutputSet, Outputs } from '../job.ts';
import { sha256OfContent } from './program.ts';

/** `isGiven`: is this file (an absolute path) one that the run reads? It is never replaced. */
export function outputSet(folder: string, isGiven: (file: string) => boolean = () => false): OutputSet {
  const put = new Map<string, { readonly temporary: string; readonly sha256: string }>();
  return {
    async put(file, content) {
      const temporary = await writeTemporary(path.join(folder, file), content);
      put.set(file, { temporary, sha256: sha256OfContent(content) });
    },
    names: () => [...put.keys()],
    async commit() {
      for (const file of put.keys()) {
        const name = path.resolve(folder, file);
        if (isGiven(name))
          throw new RgiError('input', `${name} is an input of this run and is not replaced; take another --out.`, {
            file: name,
          });
      }
      for (const [file, { temporary }] of put) {
        const name = path.join(folder, file);
        try {
          await rename(temporary, name);
        } catch (error) {
          throw new RgiError(
            'input',
            `${name} cannot be written (${messageOf(error)}).`,
            { file: name },
            { cause: error },
          );
        }
      }
      const outputs = Object.fromEntries([...put].map(([file, { sha256 }]) => [file, sha256]));
      put.clear();
      return outputs;
    },
    async discard() {
      for (const { temporary } of put.values()) await rm(temporary, { force: true }).catch(() => undefined);
      put.clear();
    },
  };
}

/** Are all files there, with the bytes that were written? */
export async function confirmOutputs(folder: string, outputs: Outputs): Promise<boolean> {
  for (const [file, sha256] of Object.entries(outputs)) {
    const name = path.join(folder, file);
    // An emptied or missing file is found without reading the others.
    const size = await stat(name).then(
      (found) => (found.isFile() ? found.size : 0),
      () => 0,
    );
    if (size === 0 || (await sha256Of(name).catch(() => '')) !== sha256) return false;
  }
  return true;
}
