/**
 * z, W and W+ of a generator with a mapping network, by RGI and by R-RGI with a choice of its weights, on the same pictures with a block:
 * pictures that the generator can make, those of the same generator with its weights disturbed, which it can make only nearly, and those of a
 * folder.
 *
 *   npm run bench -- styles FILE.onnx [--count 8] [--disturbed 0.1] [--folder DIR] [--seed 2026] [--threads 1] [--methods rgi,rrgi]
 *     [--latents z,w,w+] [--pictures sampled,disturbed,folder] [--weights all,early,rank:8] [--weight-rate 1e-4] [--tuning-latent-rate 0.01]
 */
import type { Image } from '../src/images/image.ts';
import type { Generator } from '../src/inversion/generator/generator.ts';
import { buildMethod } from '../src/inversion/methods/index.ts';
import type { MethodOptions } from '../src/inversion/methods/options.ts';
import type { WeightChoice } from '../src/inversion/methods/weights.ts';
import { openGeneratorModel } from '../src/models/generator.ts';
import { openModel } from '../src/models/node/model-file.ts';
import type { Model } from '../src/onnx/graph.ts';
import { float32, float32Data } from '../src/onnx/tensor.ts';
import { trainableWeights } from '../src/passes/trainable.ts';
import { randomFrom } from '../src/random.ts';
import { nodeRuntime } from '../src/runtime/node/onnxruntime.ts';
import { argument, type Figures, figures, folderPictures, mean, onManifold, score, trial } from './trials.ts';

export async function styles(args: readonly string[]): Promise<void> {
  const count = Number(argument(args, 'count', '8'));
  const seed = Number(argument(args, 'seed', '2026'));
  const model = await openModel(args[0]);
  const runtime = nodeRuntime({ threads: Number(argument(args, 'threads', '1')) });
  const open = async (from: Model, latent: string): Promise<Generator> => {
    const opened = await openGeneratorModel(from, runtime, {
      latents: latent === 'z' ? undefined : [latent],
      range: '-1..1',
    });
    return opened.generator;
  };
  const disturbed = withDisturbedWeights(model, Number(argument(args, 'disturbed', '0.1')), seed);
  const own = await open(model, 'z');
  const pictures: Record<string, () => Promise<Image>> = {
    sampled: () => onManifold(own, count, seed, runtime),
    disturbed: async () => onManifold(await open(disturbed, 'z'), count, seed, runtime),
    folder: () => folderPictures(argument(args, 'folder', '.'), own, count),
  };
  console.log('| pictures | latent | method | PSNR in the hole | PSNR outside | IoU | s a picture |');
  console.log('| --- | --- | --- | --- | --- | --- | --- |');
  for (const kind of argument(args, 'pictures', 'sampled,disturbed').split(',')) {
    const setting = trial(await pictures[kind](), 'block', seed + 1);
    for (const options of recipes(args)) {
      for (const latent of argument(args, 'latents', 'z,w,w+').split(',')) {
        const generator = await open(model, latent);
        const { channels, graph } = generator;
        const method = buildMethod(options, { channels, generator: graph, masked: false, critic: false, layers: [] });
        const { restorations, secondsPerImage } = await score(generator, method, runtime, setting);
        const found = restorations.map(({ restored, mask }, i) => figures(restored, mask.data, setting, i));
        const column = (pick: (figure: Figures) => number, digits = 1) => mean(found.map(pick)).toFixed(digits);
        const weights = options.weights ? ` ${options.weights}` : '';
        const cells = [
          kind,
          latent,
          `${options.method}${weights}`,
          column((f) => f.inside),
          column((f) => f.outside),
          column((f) => f.iou, 2),
        ];
        console.log(`| ${cells.join(' | ')} | ${secondsPerImage.toFixed(1)} |`);
      }
    }
  }
}

/** The methods that are asked for, R-RGI with each choice of weights. */
function recipes(args: readonly string[]): MethodOptions[] {
  const weightRate = Number(argument(args, 'weight-rate', '1e-4'));
  const tuningLatentRate = Number(argument(args, 'tuning-latent-rate', '0.01'));
  const choices = argument(args, 'weights', 'all').split(',') as WeightChoice[];
  return argument(args, 'methods', 'rgi,rrgi')
    .split(',')
    .flatMap((method): MethodOptions[] =>
      method === 'rgi'
        ? [{ method }]
        : choices.map((weights) => ({ method: 'rrgi', weights, weightRate, tuningLatentRate })),
    );
}

/** Each weight times 1 + N(0, deviation). */
function withDisturbedWeights(model: Model, deviation: number, seed: number): Model {
  const random = randomFrom(seed);
  const initializers = new Map(model.graph.initializers);
  for (const name of trainableWeights(model.graph)) {
    const tensor = initializers.get(name)!;
    initializers.set(
      name,
      float32(
        float32Data(tensor).map((v) => v * (1 + deviation * random.normal())),
        tensor.dims,
      ),
    );
  }
  return { ...model, graph: { ...model.graph, initializers } };
}
