/** What a model file says of itself under `rgi.*`, checked. */
import { z } from 'zod';
import { jsonOf } from '../jobs/json.ts';
import type { Model } from '../onnx/graph.ts';

const companion = z.union([
  z.string().transform((file) => ({ file, sha256: undefined })),
  z.looseObject({ file: z.string(), sha256: z.string().optional() }),
]);

const companionsSchema = z.looseObject({ discriminator: companion.optional(), encoder: companion.optional() });

export type CompanionRole = 'discriminator' | 'encoder';

/** A file beside the generator, and the hash of the one it was trained with. */
export interface NamedCompanion {
  readonly file: string;
  readonly sha256?: string;
}

/** The networks that the model names (`rgi.companions`); 'invalid' where that is not what it should be. */
export function namedCompanions(
  model: Pick<Model, 'metadata'>,
): Partial<Record<CompanionRole, NamedCompanion>> | 'invalid' {
  const text = model.metadata.get('rgi.companions');
  if (text === undefined) return {};
  const parsed = companionsSchema.safeParse(jsonOf(text));
  return parsed.success ? parsed.data : 'invalid';
}

const trainingSchema = z.looseObject({ tool: z.literal('rgi train') });

/** Was the model made by `rgi train`? */
export function trainedHere(model: Pick<Model, 'metadata'>): boolean {
  return trainingSchema.safeParse(jsonOf(model.metadata.get('rgi.training') ?? 'null')).success;
}
