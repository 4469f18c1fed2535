/**
 * Restores pictures: inverts them in batches, and from each inversion makes what a user asks for: the restored image, the
 * mask that was found, the composite (found region filled, the rest untouched), the residual map.
 */

import { rows } from '../../arrays/rows.ts';
import { RgiError } from '../../errors.ts';
import { composite } from '../../images/blend.ts';
import {
  binaryMask,
  clip,
  type Image,
  imageAt,
  type Mask,
  residualMap,
  unionOf,
  zeroWhere,
} from '../../images/image.ts';
import { evenBatch } from '../../jobs/batches.ts';
import { float32, float32Data, type Tensor } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { type Reuse, reuse } from '../compile/reuse.ts';
import type { Critic } from '../generator/critic.ts';
import type { Generator } from '../generator/generator.ts';
import { weightChanges } from '../generator/weight-changes.ts';
import { isOutOfDomain, misfitOf } from '../mask/corruption/domain.ts';
import { inferCorruption } from '../mask/corruption/infer-corruption.ts';
import { checkMask } from '../mask/given.ts';
import { isAdaptive, type Method } from '../spec/method.ts';
import type { ResultCode } from '../spec/result.ts';
import type { SolverOptions, StepReport } from './run.ts';
import { canBatchFirstStages, invertImages } from './sequential-tuning.ts';
import type { Inversion } from './solver.ts';
import { isKept, type Tuning } from './state.ts';

/** Version of what a restoration is made by: raised whenever the same settings give other pictures. */
export const RESTORE_RULES = 2;

/** What `restoreImages` is given. */
export interface RestoreJob {
  /** From `openGenerator`; the pictures have its channels and size. */
  readonly generator: Generator;
  /** From `rgi`, `rrgi`, ... or `buildMethod`. */
  readonly method: Method;
  /** Pictures [n,C,H,W] in [-1,1]. */
  readonly images: Image;
  /** True or drawn masks [n,1,H,W], for methods that are given one. */
  readonly masks?: Mask;
  /**
   * 1 where there is no picture (margins), [n,1,H,W]: left out like masked pixels by methods that are given a mask, and by our presets where no
   * threshold is chosen; no mask that is found tells it.
   */
  readonly outside?: Mask;
  /** Known to be good: 1, [n,1,H,W]. Never masked. */
  readonly keep?: Mask;
  /**
   * Known to be corrupted: 1, [n,1,H,W]. Masked in the result, and left out of the search like `outside`; a pixel may not be of both `keep` and
   * `hide`.
   */
  readonly hide?: Mask;
  /**
   * Latents of an earlier result of these pictures, [n, ...dims] each: the search goes on from there, with other masks or another threshold.
   * Stages that lead to a good start are left out (`goingOn`). Solutions of affine generators are exact, and have no start.
   */
  readonly latents?: ReadonlyMap<string, Tensor>;
  /** For methods whose formulation asks a second network (`criticOf`). */
  readonly critic?: Critic;
  /** Shared with other jobs of the same generator, method and critic; a job shares among its own batches anyway. */
  readonly reuse?: Reuse;
  /** Pictures inverted side by side; methods that tune weights from the beginning take one at a time. */
  readonly batch?: number;
  /** Methods without a mask of their own: residual, in grey levels, above which a pixel counts as found. Default 32. */
  readonly thresholdGrey?: number;
  /** How the composite joins G(z) and the picture: gradients matched ('poisson'), a soft rim, or none. */
  readonly blend?: 'poisson' | 'feather' | 'none';
  /** Pixels by which the composite grows the mask before it is filled, since border pixels are partly corrupted. */
  readonly grow?: number;
}

/** One restored picture. */
export interface Restoration {
  /** G(z) clipped to [-1,1], [1,C,H,W]. */
  readonly restored: Image;
  /** The picture with the mask, grown by `grow` pixels, filled from `restored`, [1,C,H,W] in [-1,1]. */
  readonly composite: Image;
  /** 1 = corrupted, [1,1,H,W]. */
  readonly mask: Mask;
  /**
   * How surely, in [0,1]: the probability of corruption where the picture's own residuals set the threshold, |M| elsewhere; of the exact mask of
   * the absolute loss, which is 0 or 1, see `squaredMask`.
   */
  readonly softMask: Mask;
  /** Root mean square over the channels of x - G(z), in units of [-1,1], [1,1,H,W]. */
  readonly residual: Image;
  /** Root mean square of the residuals outside the mask and the margins, in grey levels: how far the picture is from what the generator makes. */
  readonly misfit: number;
  /** Is the picture none of the generator's kind, by what is kept of it (`isOutOfDomain`)? */
  readonly outOfDomain: boolean;
  /** The z found, [1, ...dims] each, by input name. */
  readonly latents: ReadonlyMap<string, Tensor>;
  /** What was added to each tuned weight (see `withWeightChanges`). */
  readonly weightChanges: ReadonlyMap<string, Tensor>;
  /** What tuning the weights has brought, of our R-RGI: it is discarded where it has not lowered L_rec of the visible pixels. */
  readonly tuning?: Tuning & { readonly kept: boolean };
  /** How the search ended, 'not-restored' where its own mask leaves a picture outside of the generator's domain; `RESULT_SENTENCES` has the sentences. */
  readonly code: ResultCode;
  /**
   * How near a stationary point of the objective z is: the norm of the gradient in z, as a share of the largest norm met by this picture's
   * search. Absent where z was not moved by L-BFGS to the end: with the paper's presets, and where tuned weights were kept.
   */
  readonly gradientNorm?: number;
  /** The objective at the end, in the loss's own units. */
  readonly loss: number;
  /** Steps until this picture's search stopped. */
  readonly steps: number;
  /** Of the batch, divided by its pictures. */
  readonly seconds: number;
  /** After each step: the objective, and the mean of |M| (0 to 1). */
  readonly history: { readonly loss: readonly number[]; readonly masked: readonly number[] };
}

/** Called while `restoreImages` works. */
export interface RestoreHooks {
  /** Before each batch: the pictures [from, to) of how many. */
  readonly onBatch?: (from: number, to: number) => void;
  /** After each step; how many pictures it was made for. */
  readonly onStep?: (report: StepReport, pictures: number) => void;
  /** Called after each step, and awaited: a search can be watched, and be held up. */
  readonly onState?: SolverOptions['onState'];
  /** Aborting ends the run after the current step; pictures that are not finished are not yielded. */
  readonly signal?: AbortSignal;
}

/** Where a method without a mask finds pixels by default. */
const FOUND_GREY = 32;

/** Default number of searches that share one graph, enough to be worth compiling it; and the largest number of their pixels, for memory. */
const SEARCHES = 32;
const PIXELS = 16 * 128 ** 2;

/** How many steps a method makes for each picture at most, for progress. */
export function plannedSteps(method: Method): number {
  return method.stages.reduce((sum, stage) => sum + stage.steps, 0);
}

/** Pictures that `restoreImages` inverts side by side at most. */
export function batchSize(job: Pick<RestoreJob, 'generator' | 'method' | 'batch'>): number {
  if (!canBatchFirstStages(job.method)) return 1;
  const starts = Math.max(...job.method.stages.map((stage) => stage.starts));
  const { batch, height, width } = job.generator;
  // A generator of a fixed batch is copied into the graph for every further batch: as few copies as the searches need.
  const searches = batch === 'any' ? Math.min(SEARCHES, Math.floor(PIXELS / (height * width))) : batch;
  return Math.max(1, job.batch ?? Math.floor(searches / starts));
}

/**
 * Yields one restoration per picture, in order; stops early, before the first unfinished picture, when aborted.
 *
 * @example
 * ```ts
 * import { fileURLToPath } from 'node:url';
 * import { corrupt, createRuntime, openGenerator, openModel, psnr, readPicture, restoreImages, rgi } from 'rgi/node';
 *
 * const named = (file: string) => fileURLToPath(import.meta.resolve(`rgi/models/fashion-trousers/${file}`));
 * const runtime = await createRuntime();
 * const { graph } = await openModel(named('generator.onnx'));
 * const generator = await openGenerator(graph, runtime);
 * const { channels } = generator;
 * const { image: clean } = await readPicture(named('pictures/00097.png'), { channels, size: generator });
 * const { image } = corrupt(clean, { region: { kind: 'block', share: 0.1 } }, 1);
 * const method = rgi({ preset: 'fast', channels });
 * for await (const { composite } of restoreImages({ generator, method, images: image, thresholdGrey: 25 }, runtime)) {
 *   console.log(psnr(composite, clean) > psnr(image, clean) + 10); // true
 * }
 * await runtime.dispose();
 * ```
 */
export async function* restoreImages(
  job: RestoreJob,
  runtime: Runtime,
  hooks: RestoreHooks = {},
): AsyncGenerator<Restoration> {
  const total = job.images.dims[0];
  for (const given of [job.masks, job.outside, job.keep, job.hide]) if (given) checkMask(job.images, given);
  checkConstraints(job);
  const size = evenBatch(total, batchSize(job));
  const shared = job.reuse ?? reuse();
  for (let from = 0; from < total && !hooks.signal?.aborted; from += size) {
    const to = Math.min(total, from + size);
    hooks.onBatch?.(from, to);
    const picked = Array.from({ length: to - from }, (_, i) => from + i);
    const images = rows(job.images, picked);
    const of = (mask: Mask | undefined) => mask && rows(mask, picked);
    const [margins, keep, hide] = [job.outside, job.keep, job.hide].map(of);
    const given = of(job.masks);
    const masks = given && zeroWhere(keep, unionOf(given, hide));
    const unseen = hide ? unionOf(hide, margins) : margins;
    const { critic } = job;
    const { onStep, onState, signal } = hooks;
    const latents = job.latents && new Map([...job.latents].map(([name, z]) => [name, rows(z, picked)]));
    const options = { critic, reuse: shared, outside: unseen, keep, latents, onStep, onState, signal };
    let i = 0;
    for await (const { inversion, seconds } of invertImages(
      job.generator,
      job.method,
      runtime,
      images,
      masks,
      options,
    )) {
      if (inversion.codes[0] === 'interrupted') return;
      const x = imageAt(images, i);
      const outside = margins && imageAt(margins, i);
      const made = rows(inversion.image, [0]);
      const restored = clip(made);
      const residual = residualMap(x, made);
      // A given mask is the mask, also where the method weights the known pixels (Yeh et al.).
      const { mask, softMask } =
        masks && job.method.needsMask
          ? { mask: binaryMask(rows(masks, [i])), softMask: rows(masks, [i]) }
          : withoutMargins(
              constrained(
                masksOf(job, x, made, residual, inversion),
                hide && imageAt(hide, i),
                keep && imageAt(keep, i),
              ),
              outside,
            );
      const misfit = misfitOf(x, made, unionOf(mask, outside));
      const outOfDomain = isOutOfDomain(misfit);
      const isLost = outOfDomain && isAdaptive(job.method);
      yield {
        restored,
        composite: clip(composite(x, restored, unionOf(mask, outside), { blend: job.blend, grow: job.grow ?? 1 })),
        mask,
        softMask,
        residual,
        misfit: misfit.grey,
        outOfDomain,
        latents: inversion.latents,
        weightChanges: weightChanges(job.generator, inversion.weights),
        ...(inversion.tuning ? { tuning: { ...inversion.tuning, kept: isKept(inversion.tuning) } } : {}),
        code: isLost && inversion.codes[0] !== 'diverged' ? 'not-restored' : inversion.codes[0],
        ...(inversion.gradientNorm ? { gradientNorm: inversion.gradientNorm[0] } : {}),
        loss: inversion.loss[0],
        steps: inversion.steps[0],
        seconds,
        history: { loss: inversion.history.loss[0], masked: inversion.history.masked[0] },
      };
      i++;
    }
  }
}

/** The mask of a picture, [1,1,H,W], and how surely. */
interface FoundMask {
  readonly mask: Mask;
  readonly softMask: Mask;
}

/** Throws `input` where a pixel is to be kept and to be hidden. */
function checkConstraints({ keep, hide }: RestoreJob): void {
  if (!keep || !hide) return;
  const both = hide.data.reduce((count, on, i) => count + (on > 0.5 && keep.data[i] > 0.5 ? 1 : 0), 0);
  if (both > 0)
    throw new RgiError('input', `${both} pixels are known to be good and to be corrupted: take them out of one mask.`);
}

function constrained({ mask, softMask }: FoundMask, hide: Mask | undefined, keep: Mask | undefined): FoundMask {
  return {
    mask: zeroWhere(keep, unionOf(mask, hide)),
    softMask: zeroWhere(keep, unionOf(softMask, hide)),
  };
}

function withoutMargins({ mask, softMask }: FoundMask, outside: Mask | undefined): FoundMask {
  return { mask: zeroWhere(outside, mask), softMask: zeroWhere(outside, softMask) };
}

/** The mask a picture's inversion found, or its residuals say; without one, that of the residual beyond the job's threshold. */
function masksOf(
  job: RestoreJob,
  x: Image,
  y: Image,
  residual: Image,
  { mask: found, found: decided, missing }: Inversion,
): FoundMask {
  if (decided) return decided;
  if (!found) {
    const limit = (job.thresholdGrey ?? FOUND_GREY) / 127.5;
    const softMask = float32(
      residual.data.map((r) => squaredMask(r, limit)),
      residual.dims,
    );
    return { mask: binaryMask(softMask), softMask };
  }
  if (isAdaptive(job.method)) {
    const { mask, probability } = inferCorruption({ picture: x, reconstruction: y, missing });
    return { mask, softMask: probability };
  }
  const { formulation } = job.method.stages[job.method.stages.length - 1];
  const { form } = formulation.mask;
  const isBinary = form === 'given' || (form === 'exact' && formulation.loss.some((term) => term.kind === 'l1'));
  const mask = float32(float32Data(found), found.dims);
  return { mask: binaryMask(mask), softMask: channelMean(isBinary ? softened(mask, x, y) : mask) };
}

/**
 * The exact mask of the absolute loss is 1 where the mean |r| of its channels is above a threshold t, and 0 elsewhere. How
 * far above is what the squared loss would say at the same t, taken as the largest residual that was left unmasked: so it
 * needs no lambda, which may be each picture's own, and is above 0 where M is 1 and nowhere else.
 */
function softened(mask: Image, x: Image, y: Image): Image {
  const [, channels, height, width] = x.dims;
  const plane = height * width;
  const [a, b, m] = [float32Data(x), float32Data(y), float32Data(mask)];
  const shared = mask.dims[1] < channels ? channels : 1;
  const r = new Float32Array(m.length);
  for (let i = 0; i < m.length; i++) {
    for (let c = 0; c < shared; c++) r[i] += Math.abs(a[c * plane + i] - b[c * plane + i]) / shared;
  }
  const t = r.reduce((most, value, i) => (m[i] > 0 ? most : Math.max(most, value)), 0);
  return float32(
    r.map((value, i) => (m[i] > 0 ? squaredMask(value, t) : 0)),
    mask.dims,
  );
}

/** The squared loss's exact mask at a residual r: it starts at the threshold t and tends to 1. */
function squaredMask(r: number, t: number): number {
  return r > t ? 1 - (t / r) ** 2 : 0;
}

/** Mean of |M|, at most 1, over the channels: [1,1,H,W]. */
function channelMean(mask: Image): Mask {
  const [, channels, height, width] = mask.dims;
  const plane = height * width;
  const data = float32Data(mask);
  const soft = new Float32Array(plane);
  for (let c = 0; c < channels; c++) {
    for (let p = 0; p < plane; p++) soft[p] += Math.min(1, Math.abs(data[c * plane + p])) / channels;
  }
  return float32(soft, [1, 1, height, width]);
}
