/**
 * Which generator is best for inversion, by architecture and length of z, after equal processor time on one core: coverage of
 * held-out good pictures, and their restoration with a quarter corrupted, with the mask given and without. The clock is the
 * processor time of this process, so that other work on the machine does not matter.
 *
 *   npm run bench -- architectures FOLDER --size 32 --minutes 4 --cases linear:32,light:32,light:64,pggan:64 [--count 24]
 */
import { batchOf, type Dataset } from '../src/datasets/dataset.ts';
import { split } from '../src/datasets/held-out.ts';
import { loadFolder } from '../src/datasets/node/folder.ts';
import { measureCoverage } from '../src/gan/coverage.ts';
import { fitBackbone } from '../src/gan/fit-backbone.ts';
import { fitLinear } from '../src/gan/networks/linear.ts';
import { type Architecture, defaultSettings, type TrainingSettings } from '../src/gan/settings.ts';
import { createTrainer } from '../src/gan/trainer.ts';
import { openGenerator } from '../src/inversion/generator/generator.ts';
import { rgi } from '../src/inversion/methods/rgi.ts';
import type { Graph } from '../src/onnx/graph.ts';
import { randomFrom } from '../src/random.ts';
import { nodeRuntime } from '../src/runtime/node/onnxruntime.ts';
import { processorClock } from './clocks.ts';
import { argument, median, score, trial } from './trials.ts';

const runtime = nodeRuntime({ threads: 1 });

interface Made {
  readonly generator: Graph;
  readonly encoder?: Graph;
  readonly steps: number;
}

export async function architectures(args: readonly string[]): Promise<void> {
  const size = Number(argument(args, 'size', '32'));
  const seconds = 60 * Number(argument(args, 'minutes', '4'));
  const { dataset } = await loadFolder(args[0], { size });
  const { train, held } = split(dataset, Number(argument(args, 'count', '24')), 0);
  const unseen = batchOf(held, [...held.pictures.keys()]);
  console.log('| generator | z | steps | coverage | block, mask given | block, mask-free |');
  console.log('| --- | --- | --- | --- | --- | --- |');
  for (const name of argument(args, 'cases', 'linear:32,light:32,light:64,pggan:64').split(',')) {
    const [architecture, latent, ...more] = name.split(':');
    const made =
      architecture === 'linear'
        ? await linear(train, Number(latent))
        : await learnt(train, architecture as Architecture, Number(latent), more, seconds);
    const { encoder } = made;
    const coverage = await measureCoverage(made.generator, unseen, runtime, { steps: 100, pool: 300, encoder });
    const generator = await openGenerator(made.generator, runtime);
    const block = trial(unseen, 'block', 1);
    const restored: string[] = [];
    for (const masked of [true, false]) {
      const method = rgi({ preset: 'fast', channels: generator.channels, steps: 300, masked });
      restored.push(median((await score(generator, method, runtime, block)).psnr).toFixed(1));
    }
    const kind = [architecture, ...more].join(' ');
    console.log(
      `| ${[kind, latent, made.steps || '', coverage.median.toFixed(1), restored[0], restored[1]].join(' | ')} |`,
    );
  }
}

async function linear(train: Dataset, latent: number): Promise<Made> {
  const all = batchOf(train, [...train.pictures.keys()], randomFrom(5));
  return { ...(await fitLinear(all, latent, runtime)), steps: 0 };
}

const VARIANTS: Readonly<Record<string, Partial<TrainingSettings>>> = {
  codes: { reconstruction: 'codes' },
  'gan-only': { reconstruction: 'none' },
  'self-supervised': { selfSupervision: 1 },
  // The decoder and the encoder alone: a variational autoencoder.
  'no-critic': { weights: { adversarial: 0, reconstruction: 1, divergence: 1 } },
};

async function learnt(
  train: Dataset,
  architecture: Architecture,
  latent: number,
  more: readonly string[],
  seconds: number,
): Promise<Made> {
  const given: Partial<TrainingSettings> = Object.assign({ architecture, latent }, ...more.map((m) => VARIANTS[m]));
  const fitted = more.includes('no-start') ? undefined : await fitBackbone(train, latent, runtime);
  const facts = { size: train.size, count: train.pictures.length, ...fitted };
  const begin = async (steps: Partial<TrainingSettings>) => {
    const settings = defaultSettings(facts, { ...given, ...steps });
    const { adversarial } = settings.weights;
    // Without a critic the reconstruction keeps the weight that the picture noise gives it.
    const weights = adversarial > 0 ? settings.weights : { ...defaultSettings(facts).weights, adversarial };
    return createTrainer(train, { ...settings, weights }, runtime, fitted?.backbone);
  };
  const steps = await stepsWithin(seconds, await begin({ warmup: 0 }));
  const trainer = await begin({ steps });
  while (trainer.done < steps) await trainer.step();
  const { generator, encoder } = await trainer.networks();
  await trainer.dispose();
  return { generator: generator.graph, encoder: encoder?.graph, steps };
}

/** How many steps a trainer makes in so much time, by its first ones; it is disposed. */
async function stepsWithin(seconds: number, trainer: Awaited<ReturnType<typeof createTrainer>>): Promise<number> {
  const tried = trainer.settings.penaltyEvery;
  // The first two compile both forms of the discriminator's step.
  for (let i = 0; i < 2; i++) await trainer.step();
  const before = processorClock();
  for (let i = 0; i < tried; i++) await trainer.step();
  const each = (processorClock() - before) / 1000 / tried;
  await trainer.dispose();
  return Math.round(seconds / each);
}
