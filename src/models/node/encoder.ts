/** The encoder that goes with a generator: named by the user, or the companion that the generator's file names. */

import { RgiError } from '../../errors.ts';
import { brokenWeight } from '../../inspect/weights.ts';
import { encoderFits } from '../../inversion/start/encoded.ts';
import type { Graph } from '../../onnx/graph.ts';
import { companionOf } from './companions.ts';
import type { GeneratorFlags, OpenedGenerator } from './networks.ts';
import { openTriedModel } from './trial.ts';

export interface EncoderFlags extends GeneratorFlags {
  /** A file, or 'none'. */
  readonly encoder?: string;
}

export interface OpenedEncoder {
  readonly file: string;
  readonly graph: Graph;
}

/** Undefined where there is none. Where `--latent` names other unknowns, the companion is not of them. */
export async function openEncoder(opened: OpenedGenerator, flags: EncoderFlags): Promise<OpenedEncoder | undefined> {
  const own = flags.encoder === undefined && flags.latent === undefined;
  const companion = own ? await companionOf('encoder', opened.model, flags.generator) : undefined;
  const file = flags.encoder === 'none' ? undefined : (flags.encoder ?? companion);
  if (file === undefined) return undefined;
  const { modelMemory, modelSeconds, signal } = flags;
  const { graph } = await openTriedModel(file, { modelMemory, modelSeconds, signal });
  const broken = brokenWeight(graph);
  if (broken) throw new RgiError('model', `${file}: ${broken}`, { file });
  if (opened.generator.exported)
    throw new RgiError(
      'usage',
      `${file} maps pictures to the generator's own latent, and --latent ${flags.latent!.join(',')} searches another space: leave --encoder out.`,
      { file },
    );
  if (encoderFits(opened.generator, graph)) return { file, graph };
  throw new RgiError('model', `${file} does not map the generator's pictures to its latent; give --encoder none.`, {
    file,
  });
}
