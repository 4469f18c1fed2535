/** Trials of restoration: clean pictures are corrupted with a known mask, restored by a method, and scored. */
import { corrupt } from '../../images/corruptions.ts';
import { type Image, imageAt, type Mask } from '../../images/image.ts';
import type { Reuse } from '../../inversion/compile/reuse.ts';
import type { Critic } from '../../inversion/generator/critic.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { type Restoration, type RestoreHooks, type RestoreJob, restoreImages } from '../../inversion/solve/restore.ts';
import type { Method } from '../../inversion/spec/method.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Case } from '../cases.ts';
import type { MetricName } from '../metrics.ts';
import type { Recipe } from '../recipes.ts';
import { searchTrajectory, type TrajectoryPicture } from '../trajectory.ts';
import { scoresOf } from './score.ts';

export interface Contestant {
  readonly recipe: Recipe;
  /** The recipe, resolved for the generator. */
  readonly method: Method;
  readonly critic?: Critic;
  /** Shared by all its trials: what is compiled once. */
  readonly reuse?: Reuse;
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
    reuse: contestant.reuse,
    images: image,
    masks: contestant.method.needsMask ? mask : undefined,
    batch: images.dims[0],
    thresholdGrey: contestant.recipe.thresholdGrey,
  };
  const trials: Trial[] = [];
  for await (const restoration of restoreImages(job, runtime, hooks)) {
    const i = trials.length;
    const [truth, trueMask] = [imageAt(images, i), imageAt(mask, i)];
    const known = { truth, mask: trueMask, maskGiven: contestant.recipe.maskGiven };
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

/** How the search for the batch's one picture goes (see `searchTrajectory`). */
export function trialTrajectory(
  { generator, contestant, case: setting, images, first, seed }: TrialBatch,
  count: number,
  runtime: Runtime,
  signal?: AbortSignal,
): Promise<TrajectoryPicture[]> {
  const { method, critic, reuse } = contestant;
  const { image, mask } = corrupt(images, setting.corruption, seed, first);
  return searchTrajectory({ generator, method, critic, reuse, image, mask }, count, runtime, signal);
}
