/** Where the first stage's searches begin: drawn latents that are near by the method's measure, and an encoder's answer. */

import { rows } from '../../arrays/rows.ts';
import type { Mask } from '../../images/image.ts';
import { splitModel } from '../../onnx/encode.ts';
import { float32Data, type Tensor } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { renderFeeds } from '../compile/feeds.ts';
import type { Reuse } from '../compile/reuse.ts';
import type { CompiledStep } from '../compile/step.ts';
import { STEP } from '../compile/step-names.ts';
import { type Generator, poolBatch } from '../generator/generator.ts';
import type { Method } from '../spec/method.ts';
import { withEncodedStart } from './encoded.ts';
import { poolSize } from './pool-size.ts';
import { chooseStarts, type LatentCost } from './starts.ts';

interface FirstStartsOptions {
  /** [n,C,H,W], what is kept of them and what is missing (see `knownBeforehand`). */
  readonly images: Tensor;
  readonly visibility?: Tensor;
  readonly missing?: Mask;
  /** The first stage's formulation for a batch. */
  readonly compile: (batch: number) => Promise<CompiledStep>;
  readonly pool?: Reuse['pool'];
  readonly signal?: AbortSignal;
}

/** Latents [n * starts, ...dims], an image's starts side by side. */
export async function firstStarts(
  generator: Generator,
  method: Method,
  runtime: Runtime,
  { images, visibility, missing, compile, pool, signal }: FirstStartsOptions,
): Promise<Map<string, Tensor>> {
  const shared = { visibility, pool, signal };
  const [{ starts: count, controls }] = method.stages;
  const rule = { ...method.start, pool: await poolSize(generator, method, runtime) };
  if (method.start.distance.kind !== 'loss') {
    const drawn = await chooseStarts(generator, images, rule, count, runtime, shared);
    if (!generator.encoder || count === 1) return drawn;
    const known = method.needsMask ? { visibility } : { missing };
    return withEncodedStart(generator, drawn, count, images, runtime, known, method.start.encoding);
  }
  // The first stage's own loss as the distance of starts.
  const batch = poolBatch(generator);
  const compiled = await compile(batch);
  const session = await runtime.session(splitModel(compiled.render));
  const cost: LatentCost = async (i, latents) => {
    const same = Array.from({ length: batch }, () => i);
    const state = new Map([...latents, ...compiled.weights]);
    const made = await session.run(
      renderFeeds(compiled, state, rows(images, same), visibility && rows(visibility, same), controls(0), [0]),
    );
    return float32Data(made.get(STEP.loss)!);
  };
  try {
    return await chooseStarts(generator, images, rule, count, runtime, { ...shared, cost });
  } finally {
    await session.dispose();
  }
}
