/** The first half of the demo: pictures are corrupted, each in another way, and restored without being told where. */
import { parseCases } from '../src/evaluate/cases.ts';
import { scoresOf } from '../src/evaluate/inpaint/score.ts';
import { parseRecipe } from '../src/evaluate/recipes.ts';
import { searchTrajectory, type TrajectoryPicture } from '../src/evaluate/trajectory.ts';
import { corrupt } from '../src/images/corruptions.ts';
import { clip, type Image, type Mask, stackImages } from '../src/images/image.ts';
import { type Reuse, reuse } from '../src/inversion/compile/reuse.ts';
import { buildMethod } from '../src/inversion/methods/index.ts';
import { plannedSteps, type Restoration, restoreImages } from '../src/inversion/solve/restore.ts';
import type { Method } from '../src/inversion/spec/method.ts';
import { psnr } from '../src/metrics/fidelity.ts';
import type { Runtime } from '../src/runtime/runtime.ts';
import type { ShippedModel } from './models.ts';

export interface RestoredPicture {
  /** Name of the case (`rgi evaluate inpaint --cases`). */
  readonly case: string;
  readonly file: string;
  readonly truth: Image;
  /** As the method was given it: not clipped. */
  readonly input: Image;
  readonly trueMask: Mask;
  readonly restoration: Restoration;
  readonly psnr: { readonly before: number; readonly restored: number; readonly composite: number };
  readonly iou: number;
}

export interface Hooks {
  /** Share of the work that is done, 0 to 1. */
  readonly onProgress?: (share: number) => void;
  readonly signal?: AbortSignal;
}

/** The method as it is without any option. */
const RECIPE = parseRecipe('rgi');

/** A model with the method, and what their searches share. */
export interface Restorer {
  readonly model: ShippedModel;
  readonly method: Method;
  readonly reuse: Reuse;
}

export function restorerOf(model: ShippedModel): Restorer {
  const { generator } = model;
  const context = {
    channels: generator.channels,
    generator: generator.graph,
    masked: false,
    critic: false,
    layers: [],
  };
  return { model, method: buildMethod(RECIPE.options, context), reuse: reuse() };
}

/** Picture i of the model with the i-th case. Undefined if aborted. */
export async function restorePictures(
  { model, method, reuse }: Restorer,
  cases: readonly string[],
  seed: number,
  runtime: Runtime,
  { onProgress, signal }: Hooks = {},
): Promise<RestoredPicture[] | undefined> {
  const known = parseCases(cases).slice(0, model.pictures.length);
  const corrupted = known.map(({ corruption }, i) => corrupt(model.pictures[i].image, corruption, seed, i));
  const job = {
    generator: model.generator,
    method,
    reuse,
    images: stackImages(corrupted.map((one) => one.image)),
    thresholdGrey: RECIPE.thresholdGrey,
  };
  const steps = plannedSteps(method);
  let made = 0;
  const results: RestoredPicture[] = [];
  const hooks = {
    signal,
    // A batch may end before its planned steps.
    onBatch: (from: number) => {
      made = steps * from;
    },
    onStep: (_: unknown, pictures: number) => {
      made += pictures;
      onProgress?.(made / (steps * known.length));
    },
  };
  for await (const restoration of restoreImages(job, runtime, hooks)) {
    const i = results.length;
    const { image: truth, name: file } = model.pictures[i];
    const { image: input, mask: trueMask } = corrupted[i];
    const scores = scoresOf(restoration, { truth, mask: trueMask, maskGiven: false });
    results.push({
      case: known[i].name,
      file,
      truth,
      input,
      trueMask,
      restoration,
      psnr: { before: psnr(clip(input), truth), restored: scores.psnr!, composite: scores.psnr_composite! },
      iou: scores.mask_iou!,
    });
  }
  return results.length === known.length ? results : undefined;
}

/** G(z) and the mask after some steps of a picture's search; empty if aborted. */
export function wayOf(
  { model, method, reuse }: Restorer,
  { input }: RestoredPicture,
  count: number,
  runtime: Runtime,
  signal?: AbortSignal,
): Promise<TrajectoryPicture[]> {
  return searchTrajectory({ generator: model.generator, method, reuse, image: input }, count, runtime, signal);
}
