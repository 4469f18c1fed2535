/** What a model file says of itself under `rgi.*`. Only what can be checked is believed. */
import path from 'node:path';
import { z } from 'zod';
import { RgiError } from '../../errors.ts';
import type { Model } from '../../onnx/graph.ts';
import { sha256Of } from './hash.ts';

const companion = z.union([
  z.string().transform((file) => ({ file, sha256: undefined })),
  z.looseObject({ file: z.string(), sha256: z.string().optional() }),
]);

const companionsSchema = z.looseObject({ discriminator: companion.optional(), encoder: companion.optional() });

/** The network that the model at `file` names (`rgi.companions`): beside it, and the one it was trained with. */
export async function companionOf(
  role: 'discriminator' | 'encoder',
  model: Model,
  file: string,
): Promise<string | undefined> {
  const text = model.metadata.get('rgi.companions');
  if (text === undefined) return undefined;
  const parsed = companionsSchema.safeParse(jsonOf(text));
  if (!parsed.success) {
    throw new RgiError(
      'model',
      `${file}: its metadata 'rgi.companions' is not what it should be: ${text.slice(0, 80)}.`,
    );
  }
  const named = parsed.data[role];
  if (!named) return undefined;
  if (path.basename(named.file) !== named.file) {
    throw new RgiError('model', `${file}: the ${role} it names, '${named.file}', is not in its own folder.`);
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
      `${beside} is not the ${role} that ${file} was trained with (other SHA-256); name one with --${role}, or 'none'.`,
    );
  }
  return beside;
}

const trainingSchema = z.looseObject({ tool: z.literal('rgi train') });

/** Was the model made by `rgi train`? */
export function trainedHere(model: Model): boolean {
  return trainingSchema.safeParse(jsonOf(model.metadata.get('rgi.training') ?? 'null')).success;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
