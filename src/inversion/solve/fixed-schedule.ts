/**
 * The same search for one batch of pictures after another, from given starts: each stage's compiled step and loop serve them
 * all, where `runMethod` opens new sessions for each batch. For methods with one start per picture, no given mask and a lambda
 * that is not measured on the picture; all planned steps of all stages are made, also those that a picture might do without.
 */
import { RgiError } from '../../errors.ts';
import { encodeModel } from '../../onnx/encode.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import { evaluatorOf, type Loop, type Runtime, type Tensors } from '../../runtime/runtime.ts';
import { renderFeeds, stepFeeds } from '../compile/feeds.ts';
import { type CompiledStep, compileStep } from '../compile/step.ts';
import { STEP } from '../compile/step-names.ts';
import type { Generator } from '../generator/generator.ts';
import { looksForMissing, type Method } from '../spec/method.ts';
import { curvatureOf, stepLoop } from './lbfgs-loop.ts';
import { initialTensors } from './state.ts';

export interface FixedScheduleSearch {
  /** G(z) [batch,C,H,W] for pictures [batch,C,H,W] and starts [batch, ...dims] of each latent. Throws when aborted. */
  run(images: Tensor, starts: ReadonlyMap<string, Tensor>, signal?: AbortSignal): Promise<Tensor>;
  dispose(): Promise<void>;
}

export async function fixedScheduleSearch(
  generator: Generator,
  method: Method,
  batch: number,
  runtime: Runtime,
): Promise<FixedScheduleSearch> {
  if (method.stages.some((stage) => stage.starts !== 1))
    throw new RgiError('usage', 'A kept search needs stages of one start each.');
  const measures = method.stages.some((stage) => stage.lambdaOfThreshold || stage.freezesMask);
  if (method.needsMask || measures || looksForMissing(method))
    throw new RgiError('usage', 'A kept search knows no mask and measures no threshold: give the method a threshold.');
  const evaluate = evaluatorOf(runtime, encodeModel);
  const compiled: CompiledStep[] = [];
  for (const { formulation } of method.stages)
    compiled.push(await compileStep(generator, formulation, batch, evaluate));
  const last = compiled[compiled.length - 1];
  const session = await runtime.session(last.render);
  const loops: Loop[] = [];
  const codes = Array.from({ length: batch }, () => undefined);
  const minLambda = Array.from({ length: batch }, () => 0);
  /** The stage's loop at the beginning, on these pictures. */
  const begin = async (stage: number, images: Tensor, before: Tensors): Promise<Loop> => {
    const { warmStart } = method.stages[stage];
    const memory = warmStart ? curvatureOf(before, [...codes.keys()]) : undefined;
    const state = initialTensors(compiled[stage], before, memory);
    const fixed = new Map([[STEP.x, images]]);
    if (loops[stage]) {
      await loops[stage].fix(fixed);
      await loops[stage].write(state);
    } else loops[stage] = await stepLoop(compiled[stage], runtime, state, fixed);
    return loops[stage];
  };
  return {
    async run(images, starts, signal) {
      let state: Tensors = starts;
      for (const [i, stage] of method.stages.entries()) {
        const loop = await begin(i, images, state);
        for (let t = 0; t < stage.steps; t++) {
          signal?.throwIfAborted();
          await loop.step(stepFeeds(compiled[i], stage.controls(t), t + 1, codes, minLambda));
        }
        state = await loop.read();
      }
      const stage = method.stages[method.stages.length - 1];
      const feeds = renderFeeds(last, state, images, undefined, stage.controls(stage.steps), minLambda);
      return (await session.run(feeds, [STEP.image])).get(STEP.image)!;
    },
    async dispose() {
      for (const loop of loops) await loop?.dispose();
      await session.dispose();
    },
  };
}
