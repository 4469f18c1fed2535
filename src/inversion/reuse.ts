/**
 * What several runs of one method on one generator share: the compiled steps, the images of the pool of starts, how flat they are. A
 * caller with many pictures makes one and passes it to every run; it must not serve another generator, method or critic.
 */
import type { Formulation } from './formulation.ts';
import type { CompiledStep } from './step.ts';

/** What the runs have computed so far. Its contents are for the solver; make it with `reuse()` and pass it on. */
export interface Reuse {
  /** By what is minimised and the batch. */
  readonly steps: Map<Formulation, Map<number, Promise<CompiledStep>>>;
  /** Images of the pool's batches, by the first latent of each. */
  readonly pool: Map<number, Float32Array>;
  /** How often the generator's pictures are flat, by pixel (`missing.ts`). */
  flatness?: Promise<Float32Array>;
}

/** An empty one, for `RestoreJob.reuse` and `SolverOptions.reuse`: runs that share it compile each step graph once. */
export function reuse(): Reuse {
  return { steps: new Map(), pool: new Map() };
}

/** A pool of more bytes than this is made again for each batch of pictures. */
const POOL_BYTES = 2 ** 28;

/** The images of the pool's batch that begins at `from`, made only once where the whole pool is small enough to keep. */
export async function pooled(
  pool: Reuse['pool'] | undefined,
  from: number,
  poolSize: number,
  batch: number,
  make: () => Promise<Float32Array>,
): Promise<Float32Array> {
  const known = pool?.get(from);
  if (known) return known;
  const made = await make();
  if ((made.byteLength / batch) * poolSize <= POOL_BYTES) pool?.set(from, made);
  return made;
}
