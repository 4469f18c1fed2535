/** Models by what they are: a worker computes with the very files that the sender of a job has. */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { statisticsFile } from '../../detect/node/policy-files.ts';
import { RgiError } from '../../errors.ts';
import { sha256Of, sha256OfContent } from '../../files/node/hash.ts';
import { companionOf } from '../../models/node/companions.ts';
import { openModel } from '../../models/node/model-file.ts';
import { modelHashes } from '../../models/node/weight-files.ts';
import { openCatalogue } from '../../service/node/catalogue.ts';
import type { ModelFile } from '../../service/node/orders.ts';

/** A hash of all files of a model that decide results: the generator, its encoder, their files of weights, the statistics of its policies. */
export async function modelIdentity(file: string): Promise<string> {
  const encoder = await companionOf('encoder', await openModel(file), file);
  const statistics = await sha256Of(statisticsFile(file)).catch(() => null);
  return sha256OfContent(
    JSON.stringify([await modelHashes(file), encoder ? await modelHashes(encoder) : null, statistics]),
  );
}

/** `modelIdentity`, computed anew where a file of the model's folder changed. Undefined of one that cannot be read (yet). */
export function openIdentities(): (file: string) => Promise<string | undefined> {
  const known = new Map<string, { readonly stamp: string; readonly identity: string }>();
  return async (file) => {
    const stamp = await stampOf(path.dirname(file));
    const found = known.get(file);
    if (found?.stamp === stamp) return found.identity;
    // One that cannot be read yet may be in the middle of being copied.
    const identity = await modelIdentity(file).catch(() => undefined);
    if (identity !== undefined) known.set(file, { stamp, identity });
    return identity;
  };
}

/**
 * Finds models of a folder by their identity; one that is added or replaced is found, too. The stamp of what is found is its identity, so
 * that whoever holds it open opens it anew when another of its files is replaced.
 */
export async function modelFinder(folder: string): Promise<(identity: string, name: string) => Promise<ModelFile>> {
  const catalogue = await openCatalogue(folder);
  const identityOf = openIdentities();
  return async (identity, name) => {
    const models = await catalogue.list();
    // The model of that name first: hashing takes time.
    for (const model of models.sort((a, b) => Number(b.name === name) - Number(a.name === name)))
      if ((await identityOf(model.file)) === identity) return { ...model, stamp: identity };
    throw new RgiError(
      'model',
      `This worker's --models has no model of the content of ${name}: copy the generator, its encoder and its policy there.`,
    );
  };
}

/** Changes with each file of a folder: encoder, statistics and weights lie beside the generator, which may stay as it is. */
async function stampOf(folder: string): Promise<string> {
  const names = (await readdir(folder)).sort();
  const stamps = names.map(async (name) => {
    const found = await stat(path.join(folder, name)).catch(() => undefined);
    return [name, found?.mtimeMs, found?.size];
  });
  return JSON.stringify(await Promise.all(stamps));
}
