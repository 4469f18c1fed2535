/**
 * The same search for one batch of pictures after another, from given starts: one compiled step and one loop serve them all,
 * where `runMethod` opens new sessions for each batch. For methods whose stages share one formulation, with one start each;
 * all planned steps are made.
 */
import { RgiError } from '../errors.ts';
import { encodeModel } from '../onnx/encode.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { evaluatorOf, type Loop, type Runtime, type Session } from '../runtime/runtime.ts';
import { renderFeeds, stepFeeds } from './feeds.ts';
import type { Generator } from './generator.ts';
import type { Method } from './method.ts';
import { STEP } from './names.ts';
import { initialTensors } from './state.ts';
import { compileStep } from './step.ts';

export interface KeptSearch {
  /** G(z) [batch,C,H,W] for pictures [batch,C,H,W] and starts [batch, ...dims] of each latent. Throws when aborted. */
  run(images: Tensor, starts: ReadonlyMap<string, Tensor>, signal?: AbortSignal): Promise<Tensor>;
  dispose(): Promise<void>;
}

export async function keptSearch(
  generator: Generator,
  method: Method,
  batch: number,
  runtime: Runtime,
): Promise<KeptSearch> {
  const [{ formulation }] = method.stages;
  if (method.stages.some((stage) => stage.formulation !== formulation || stage.starts !== 1))
    throw new RgiError('usage', 'A kept search needs stages of one formulation, with one start each.');
  const compiled = await compileStep(generator, formulation, batch, evaluatorOf(runtime, encodeModel));
  const session: Session = await runtime.session(compiled.render);
  const codes = Array.from({ length: batch }, () => undefined);
  const floors = Array.from({ length: batch }, () => 0);
  let loop: Loop | undefined;
  return {
    async run(images, starts, signal) {
      const state = initialTensors(compiled, starts);
      const fixed = new Map([[STEP.x, images]]);
      if (loop) {
        await loop.fix(fixed);
        await loop.write(state);
      } else loop = await runtime.loop(compiled.step, state, fixed);
      let [made, controls] = [0, method.stages[0].controls(0)];
      for (const stage of method.stages) {
        for (let t = 0; t < stage.steps; t++) {
          signal?.throwIfAborted();
          controls = stage.controls(t);
          // Adam's moments go on from stage to stage, and with them its count of steps.
          await loop.step(stepFeeds(compiled, controls, ++made, codes, floors));
        }
      }
      const tensors = await loop.read();
      const inputs = renderFeeds(compiled, images, undefined, controls, floors);
      const feeds = compiled.renderInputs.map((name) => [name, tensors.get(name) ?? inputs.get(name)!] as const);
      return (await session.run(new Map(feeds), [STEP.image])).get(STEP.image)!;
    },
    async dispose() {
      await loop?.dispose();
      await session.dispose();
    },
  };
}
