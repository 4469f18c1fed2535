/** Options that the commands share: how a generator is opened, and where it is computed. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ImageFacts, ImageRange } from '../inspect/facts.ts';
import type { LatentLaw } from '../inversion/generator/generator.ts';
import { MODEL_SECONDS } from '../models/node/trial.ts';
import { DEVICES, type Device } from '../runtime/runtime.ts';
import { choice, count, list, repeated, sizes } from './arguments.ts';

export interface RuntimeFlags {
  readonly device: Device;
  readonly threads?: number;
}

/** Options that open a generator; shared by the commands that do. */
export function addGeneratorOptions(command: Command): Command {
  return command
    .option('--latent <name>', 'the unknowns: inputs or inner values, separated by commas; w or w+ of a StyleGAN', list)
    .addOption(
      choice<LatentLaw>('--latent-law <name>', 'distribution of the latents (default: as the file says, else normal)', [
        'normal',
        'uniform',
        'unit',
      ]),
    )
    .addOption(latentShape())
    .option('--input <name=value>', 'value of another input: a number or a .npy file; repeatable', repeated)
    .option('--output-name <name>', 'the output that is the picture (default: the largest picture)')
    .addOption(
      choice<ImageRange>('--range <name>', 'value range of the output (default: measured)', [
        '-1..1',
        '0..1',
        '0..255',
      ]),
    )
    .addOption(
      choice<ImageFacts['layout']>('--layout <name>', 'axes of the output (default: found by shape)', ['NCHW', 'NHWC']),
    )
    .addOption(new Option('--shape <c,h,w>', 'channels, height and width of flat pictures').argParser(pictureShape))
    .addOption(modelMemory())
    .addOption(modelSeconds());
}

/** Of every command that opens a model whose latent may be open. */
export function latentShape(): Option {
  return new Option('--latent-shape <sizes>', 'one latent, where the file leaves it open: 128, or 512,1,1').argParser(
    sizes,
  );
}

/** The budget of a model that is not known. */
export function modelMemory(): Option {
  const text = 'most memory of the first run of an unknown model (default: half of the machine, at most 8192)';
  return new Option('--model-memory <megabytes>', text).argParser(count);
}

export function modelSeconds(): Option {
  const text = `most time of the first run of an unknown model (default: ${MODEL_SECONDS})`;
  return new Option('--model-seconds <seconds>', text).argParser(count);
}

function pictureShape(text: string): number[] {
  const shape = sizes(text);
  if (shape.length === 3 && shape[0] <= 4) return shape;
  throw new InvalidArgumentError('It is channels (1 to 4), height and width, such as 1,28,28.');
}

export function addRuntimeOptions(command: Command): Command {
  return command
    .addOption(choice<Device>('--device <name>', 'where to compute', DEVICES, 'cpu'))
    .option('--threads <count>', 'CPU threads (default: one per core)', count);
}
