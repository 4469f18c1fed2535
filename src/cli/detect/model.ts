/** A product's model as detection uses it: the generator, and the encoder that gives the start of the search. */
import { encoderFits } from '../../detect/inverter.ts';
import { type TrainingSource, trainingSource } from '../../detect/node/good-pictures.ts';
import { RgiError } from '../../errors.ts';
import type { Graph } from '../../onnx/graph.ts';
import { openModel } from '../../runtime/node/model-file.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { companionOf } from '../metadata.ts';
import { type GeneratorFlags, type OpenedGenerator, openGeneratorFile } from '../networks.ts';

export interface ProductFlags extends GeneratorFlags {
  readonly encoder?: string;
}

export interface ProductModel extends OpenedGenerator {
  readonly encoder?: Graph;
  readonly encoderFile?: string;
  readonly source?: TrainingSource;
}

export async function openProduct(runtime: Runtime, flags: ProductFlags): Promise<ProductModel> {
  const opened = await openGeneratorFile(runtime, flags);
  const source = trainingSource(opened.model);
  const own = flags.encoder === undefined && flags.latent === undefined;
  const encoderFile =
    flags.encoder === 'none'
      ? undefined
      : (flags.encoder ?? (own ? await companionOf('encoder', opened.model, flags.generator) : undefined));
  if (encoderFile === undefined) return { ...opened, source };
  const encoder = (await openModel(encoderFile)).graph;
  if (!encoderFits(opened.generator, encoder)) {
    throw new RgiError(
      'model',
      `${encoderFile} does not map the generator's pictures to its latent; give --encoder none.`,
      {
        file: encoderFile,
      },
    );
  }
  return { ...opened, encoder, encoderFile, source };
}
