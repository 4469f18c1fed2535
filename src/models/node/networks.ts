/** Opens the networks a user names by file: the generator, adapted and described; a discriminator or feature network. */
import path from 'node:path';
import { readNpy } from '../../arrays/npy.ts';
import { messageOf, RgiError } from '../../errors.ts';
import { featureMetadata } from '../../features/network.ts';
import { openPerceptual } from '../../features/perceptual.ts';
import { readBytes } from '../../images/node/decode.ts';
import type { ImageRange } from '../../inspect/facts.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import type { LatentLaw } from '../../inversion/generator/latent-law.ts';
import type { ValueInfo } from '../../onnx/graph.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { LOGISTIC_NOTE, type OpenedCritic, openCriticModel } from '../critic.ts';
import { type OpenedGenerator, type OpeningOptions, openGeneratorModel } from '../generator.ts';
import { inputOfTensor, inputOfText } from '../inputs.ts';
import { type ModelBudget, openTriedModel, type TrialFlags } from './trial.ts';

export { LOGISTIC_NOTE, type OpenedCritic, type OpenedGenerator };

/** A generator's file, and what the file does not say. */
export interface GeneratorFlags extends ModelBudget {
  /** The ONNX file. */
  readonly generator: string;
  /** The unknowns: names of inputs or inner values; default: the input that is the latent. */
  readonly latent?: readonly string[];
  /** Distribution of the latents; default: as the file says, else normal. */
  readonly latentLaw?: LatentLaw;
  /** Shape of one latent, where the file leaves it open. */
  readonly latentShape?: readonly number[];
  /** NAME=VALUE or NAME=FILE.npy. */
  readonly input?: readonly string[];
  /** The output that is the picture; default: the largest picture. */
  readonly outputName?: string;
  /** Value range of the output; default: measured. */
  readonly range?: ImageRange;
  /** Axes of the output; default: found by their sizes. */
  readonly layout?: OpeningOptions['layout'];
  /** [C, H, W] of flat pictures. */
  readonly shape?: readonly number[];
  /** Aborted, it ends the trial of an unknown model; the call rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a generator's file: reads it, tries an unknown model in a process of its own, finds latent and picture, adapts range and
 * layout to [N, C, H, W] in [-1, 1]. Throws `RgiError` where the file is no generator, with the reason and the remedy.
 */
export async function openGeneratorFile(runtime: Runtime, flags: GeneratorFlags): Promise<OpenedGenerator> {
  const model = await openTriedModel(flags.generator, flags);
  return openGeneratorModel(model, runtime, await openingOptions(model.graph.inputs, flags));
}

/** The options that the flags stand for, with the values of inputs read from their files. */
export async function openingOptions(
  inputs: readonly ValueInfo[],
  flags: Omit<GeneratorFlags, 'generator'> & { readonly generator?: string },
): Promise<OpeningOptions> {
  return {
    latents: flags.latent,
    law: flags.latentLaw,
    latentShape: flags.latentShape,
    inputs: await fixedInputs(inputs, flags.input ?? []),
    output: flags.outputName,
    range: flags.range,
    layout: flags.layout,
    shape: flags.shape,
    name: flags.generator,
  };
}

/** The values of --input NAME=VALUE and NAME=FILE.npy, in the type and shape that the model declares. */
export async function fixedInputs(
  inputs: readonly ValueInfo[],
  given: readonly string[],
): Promise<Map<string, Tensor>> {
  const fixed = new Map<string, Tensor>();
  for (const text of given) {
    const at = text.indexOf('=');
    if (at <= 0) throw new RgiError('usage', `--input ${text}: write NAME=VALUE or NAME=FILE.npy.`);
    const [name, value] = [text.slice(0, at), text.slice(at + 1)];
    const info = inputs.find((input) => input.name === name);
    if (!info) {
      const names = inputs.map((input) => `'${input.name}'`).join(', ');
      throw new RgiError('usage', `--input ${text}: the model has no input '${name}'; it has ${names}.`);
    }
    if (fixed.has(name)) throw new RgiError('usage', `--input ${name} is given twice.`);
    fixed.set(name, value.endsWith('.npy') ? await inputFromFile(info, value) : inputOfText(info, value));
  }
  return fixed;
}

async function inputFromFile(info: ValueInfo, file: string): Promise<Tensor> {
  let stored: Tensor;
  try {
    stored = readNpy(await readBytes(file));
  } catch (error) {
    if (error instanceof RgiError && error.message.startsWith(file)) throw error;
    throw new RgiError('input', `${file} cannot be used: ${messageOf(error)}`, { file }, { cause: error });
  }
  const value = inputOfTensor(info, stored);
  if (value) return value;
  throw new RgiError(
    'input',
    `${file} is [${stored.dims.join(', ')}]; the input '${info.name}' is [${info.dims.join(', ')}].`,
    { file },
  );
}

/**
 * The network whose layers feature terms compare. One whose file states its input (`rgi.features`), as that of this package does, is a
 * perceptual distance; any other is taken as a discriminator is: pictures in [-1,1] of the generator's size. `layers` by default: all that it
 * states, or all activations.
 */
export async function openDistanceFile(
  runtime: Runtime,
  file: string,
  generator: Generator,
  layers: readonly string[] | undefined,
  { modelMemory, modelSeconds, signal }: Pick<TrialFlags, 'modelMemory' | 'modelSeconds' | 'signal'> = {},
): Promise<OpenedCritic> {
  const model = await openTriedModel(file, { modelMemory, modelSeconds, signal });
  const name = path.basename(file);
  if (!featureMetadata(model)) return openCriticModel(model, runtime, generator, name);
  const opened = await openPerceptual(model, runtime, generator, { layers, name });
  return { ...opened, logistic: false, values: new Set(opened.layers) };
}

/** A network that looks at pictures of the generator's size. */
export async function openCriticFile(
  runtime: Runtime,
  file: string,
  generator: Generator,
  { modelMemory, modelSeconds, signal }: Pick<TrialFlags, 'modelMemory' | 'modelSeconds' | 'signal'> = {},
): Promise<OpenedCritic> {
  return openCriticModel(
    await openTriedModel(file, { modelMemory, modelSeconds, signal }),
    runtime,
    generator,
    path.basename(file),
  );
}
