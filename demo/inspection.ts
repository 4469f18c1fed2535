/**
 * The second half of the demo: defects are drawn on some of a generator's own samples (the photographs it was trained on may
 * not be shipped), and all of them are inspected by the policy that was shipped with it.
 */

import { findDefects } from '../src/detect/defects.ts';
import { type Inspection, openInspector } from '../src/detect/inspector.ts';
import { readPolicy } from '../src/detect/node/policy-files.ts';
import type { Policy } from '../src/detect/policy.ts';
import { DEFECT_KINDS, type DefectKind, drawDefects } from '../src/images/defects.ts';
import { clip, type Image, imageAt, imagesOf, type Mask } from '../src/images/image.ts';
import type { Generator } from '../src/inversion/generator/generator.ts';
import { auroc } from '../src/metrics/ranking.ts';
import { openProduct } from '../src/models/node/product.ts';
import { encodeModel } from '../src/onnx/encode.ts';
import { zeros } from '../src/onnx/tensor.ts';
import { randomFrom } from '../src/random.ts';
import type { Runtime } from '../src/runtime/runtime.ts';
import { licenceOf, type ShippedModel, shippedFile } from './models.ts';
import type { Hooks } from './restoration.ts';

export interface InspectedPicture extends Inspection {
  /** Absent: nothing was drawn on it. */
  readonly defect?: DefectKind;
  readonly input: Image;
  readonly trueMask: Mask;
  readonly mask: Mask;
  /** Does the mask meet the defect, or without one, is there a mask at all? */
  readonly marked: boolean;
}

export interface InspectedProduct extends Pick<ShippedModel, 'name' | 'licence'> {
  readonly policy: Policy;
  readonly pictures: readonly InspectedPicture[];
  /** Of all pixels of all pictures together. */
  readonly pixelAuroc: number;
  readonly seconds: number;
}

export interface InspectionPlan {
  readonly model: string;
  /** Pictures with a defect, the kinds in turn, and pictures without. */
  readonly defective: number;
  readonly good: number;
}

/** Standard deviation of the noise added to every sample, as a camera does: two grey levels. */
const CAMERA_NOISE = 2 / 127.5;

/** Undefined if aborted. */
export async function inspectSamples(
  models: string,
  plan: InspectionPlan,
  seed: number,
  runtime: Runtime,
  { onProgress, signal }: Hooks = {},
): Promise<InspectedProduct | undefined> {
  const file = shippedFile(models, plan.model);
  const { generator, encoder, model } = await openProduct(runtime, { generator: file });
  const policy = await readPolicy(file, model);
  const clean = await samplesOf(generator, plan.defective + plan.good, seed, runtime);
  const drawn = drawDefects(clean, DEFECT_KINDS, seed);
  const inputs = imagesOf(clean).map((image, i) => (i < plan.defective ? imageAt(drawn.image, i) : image));
  const started = performance.now();
  // All in one batch: they are few.
  const inspector = await openInspector({ generator, encoder, policy, batch: inputs.length, signal }, runtime);
  let inspected: Inspection[];
  try {
    inspected = await inspector.inspect(inputs, onProgress);
  } catch (error) {
    if (signal?.aborted) return undefined;
    throw error;
  } finally {
    await inspector.dispose();
  }
  const seconds = (performance.now() - started) / 1000;
  const pictures = inspected.map((one, i): InspectedPicture => {
    const { mask } = findDefects(one.map, policy.thresholds.pixel, policy.leastArea);
    const own = { ...one, input: inputs[i], mask };
    if (i >= plan.defective) return { ...own, trueMask: zeros('float32', mask.dims), marked: mask.data.includes(1) };
    const trueMask = imageAt(drawn.mask, i);
    const marked = mask.data.some((v, p) => v > 0 && trueMask.data[p] > 0);
    return { ...own, defect: DEFECT_KINDS[i % DEFECT_KINDS.length], trueMask, marked };
  });
  return { name: plan.model, ...licenceOf(model), policy, pictures, pixelAuroc: pixelAurocOf(pictures), seconds };
}

function pixelAurocOf(pictures: readonly InspectedPicture[]): number {
  const all = (of: (picture: InspectedPicture) => Image) => pictures.flatMap((picture) => [...of(picture).data]);
  return auroc(
    all((picture) => picture.trueMask),
    all((picture) => picture.map),
  );
}

/** Samples of random latents, with the noise of a camera, in [-1,1]. */
async function samplesOf(generator: Generator, count: number, seed: number, runtime: Runtime): Promise<Image> {
  const random = randomFrom(seed);
  const latents = await generator.draw(count, random);
  const session = await runtime.session(encodeModel(generator.graph));
  try {
    const made = (await session.run(latents, [generator.output])).get(generator.output) as Image;
    return clip({ ...made, data: made.data.map((v) => v + CAMERA_NOISE * random.normal()) });
  } finally {
    await session.dispose();
  }
}
