/** Trials of restoration: clean pictures are corrupted with a known mask, restored by a method, and scored. */
import { corrupt } from '../../images/corruptions.ts';
import { binaryMask, clip, type Image, imageAt, type Mask } from '../../images/image.ts';
import type { Critic } from '../../inversion/critic.ts';
import type { Generator } from '../../inversion/generator.ts';
import type { Method } from '../../inversion/method.ts';
import { type Restoration, type RestoreHooks, type RestoreJob, restoreImages } from '../../inversion/restore.ts';
import { createSolver } from '../../inversion/solver.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Case } from '../cases.ts';
import type { MetricName } from '../metrics.ts';
import type { Recipe } from '../recipes.ts';
import { scoresOf } from './score.ts';

export interface Contestant {
  readonly recipe: Recipe;
  /** The recipe, resolved for the generator. */
  readonly method: Method;
  readonly critic?: Critic;
}

export interface TrialBatch {
  readonly generator: Generator;
  readonly contestant: Contestant;
  readonly case: Case;
  /** Clean pictures [n,C,H,W] in [-1,1]. */
  readonly images: Image;
  /** Position of the first of them: what a picture's corruption is depends on the seed and its position alone. */
  readonly first: number;
  readonly seed: number;
}

export interface Trial {
  readonly truth: Image;
  /** Corrupted, not clipped. */
  readonly input: Image;
  readonly trueMask: Mask;
  readonly restoration: Restoration;
  readonly metrics: Partial<Record<MetricName, number | null>>;
}

/** Undefined if it was aborted. A search that diverged has no scores. */
export async function runTrials(
  batch: TrialBatch,
  runtime: Runtime,
  hooks: RestoreHooks = {},
): Promise<Trial[] | undefined> {
  const { contestant, images } = batch;
  const { image, mask } = corrupt(images, batch.case.corruption, batch.seed, batch.first);
  const job: RestoreJob = {
    generator: batch.generator,
    method: contestant.method,
    critic: contestant.critic,
    images: image,
    masks: contestant.method.needsMask ? mask : undefined,
    batch: images.dims[0],
    thresholdGrey: contestant.recipe.thresholdGrey,
  };
  const trials: Trial[] = [];
  for await (const restoration of restoreImages(job, runtime, hooks)) {
    const i = trials.length;
    const [truth, trueMask] = [imageAt(images, i), imageAt(mask, i)];
    const known = { truth, mask: trueMask, told: contestant.recipe.told };
    trials.push({
      truth,
      input: imageAt(image, i),
      trueMask,
      restoration,
      metrics: restoration.code === 'diverged' ? {} : scoresOf(restoration, known),
    });
  }
  return trials.length === images.dims[0] ? trials : undefined;
}

export interface SnapshotPictures {
  /** Steps made. */
  readonly step: number;
  readonly restored: Image;
  readonly mask: Mask;
}

/**
 * How one search went: G(z) and the mask after about `count` evenly spaced steps, the last among them. The search is run for
 * this alone, with the settings of the trial. Empty if aborted.
 */
export async function runSnapshots(
  batch: TrialBatch,
  count: number,
  runtime: Runtime,
  signal?: AbortSignal,
): Promise<SnapshotPictures[]> {
  const { method, critic } = batch.contestant;
  const { image, mask } = corrupt(batch.images, batch.case.corruption, batch.seed, batch.first);
  const total = method.stages.reduce((sum, stage) => sum + stage.steps, 0);
  // Denser at the start, where most happens: squares of evenly spaced shares.
  const wanted = new Set(
    Array.from({ length: count }, (_, i) => Math.max(1, Math.round(total * ((i + 1) / count) ** 2))),
  );
  const solver = createSolver(batch.generator, method, runtime, { critic, signal });
  const taken: SnapshotPictures[] = [];
  const take = async (step: number) => {
    const inversion = await solver.finish();
    const plane = { ...mask, dims: [1, 1, ...mask.dims.slice(2)] };
    const soft = inversion.mask ?? (method.needsMask ? mask : { ...plane, data: new Float32Array(plane.data.length) });
    taken.push({
      step,
      restored: clip(imageAt(inversion.image as Image, 0)),
      mask: binaryMask(imageAt(soft as Image, 0)),
    });
  };
  try {
    await solver.init(image, method.needsMask ? mask : undefined);
    let made = 0;
    do {
      while (!solver.terminate()) {
        if (signal?.aborted) return [];
        await solver.step();
        if (wanted.has(++made)) await take(made);
      }
    } while (await solver.advance());
    if (taken.at(-1)?.step !== made) await take(made);
    return taken;
  } finally {
    await solver.dispose();
  }
}
