/** The companion of a generator on disk: the file beside it that it names, if it is the one it was trained with. */
import path from 'node:path';
import { RgiError } from '../../errors.ts';
import { sha256Of } from '../../files/node/hash.ts';
import type { Model } from '../../onnx/graph.ts';
import { type CompanionRole, namedCompanions } from '../metadata.ts';

/** The network that the model at `file` names (`rgi.companions`): beside it, and the one it was trained with. */
export async function companionOf(role: CompanionRole, model: Model, file: string): Promise<string | undefined> {
  const companions = namedCompanions(model);
  if (companions === 'invalid') {
    const text = model.metadata.get('rgi.companions')!;
    throw new RgiError('model', `${file}: its metadata 'rgi.companions' is invalid: ${text.slice(0, 80)}.`);
  }
  const named = companions[role];
  if (!named) return undefined;
  if (path.basename(named.file) !== named.file) {
    throw new RgiError('model', `${file}: its ${role} '${named.file}' must be a file of the same folder.`);
  }
  const beside = path.join(path.dirname(file), named.file);
  let hash: string;
  try {
    hash = await sha256Of(beside);
  } catch {
    return undefined;
  }
  if (named.sha256 !== undefined && named.sha256.toLowerCase() !== hash) {
    throw new RgiError(
      'model',
      `${beside} is not the ${role} that ${file} was trained with (its SHA-256 differs); give another with --${role}, or 'none'.`,
    );
  }
  return beside;
}
