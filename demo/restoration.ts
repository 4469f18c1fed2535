/** The first half of the demo: pictures are corrupted, each in another way, and restored without being told where. */
import { parseCases } from '../src/evaluate/cases.ts';
import { scoresOf } from '../src/evaluate/inpaint/score.ts';
import { runSnapshots, type SnapshotPictures } from '../src/evaluate/inpaint/trials.ts';
import { parseRecipe } from '../src/evaluate/recipes.ts';
import { corrupt } from '../src/images/corruptions.ts';
import { clip, type Image, imageAt, type Mask, stackImages } from '../src/images/image.ts';
import { buildMethod } from '../src/inversion/methods/index.ts';
import { batchSize, plannedSteps, type Restoration, restoreImages } from '../src/inversion/restore.ts';
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

const methodFor = ({ generator }: ShippedModel) =>
  buildMethod(RECIPE.options, {
    channels: generator.channels,
    generator: generator.graph,
    masked: false,
    critic: false,
    layers: [],
  });

/** Picture i of the model with the i-th case. Undefined if aborted. */
export async function restorePictures(
  model: ShippedModel,
  cases: readonly string[],
  seed: number,
  runtime: Runtime,
  { onProgress, signal }: Hooks = {},
): Promise<RestoredPicture[] | undefined> {
  const known = parseCases(cases).slice(0, model.pictures.length);
  const corrupted = known.map(({ corruption }, i) => corrupt(model.pictures[i].image, corruption, seed, i));
  const job = {
    generator: model.generator,
    method: methodFor(model),
    images: stackImages(corrupted.map((one) => one.image)),
    thresholdGrey: RECIPE.thresholdGrey,
  };
  const steps = plannedSteps(job.method) * Math.ceil(known.length / batchSize(job));
  let made = 0;
  let batches = 0;
  const results: RestoredPicture[] = [];
  const hooks = {
    signal,
    // A batch may end before its planned steps.
    onBatch: () => {
      made = plannedSteps(job.method) * batches++;
    },
    onStep: () => onProgress?.(++made / steps),
  };
  for await (const restoration of restoreImages(job, runtime, hooks)) {
    const i = results.length;
    const { image: truth, name: file } = model.pictures[i];
    const { image: input, mask: trueMask } = corrupted[i];
    const scores = scoresOf(restoration, { truth, mask: trueMask, told: false });
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

/** G(z) and the mask along the search of one picture; empty if aborted. */
export function searchOf(
  model: ShippedModel,
  index: number,
  cases: readonly string[],
  seed: number,
  count: number,
  runtime: Runtime,
  signal?: AbortSignal,
): Promise<SnapshotPictures[]> {
  const batch = {
    generator: model.generator,
    contestant: { recipe: RECIPE, method: methodFor(model) },
    case: parseCases(cases)[index],
    images: imageAt(model.pictures[index].image, 0),
    first: index,
    seed,
  };
  return runSnapshots(batch, count, runtime, signal);
}
