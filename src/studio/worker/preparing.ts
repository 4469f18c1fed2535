/**
 * What the first search with a model would make, made while nobody waits: the pool of starts and the compiled steps. Ended by the next call,
 * which goes on with what is there.
 */
import { buildMethod } from '../../inversion/methods/index.ts';
import { restoreImages } from '../../inversion/solve/restore.ts';
import { isSolvedExactly } from '../../inversion/solve/sequential-tuning.ts';
import { poolSize } from '../../inversion/start/pool-size.ts';
import { zeros } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { HeldModel } from './models.ts';
import { nextTask } from './next-task.ts';

/** A search by the default method on a grey picture, one step in each stage; of an affine generator there is little to prepare. */
export async function prepareSearch(model: HeldModel, runtime: Runtime, signal: AbortSignal): Promise<void> {
  const { generator } = model.opened;
  const { channels, height, width, graph } = generator;
  const context = { channels, generator: graph, masked: false, critic: false, logistic: false, layers: [] };
  const method = buildMethod({ method: 'rgi' }, context);
  if (await isSolvedExactly(generator, method, runtime)) return;
  // The whole pool, which may depend on the steps of the search.
  const start = { ...method.start, pool: await poolSize(generator, method, runtime), maxShare: undefined };
  const stages = method.stages.map((stage) => ({ ...stage, steps: 1 }));
  const job = {
    generator: model.generatorFor(method),
    method: { ...method, start, stages },
    images: zeros('float32', [1, channels, height, width]),
    reuse: model.reuseFor(method),
  };
  for await (const _ of restoreImages(job, interruptible(runtime), { onState: nextTask, signal }));
}

/** Messages are seen between two runs of a graph, too. */
function interruptible(runtime: Runtime): Runtime {
  return {
    ...runtime,
    async session(model, options) {
      const session = await runtime.session(model, options);
      return {
        ...session,
        async run(feeds, wanted) {
          await nextTask();
          return session.run(feeds, wanted);
        },
      };
    },
  };
}
