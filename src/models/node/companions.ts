/** The companion of a generator on disk: the file beside it that it names, if it is the one it was trained with. */
import path from 'node:path';
import { RgiError } from '../../errors.ts';
import { sha256Of } from '../../files/node/hash.ts';
import { stagedBeside } from '../../files/node/staged.ts';
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
  const hashOf = (place: string) => sha256Of(place).catch(() => undefined);
  const [hash, wanted] = [await hashOf(beside), named.sha256?.toLowerCase()];
  if (wanted !== undefined && hash !== wanted) {
    // Left by `rgi train`, killed amid the renaming.
    const staged = stagedBeside(beside);
    if ((await hashOf(staged)) === wanted) return staged;
  }
  if (hash === undefined) return undefined;
  if (wanted !== undefined && wanted !== hash) {
    throw new RgiError(
      'model',
      `${beside} is not the ${role} that ${file} was trained with (its SHA-256 differs); give another with --${role}, or 'none'.`,
    );
  }
  return beside;
}
