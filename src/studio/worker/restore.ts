/** One restoration, at the generator's size and brought to the picture's own, as `rgi restore` does it. */
import { coverage } from '../../images/image.ts';
import { inColours } from '../../images/own-size/colours.ts';
import { compositeInPlace } from '../../images/own-size/composite.ts';
import { framed, sampleCubic, scaleOf } from '../../images/own-size/frame.ts';
import { buildMethod, understoodOptions } from '../../inversion/methods/index.ts';
import { FAST } from '../../inversion/methods/rgi.ts';
import { plannedSteps, type Restoration, restoreImages } from '../../inversion/solve/restore.ts';
import { takesEncoder } from '../../inversion/spec/method.ts';
import { RESULT_SENTENCES } from '../../inversion/spec/result.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Picture, Plane, RestoreProgress, RestoreRequest, RestoreResult } from '../engine.ts';
import type { OpenModel } from './models.ts';
import { pictureOf, planeAt, type SeenPicture, seen, seenMask } from './pictures.ts';

/** From this scale on a fill has less detail than its surroundings, and is given the picture's grain. */
const MIN_FINER = 1.25;

/** Undefined where it was stopped. */
export async function restore(
  open: OpenModel,
  request: RestoreRequest,
  runtime: Runtime,
  onProgress: (progress: RestoreProgress) => void,
  signal: AbortSignal,
): Promise<Omit<RestoreResult, 'id'> | undefined> {
  const began = performance.now();
  const { picture, fit, keep, hide, thresholdGrey, method: name, seed, steps } = request;
  const { generator } = open.product;
  const context = {
    channels: generator.channels,
    generator: generator.graph,
    critic: false,
    logistic: false,
    layers: [],
  };
  const threshold = understoodOptions(name).includes('thresholdGrey') ? thresholdGrey : undefined;
  // A method that is given its mask gets what is known to be damaged.
  const built = buildMethod(
    { method: name, steps, seed, thresholdGrey: threshold },
    { ...context, masked: hide !== undefined },
  );
  const looked = seen(picture, generator, fit);
  const known = {
    keep: keep && seenMask(keep, looked.view),
    hide: hide && seenMask(hide, looked.view),
  };
  const encoded = takesEncoder(built);
  const job = {
    generator: encoded ? { ...generator, encoder: open.encoder } : generator,
    method: built,
    images: looked.image,
    outside: looked.outside,
    ...(built.needsMask && known.hide ? { masks: known.hide } : known),
    thresholdGrey: thresholdGrey ?? FAST.thresholdGrey,
    reuse: open.reuseFor([built.start, encoded]),
  };
  const total = plannedSteps(built);
  const stageStarts = built.stages.map((_, i) => built.stages.slice(0, i).reduce((sum, stage) => sum + stage.steps, 0));
  const onStep = ({
    stage,
    step,
    loss,
    masked,
  }: {
    stage: number;
    step: number;
    loss: Float32Array;
    masked: Float32Array;
  }) => {
    const done = Math.min(total, (stageStarts[stage] ?? 0) + step + 1);
    const seconds = (performance.now() - began) / 1000;
    onProgress({
      step: done,
      steps: total,
      loss: loss[0],
      masked: masked[0],
      secondsLeft: (seconds * (total - done)) / done,
    });
  };
  for await (const made of restoreImages(job, runtime, { onStep, signal })) {
    return resultOf(request, looked, made, (performance.now() - began) / 1000);
  }
  return undefined;
}

function resultOf(
  request: RestoreRequest,
  { view }: SeenPicture,
  made: Restoration,
  seconds: number,
): Omit<RestoreResult, 'id'> {
  const { picture, method, seed, steps, fit } = request;
  const { frame } = view;
  const mask = planeAt(made.mask, frame, picture, 255);
  for (let i = 0; i < mask.data.length; i++) {
    mask.data[i] = request.keep?.data[i] ? 0 : request.hide?.data[i] || mask.data[i] > 127 ? 255 : 0;
  }
  return {
    composite: compositeOf(picture, mask, made, view),
    mask,
    residual: planeAt(made.residual, frame, picture, 127.5),
    uncertainty: planeAt(made.softMask, frame, picture, 255),
    restored: pictureOf(picture.name, made.restored),
    code: made.code,
    sentence: RESULT_SENTENCES[made.code],
    misfitGrey: made.misfit,
    maskedShare: coverage(mask.data) / 255,
    seconds,
    steps: made.steps,
    outOfDomain: made.outOfDomain,
    history: made.history,
    settings: { method, seed, fit, ...(steps === undefined ? {} : { steps }) },
  };
}

function compositeOf(
  picture: Picture,
  mask: Plane,
  { restored }: Restoration,
  { frame }: SeenPicture['view'],
): Picture {
  const rgba = picture.rgba.slice();
  const { width, height } = picture;
  const raster = { data: new Uint8Array(rgba.buffer), colours: 3 as const, alpha: true, width, height };
  const binary = { width, height, data: mask.data.map((value) => (value ? 1 : 0)) };
  const fill = framed(restored, frame);
  const scale = Math.max(1, scaleOf(frame));
  compositeInPlace(raster, binary, (box) => inColours(sampleCubic(fill, box), 3), {
    grow: scale,
    grain: scale >= MIN_FINER,
  });
  return { ...picture, rgba };
}
