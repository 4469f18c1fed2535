/** A restoration in the worker: the library's search, watched, and what it found at the picture's own size. */
import { residualMap } from '../../images/image.ts';
import { bytesAtOwnSize, maskAtOwnSize } from '../../images/own-size/maps.ts';
import { maskThrough } from '../../images/own-size/view.ts';
import { buildMethod, understoodOptions } from '../../inversion/methods/index.ts';
import { plannedSteps, type Restoration, restoreImages } from '../../inversion/solve/restore.ts';
import type { SearchState, StepReport } from '../../inversion/solve/run.ts';
import { isSolvedExactly } from '../../inversion/solve/sequential-tuning.ts';
import { goingOn, type Method, type MethodName, usesScore } from '../../inversion/spec/method.ts';
import { RESULT_SENTENCES } from '../../inversion/spec/result.ts';
import { float32, float32Data } from '../../onnx/tensor.ts';
import { fillFor } from '../../restore/detail.ts';
import { fillAtOwnSize } from '../../restore/fill.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Plane, RestoreProgress, RestoreRequest, RestoreResult } from '../engine.ts';
import type { Gate } from './gate.ts';
import { flattened, unflattened } from './latents.ts';
import type { HeldModel } from './models.ts';
import {
  maskOfPlane,
  pictureOf,
  pictureOfRaster,
  planeOf,
  rasterOf,
  type SeenPicture,
  seenPicture,
} from './pictures.ts';

/** Milliseconds between two pictures of the search: it is to be seen, not to be slowed down. */
const FRAME_MS = 250;
/** Exact solutions that a picture takes, about: there is no plan of them. */
const EXACT_SOLUTIONS = 14;
/** Pixels by which the found mask is grown before it is filled, as `rgi restore` does. */
const GROW = 1;

export async function restorePicture(
  id: string,
  model: HeldModel,
  request: RestoreRequest,
  {
    runtime,
    gate,
    tell,
  }: { readonly runtime: Runtime; readonly gate: Gate; readonly tell: (p: RestoreProgress) => void },
): Promise<RestoreResult> {
  const { picture, seed, thresholdGrey, fit } = request;
  const { generator } = model.opened;
  const seen = seenPicture(picture, generator, fit);
  const painted = (plane: Plane | undefined) => plane && maskThrough(seen.view, maskOfPlane(plane));
  const method = methodOf(model, request);
  const hidden = atLeastHalf(painted(request.hide));
  const isExact = await isSolvedExactly(generator, method, runtime);
  const latents = request.latents && unflattened([request.latents], generator.latents);
  const watch = watcher(latents ? goingOn(method) : method, isExact, seen, tell);
  const job = {
    generator: model.generatorFor(method),
    method,
    images: seen.image,
    outside: seen.outside,
    keep: atLeastHalf(painted(request.keep)),
    ...(method.needsMask && hidden ? { masks: hidden } : { hide: hidden }),
    ...(usesScore(method) && model.critic ? { critic: model.critic.critic } : {}),
    ...(latents ? { latents } : {}),
    reuse: model.reuseFor(method),
    ...(thresholdGrey === undefined ? {} : { thresholdGrey }),
  };
  const hooks = {
    onStep: watch.onStep,
    onState: async (state: () => Promise<SearchState>) => {
      await gate.pass();
      await watch.onState(state);
    },
    signal: gate.signal,
  };
  let found: Restoration | undefined;
  for await (const one of restoreImages(job, runtime, hooks)) found = one;
  if (!found) throw gate.signal.reason;
  const settings = { method: request.method, seed, fit, ...(request.steps ? { steps: request.steps } : {}) };
  return { id, settings, latents: flattened(found.latents, generator.latents, 0), ...resultOf(found, request, seen) };
}

/** Methods that find no mask: they fill what is known to be damaged. */
const FILLERS: readonly MethodName[] = ['yeh', 'dgp'];

/** A method without a mask of its own has no threshold either: it says afterwards which residuals count as found. */
function methodOf(model: HeldModel, { method, seed, steps, thresholdGrey, hide }: RestoreRequest): Method {
  const { channels, graph } = model.opened.generator;
  const context = {
    channels,
    generator: graph,
    masked: hide !== undefined && FILLERS.includes(method),
    critic: model.critic !== undefined,
    logistic: model.critic?.logistic,
    layers: model.critic?.layers ?? [],
  };
  return buildMethod(
    {
      method,
      seed,
      ...(steps ? { steps } : {}),
      ...(understoodOptions(method).includes('thresholdGrey') ? { thresholdGrey } : {}),
    },
    context,
  );
}

/** A painted pixel of the picture covers a part of one of the generator's: half of it decides. */
function atLeastHalf(mask: ReturnType<typeof maskThrough> | undefined) {
  return mask && { ...mask, data: mask.data.map((v) => (v >= 0.5 ? 1 : 0)) };
}

/** Reports steps and, a few times a second, the search as it is. */
function watcher(method: Method, isExact: boolean, { image }: SeenPicture, tell: (progress: RestoreProgress) => void) {
  const planned = plannedSteps(method);
  let solved = 0;
  const before = method.stages.map((_, stage) =>
    method.stages.slice(0, stage).reduce((sum, { steps }) => sum + steps, 0),
  );
  const began = performance.now();
  let shown = 0;
  let last: StepReport | undefined;
  return {
    onStep(report: StepReport): void {
      last = report;
    },
    async onState(state: () => Promise<SearchState>): Promise<void> {
      const now = performance.now();
      solved++;
      if (now - shown < FRAME_MS && shown > 0) return;
      shown = now;
      const { image: made, mask, loss } = await state();
      const best = loss.reduce((least, v, i) => (v < loss[least] ? i : least), 0);
      const total = isExact ? Math.max(EXACT_SOLUTIONS, solved) : planned;
      const step = isExact ? solved : last ? Math.min(total, before[last.stage] + last.step) : 0;
      const masked = mask ? meanOf(mask.dims, float32Data(mask), best) : 0;
      const one = float32(sliceAt(float32Data(made), made.dims, best), [1, ...made.dims.slice(1)]);
      const plane = mask
        ? softPlane(mask.dims, float32Data(mask), best)
        : float32(new Float32Array(image.dims[2] * image.dims[3]), [1, 1, image.dims[2], image.dims[3]]);
      tell({
        step,
        steps: total,
        loss: loss[best],
        masked,
        ...(step > 0 ? { secondsLeft: (((now - began) / 1000) * (total - step)) / step } : {}),
        frame: {
          restored: pictureOf('', one),
          mask: planeOf(plane),
          residual: planeOf(residualMap(image, one), 127.5),
        },
      });
    },
  };
}

function sliceAt(data: Float32Array, dims: readonly number[], index: number): Float32Array {
  const size = data.length / dims[0];
  return data.slice(index * size, (index + 1) * size);
}

function meanOf(dims: readonly number[], data: Float32Array, index: number): number {
  const own = sliceAt(data, dims, index);
  return own.reduce((sum, v) => sum + Math.min(1, Math.abs(v)), 0) / own.length;
}

/** |M|, the mean of its channels: [1,1,H,W]. */
function softPlane(dims: readonly number[], data: Float32Array, index: number) {
  const [, channels, height, width] = dims;
  const own = sliceAt(data, dims, index);
  const out = new Float32Array(height * width);
  own.forEach((v, i) => {
    out[i % out.length] += Math.min(1, Math.abs(v)) / channels;
  });
  return float32(out, [1, 1, height, width]);
}

function resultOf(
  found: Restoration,
  { picture, keep, hide }: RestoreRequest,
  { view, image }: SeenPicture,
): Omit<RestoreResult, 'id' | 'settings' | 'latents'> {
  const { frame } = view;
  const size = { width: picture.width, height: picture.height };
  const mask = maskAtOwnSize(found.mask, frame, size);
  hide?.data.forEach((v, i) => {
    if (v > 127) mask.data[i] = 1;
  });
  keep?.data.forEach((v, i) => {
    if (v > 127) mask.data[i] = 0;
  });
  const raster = rasterOf(picture);
  const isRestored = found.code !== 'not-restored';
  const fill = fillFor(image, frame, found);
  if (isRestored) fillAtOwnSize(raster, mask, fill, frame, { blend: 'poisson', grow: GROW, isGiven: false });
  const plane = (data: Uint8Array): Plane => ({ ...size, data });
  return {
    composite: pictureOfRaster(picture.name, raster),
    mask: plane(mask.data.map((on) => 255 * on)),
    residual: plane(bytesAtOwnSize(found.residual, frame, size, 127.5)),
    uncertainty: plane(bytesAtOwnSize(found.softMask, frame, size)),
    restored: pictureOf(picture.name, found.restored),
    code: found.code,
    sentence: RESULT_SENTENCES[found.code],
    misfitGrey: found.misfit,
    maskedShare: mask.data.reduce((sum, on) => sum + on, 0) / mask.data.length,
    seconds: found.seconds,
    steps: found.steps,
    outOfDomain: found.outOfDomain,
    history: found.history,
  };
}
