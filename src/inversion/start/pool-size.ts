/**
 * How many random latents a search looks at before it begins. A picture of a large generator takes a second, and a pool of a thousand of them
 * longer than the search itself, so that there the pool has a share of the search's cost. The cost is counted, not
 * timed: the same run gives the same result on every machine.
 */
import { splitModel } from '../../onnx/encode.ts';
import { multiplyAdds } from '../../passes/multiply-adds.ts';
import { evaluatorOf, type Runtime } from '../../runtime/runtime.ts';
import type { Generator } from '../generator/generator.ts';
import type { Method } from '../spec/method.ts';

/** A pool of fewer multiply-adds is cheap, whatever the search costs: about a minute on a laptop. */
export const MAX_CHEAP = 5e12;

/** A smaller pool hardly chooses. */
export const MIN_POOL = 100;

/** A step costs as much as so many pictures: one pass forward, and about two for the gradient. */
const PASSES = 3;

/** The size of the pool of `method` for this generator: `pool`, or less where `maxShare` bounds it and it is not cheap. */
export async function poolSize(generator: Generator, method: Method, runtime: Runtime): Promise<number> {
  const { pool, maxShare } = method.start;
  if (maxShare === undefined || pool <= MIN_POOL) return pool;
  return boundedPool(method, (await costOfPicture(generator, runtime)) * pool);
}

/** As `poolSize`, where the whole pool takes `cost` multiply-adds. */
export function boundedPool({ start: { pool, maxShare = 1 }, stages }: Method, cost: number): number {
  if (cost <= MAX_CHEAP) return pool;
  const pictures = PASSES * stages.reduce((sum, { starts, steps }) => sum + starts * steps, 0);
  return Math.min(pool, Math.max(MIN_POOL, Math.floor(maxShare * pictures)));
}

const known = new WeakMap<Generator, Promise<number>>();

/** Multiply-adds of one picture; counted once for each generator. */
function costOfPicture(generator: Generator, runtime: Runtime): Promise<number> {
  const before = known.get(generator);
  if (before) return before;
  const counted = countedCost(generator, runtime);
  known.set(generator, counted);
  return counted;
}

async function countedCost({ graph, latents, batch }: Generator, runtime: Runtime): Promise<number> {
  const size = batch === 'any' ? 1 : batch;
  const inputs = latents.map(({ name, dims }) => ({ name, type: 'float32' as const, dims: [size, ...dims] }));
  return (await multiplyAdds({ ...graph, inputs }, evaluatorOf(runtime, splitModel))) / size;
}
