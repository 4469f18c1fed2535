/**
 * A search of one picture of a large generator's own, with a block: time to the first step, ms a step, peak memory, and PSNR after the steps.
 *
 *   npm run bench -- large FILE.onnx [--steps 200] [--latent w] [--pool 10] [--seed 2026] [--threads 1] [--range -1..1]
 *
 * One search, from the best of a small pool. `bench/pytorch_generators.py` is the PyTorch peer. Linux only, as `memory`.
 */
import type { ImageRange } from '../src/inspect/facts.ts';
import { rgi } from '../src/inversion/methods/rgi.ts';
import { restoreImages } from '../src/inversion/solve/restore.ts';
import { openGeneratorModel } from '../src/models/generator.ts';
import { openModel } from '../src/models/node/model-file.ts';
import { nodeRuntime } from '../src/runtime/node/onnxruntime.ts';
import { peakBytes, processorClock, wallClock } from './clocks.ts';
import { argument, figures, median, onManifold, trial } from './trials.ts';

export async function large(args: readonly string[]): Promise<void> {
  const runtime = nodeRuntime({ threads: Number(argument(args, 'threads', '1')) });
  const range = argument(args, 'range', '-1..1') as ImageRange;
  const model = await openModel(args[0]);
  const latent = argument(args, 'latent', 'z');
  const seed = Number(argument(args, 'seed', '2026'));
  const own = await openGeneratorModel(model, runtime, { range });
  const setting = trial(await onManifold(own.generator, 1, seed, runtime), 'block', seed + 1);
  const { generator } = latent === 'z' ? own : await openGeneratorModel(model, runtime, { range, latents: [latent] });
  const steps = Number(argument(args, 'steps', '200'));
  const pool = Number(argument(args, 'pool', '10'));
  const method = rgi({ channels: generator.channels, steps, starts: 1, pool });
  const began = performance.now();
  const ends: { readonly wall: number; readonly processor: number }[] = [];
  const onStep = () => ends.push({ wall: wallClock(), processor: processorClock() });
  const job = { generator, method, images: setting.corrupted, blend: 'none' as const };
  for await (const { restored, mask, steps: made } of restoreImages(job, runtime, { onStep })) {
    const { inside, outside } = figures(restored, mask.data, setting, 0);
    // Between two stages a graph is compiled: the median is of steps alone.
    const msOf = (clock: 'wall' | 'processor') =>
      median(ends.slice(1).map((end, i) => end[clock] - ends[i][clock])).toFixed(0);
    const seconds = (to: number) => ((to - began) / 1000).toFixed(1);
    const { height, width } = generator;
    console.log(
      `${latent}, ${width} x ${height}: first step done after ${seconds(ends[0].wall)} s, then ${msOf('wall')} ms a step (processor ${msOf('processor')}); ` +
        `peak ${(peakBytes() / 1e9).toFixed(2)} GB; after ${made} steps ${inside.toFixed(1)} dB in the hole, ${outside.toFixed(1)} outside; ${seconds(performance.now())} s in all`,
    );
  }
  await runtime.dispose();
}
