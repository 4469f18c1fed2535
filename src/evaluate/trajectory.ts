/** The trajectory of one search: its G(z) and its mask after some of the steps. */
import { binaryMask, clip, type Image, imageAt, type Mask } from '../images/image.ts';
import type { Reuse } from '../inversion/compile/reuse.ts';
import type { Critic } from '../inversion/generator/critic.ts';
import type { Generator } from '../inversion/generator/generator.ts';
import { drive } from '../inversion/solve/driver.ts';
import { plannedSteps } from '../inversion/solve/restore.ts';
import { createSolver } from '../inversion/solve/solver.ts';
import type { Method } from '../inversion/spec/method.ts';
import { zeros } from '../onnx/tensor.ts';
import type { Runtime } from '../runtime/runtime.ts';

export interface TrajectoryJob {
  readonly generator: Generator;
  readonly method: Method;
  readonly critic?: Critic;
  readonly reuse?: Reuse;
  /** One picture [1,C,H,W] in [-1,1]. */
  readonly image: Image;
  /** For methods that are given one. */
  readonly mask?: Mask;
}

export interface TrajectoryPicture {
  /** Steps made. */
  readonly step: number;
  readonly restored: Image;
  readonly mask: Mask;
}

/**
 * G(z) and the mask after about `count` steps, the last among them, denser at the start, where most happens. The search is
 * run for this alone, with its own settings. Empty if aborted.
 */
export async function searchTrajectory(
  { generator, method, critic, reuse, image, mask }: TrajectoryJob,
  count: number,
  runtime: Runtime,
  signal?: AbortSignal,
): Promise<TrajectoryPicture[]> {
  const given = method.needsMask ? mask : undefined;
  const total = plannedSteps(method);
  // Squares of evenly spaced shares.
  const wanted = new Set(
    Array.from({ length: count }, (_, i) => Math.max(1, Math.round(total * ((i + 1) / count) ** 2))),
  );
  const solver = createSolver(generator, method, runtime, { critic, reuse, signal });
  const taken: TrajectoryPicture[] = [];
  const take = async (step: number) => {
    const inversion = await solver.finish();
    const soft = inversion.mask ?? given ?? zeros('float32', [1, 1, ...image.dims.slice(2)]);
    taken.push({
      step,
      restored: clip(imageAt(inversion.image as Image, 0)),
      mask: binaryMask(imageAt(soft as Image, 0)),
    });
  };
  try {
    await solver.init(image, given);
    let made = 0;
    for await (const { kind } of drive(solver, signal)) if (kind === 'step' && wanted.has(++made)) await take(made);
    if (signal?.aborted) return [];
    if (taken.at(-1)?.step !== made) await take(made);
    return taken;
  } finally {
    await solver.dispose();
  }
}
