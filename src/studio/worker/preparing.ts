/**
 * What the first search with a model would make, made while nobody waits: the pool of starts and the compiled steps. Ended by the next call,
 * which goes on with what is there.
 */
import { rows } from '../../arrays/rows.ts';
import type { Image } from '../../images/image.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { buildMethod } from '../../inversion/methods/index.ts';
import { restoreImages } from '../../inversion/solve/restore.ts';
import { isSolvedExactly } from '../../inversion/solve/sequential-tuning.ts';
import type { Method } from '../../inversion/spec/method.ts';
import { poolSize } from '../../inversion/start/pool-size.ts';
import { encodeModel } from '../../onnx/encode.ts';
import { randomFrom } from '../../random.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { HeldModel } from './models.ts';
import { nextTask } from './next-task.ts';

/** A search by the default method on one of the generator's own pictures, one step in each stage; or its solution, where the generator is affine. */
export async function prepareSearch(model: HeldModel, runtime: Runtime, signal: AbortSignal): Promise<void> {
  const { generator } = model.opened;
  const { channels, graph } = generator;
  const context = { channels, generator: graph, masked: false, critic: false, logistic: false, layers: [] };
  const method = buildMethod({ method: 'rgi' }, context);
  const isExact = await isSolvedExactly(generator, method, runtime);
  const job = {
    generator: model.generatorFor(method),
    method: isExact ? method : await shortened(method, generator, runtime),
    images: await drawnPicture(generator, runtime),
    reuse: model.reuseFor(method),
  };
  for await (const _ of restoreImages(job, interruptible(runtime), { onState: nextTask, signal }));
}

/** [1,C,H,W]. */
async function drawnPicture({ graph, batch, output, draw }: Generator, runtime: Runtime): Promise<Image> {
  const latents = await draw(batch === 'any' ? 1 : batch, randomFrom(0));
  const session = await runtime.session(encodeModel(graph));
  try {
    return rows((await session.run(latents, [output])).get(output)!, [0]);
  } finally {
    await session.dispose();
  }
}

/** The same with one step in each stage, and with the whole pool, which may depend on the steps. */
async function shortened(method: Method, generator: Generator, runtime: Runtime): Promise<Method> {
  const start = { ...method.start, pool: await poolSize(generator, method, runtime), maxShare: undefined };
  return { ...method, start, stages: method.stages.map((stage) => ({ ...stage, steps: 1 })) };
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
