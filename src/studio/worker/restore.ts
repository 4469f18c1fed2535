/** One restoration, at the generator's size and brought to the picture's own, as `rgi restore` does it. */
import { clip, coverage, residualMap } from '../../images/image.ts';
import { inColours } from '../../images/own-size/colours.ts';
import { compositeInPlace } from '../../images/own-size/composite.ts';
import { framed, sampleCubic, scaleOf } from '../../images/own-size/frame.ts';
import { buildMethod, understoodOptions } from '../../inversion/methods/index.ts';
import { FAST } from '../../inversion/methods/rgi.ts';
import { plannedSteps, type Restoration, restoreImages } from '../../inversion/solve/restore.ts';
import type { SearchView, StepReport } from '../../inversion/solve/run.ts';
import { isSolvedExactly } from '../../inversion/solve/sequential-tuning.ts';
import { type Method, takesEncoder } from '../../inversion/spec/method.ts';
import { RESULT_SENTENCES } from '../../inversion/spec/result.ts';
import { float32, float32Data, type Tensor } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Picture, Plane, RestoreProgress, RestoreRequest, RestoreResult } from '../engine.ts';
import type { OpenModel } from './models.ts';
import { pictureOf, planeAt, type SeenPicture, seen, seenMask } from './pictures.ts';

/** From this scale on a fill has less detail than its surroundings, and is given the picture's grain. */
const MIN_FINER = 1.25;

/** Exact solutions that a picture takes, about: there is no plan of them. */
const EXACT_SOLUTIONS = 14;

/** Between two pictures of a search. */
const FRAME_MS = 250;

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
  const { generator } = open;
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
  const isExact = await isSolvedExactly(generator, built, runtime);
  // An exact solution needs no start.
  const encoded = !isExact && takesEncoder(built);
  const looked = seen(picture, generator, fit);
  const known = {
    keep: keep && seenMask(keep, looked.view),
    hide: hide && seenMask(hide, looked.view),
  };
  const job = {
    generator: encoded ? open.withEncoder : generator,
    method: built,
    images: looked.image,
    outside: looked.outside,
    ...(built.needsMask && known.hide ? { masks: known.hide } : known),
    thresholdGrey: thresholdGrey ?? FAST.thresholdGrey,
    reuse: open.reuseFor([built.start, encoded]),
  };
  const total = isExact ? EXACT_SOLUTIONS : plannedSteps(built);
  const seconds = () => (performance.now() - began) / 1000;
  const progress = progressOf(built, total, looked, onProgress);
  const hooks = { onStep: isExact ? undefined : progress.onStep, view: progress.view(isExact), signal };
  for await (const made of restoreImages(job, runtime, hooks)) {
    return resultOf(request, looked, made, seconds());
  }
  return undefined;
}

/** What the page is shown of a search: each step's numbers, and its pictures at most a few times a second. */
function progressOf(
  { stages }: Method,
  total: number,
  looked: SeenPicture,
  onProgress: (progress: RestoreProgress) => void,
) {
  const began = performance.now();
  const before = stages.map((_, i) => stages.slice(0, i).reduce((sum, stage) => sum + stage.steps, 0));
  let shownAt = 0;
  let now = { step: 0, loss: 0, masked: 0 };
  const tell = (frame?: RestoreProgress['frame']) => {
    const steps = Math.max(total, now.step);
    const perStep = (performance.now() - began) / 1000 / Math.max(1, now.step);
    onProgress({ ...now, steps, secondsLeft: perStep * (steps - now.step), ...(frame ? { frame } : {}) });
  };
  return {
    onStep({ stage, step, loss, masked }: StepReport) {
      now = { step: (before[stage] ?? 0) + step + 1, loss: Math.min(...loss), masked: masked[0] };
      tell();
    },
    /** Exact solutions are few: each is shown, and counts as a step. */
    view: (isExact: boolean): SearchView => ({
      isDue: () => isExact || performance.now() - shownAt > FRAME_MS,
      show(image, mask) {
        shownAt = performance.now();
        const frame = frameOf(looked, image, mask);
        if (isExact) now = { step: now.step + 1, loss: frame.misfit, masked: frame.masked };
        tell(frame);
      },
    }),
  };
}

function frameOf({ image: x }: SeenPicture, image: Tensor, mask: Tensor | undefined) {
  const [, , height, width] = x.dims;
  const size = { width, height };
  const made = clip(float32(float32Data(image), image.dims));
  const residual = residualMap(x, made);
  const soft = mask ? float32Data(mask) : new Float32Array(width * height);
  // Of a mask with channels, the strongest.
  const data = Uint8Array.from({ length: width * height }, (_, i) => {
    let most = 0;
    for (let at = i; at < soft.length; at += width * height) most = Math.max(most, Math.abs(soft[at]));
    return most > 0.5 ? 255 : 0;
  });
  const kept = [...residual.data].filter((_, i) => !data[i]);
  return {
    restored: pictureOf('', made),
    mask: { ...size, data },
    residual: { ...size, data: Uint8Array.from(residual.data, (value) => Math.min(255, 127.5 * value)) },
    masked: 1 - kept.length / data.length,
    /** Mean square of what is kept: of exact solutions, what stands for the loss. */
    misfit: kept.reduce((sum, value) => sum + value ** 2, 0) / Math.max(1, kept.length),
  };
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
