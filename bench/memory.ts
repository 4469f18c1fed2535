/**
 * The peak memory of a stage of R-RGI's search, beside what was planned, and the time to its first step: of one generator, in this process.
 *
 *   npm run bench -- memory FILE.onnx [--stage 0] [--pictures 1] [--steps 3] [--weights all|early|rank:8] [--range -1..1] [--memory BYTES]
 *
 * Stages are numbered from 0, the last one tunes weights. `--memory`: steps that are planned to take more compute inner values twice. Linux only: the peak is read from /proc/self/status.
 */
import type { ImageRange } from '../src/inspect/facts.ts';
import { planMemory } from '../src/inversion/compile/memory.ts';
import { withinMemory } from '../src/inversion/compile/plan.ts';
import { adaptingReuse, reuse } from '../src/inversion/compile/reuse.ts';
import { buildMethod } from '../src/inversion/methods/index.ts';
import type { WeightChoice } from '../src/inversion/methods/weights.ts';
import { createSolver } from '../src/inversion/solve/solver.ts';
import { openGeneratorModel } from '../src/models/generator.ts';
import { openModel } from '../src/models/node/model-file.ts';
import { zeros } from '../src/onnx/tensor.ts';
import { randomFrom } from '../src/random.ts';
import { nodeRuntime } from '../src/runtime/node/onnxruntime.ts';
import { peakBytes, processorClock } from './clocks.ts';
import { argument } from './trials.ts';

export async function memory(args: readonly string[]): Promise<void> {
  const began = performance.now();
  const runtime = nodeRuntime({ threads: 1 });
  const range = argument(args, 'range', '-1..1') as ImageRange;
  const { generator } = await openGeneratorModel(await openModel(args[0]), runtime, { range });
  const { channels, height, width } = generator;
  const pictures = Number(argument(args, 'pictures', '1'));
  const weights = argument(args, 'weights', 'all') as WeightChoice;
  const context = { channels, generator: generator.graph, masked: false, critic: false, layers: [] };
  const method = buildMethod({ method: 'rrgi', weights }, context);
  const stage = method.stages[Number(argument(args, 'stage', '0'))];
  // The stage alone: its mask is given where one before would have found it.
  const needsMask = stage.formulation.mask.form === 'given';
  const one = { ...method, needsMask, stages: [{ ...stage, freezesMask: false }] };
  const allowed = argument(args, 'memory', '');
  const shared = allowed ? adaptingReuse(withinMemory(Number(allowed))) : reuse();
  const opened = performance.now();
  const plan = await planMemory(generator, one, pictures, runtime, shared);
  const planned = performance.now();
  const solver = createSolver(generator, one, runtime, { reuse: shared });
  const starts = await generator.draw(pictures * stage.starts, randomFrom(4));
  const mask = needsMask ? zeros('float32', [pictures, 1, height, width]) : undefined;
  await solver.init(zeros('float32', [pictures, channels, height, width]), mask, starts);
  const times: number[] = [];
  const processor: number[] = [];
  for (let i = 0; i < Number(argument(args, 'steps', '3')); i++) {
    const [start, busy] = [performance.now(), processorClock()];
    await solver.step();
    times.push(performance.now() - start);
    processor.push(processorClock() - busy);
  }
  const first = performance.now() - times.slice(1).reduce((sum, ms) => sum + ms, 0) - began;
  await solver.dispose();
  await runtime.dispose();
  const peak = peakBytes();
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;
  console.log(
    `${stage.name}, ${pictures * stage.starts} searches: planned ${gigabytes(plan.total)}, peak ${gigabytes(peak)}; opened in ${seconds(opened - began)}, compiled in ${seconds(planned - opened)}, first step done after ${seconds(first)}, then ${Math.round(Math.min(...times.slice(1)))} ms a step (processor ${Math.round(Math.min(...processor.slice(1)))})${plan.recomputing.length > 0 ? ', inner values computed twice' : ''}`,
  );
}
