/** The models that a service offers: those of one folder, by name. No path is ever made of what a client sends. */
import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { nameError, RgiError } from '../../errors.ts';
import type { ModelFile } from './orders.ts';

/** Lists and finds models. */
export interface Catalogue {
  /** In the order of their names. */
  list(): Promise<ModelFile[]>;
  /** Throws `usage` where there is none of that name. */
  find(name: string): Promise<ModelFile>;
}

/** What a model may be called: it stands in addresses, logs and metrics. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/;

/** Networks beside a generator, as `rgi train` names them. */
const COMPANION = /\.(encoder|discriminator)$/;

/**
 * The generators `NAME.onnx` and `NAME/generator.onnx` in `folder`. The folder is looked at anew each time, so that models can be added.
 * What leads out of it over a symbolic link is not offered.
 */
export async function openCatalogue(folder: string): Promise<Catalogue> {
  const found = await stat(folder).catch(() => undefined);
  if (!found?.isDirectory()) {
    const what = found ? 'is not a folder' : 'does not exist';
    throw new RgiError('usage', `--models ${folder} ${what}; name a folder with generators (ONNX).`, { file: folder });
  }
  const root = await realpath(folder);
  const list = async () => {
    const entries = await readdir(root, { withFileTypes: true });
    const candidates = await Promise.all(entries.map((entry) => candidate(root, entry)));
    return candidates.flatMap((one) => one ?? []).sort((a, b) => (a.name < b.name ? -1 : 1));
  };
  return {
    list,
    async find(name) {
      const all = await list();
      const model = all.find((one) => one.name === name);
      if (model) return model;
      const names = all.map((one) => one.name);
      throw nameError(
        `There is no model '${name.slice(0, 100)}' here; GET /v1/models lists them.`,
        'model',
        name.slice(0, 100),
        names,
      );
    },
  };
}

async function candidate(root: string, entry: Dirent): Promise<ModelFile | undefined> {
  const isFile = entry.name.endsWith('.onnx');
  const name = isFile ? entry.name.slice(0, -'.onnx'.length) : entry.name;
  if (!NAME.test(name) || COMPANION.test(name)) return undefined;
  const file = isFile ? path.join(root, entry.name) : path.join(root, entry.name, 'generator.onnx');
  const real = await realpath(file).catch(() => undefined);
  if (real === undefined || path.relative(root, real).startsWith('..')) return undefined;
  const found = await stat(real).catch(() => undefined);
  return found?.isFile() ? { name, file, stamp: `${found.mtimeMs}-${found.size}` } : undefined;
}
