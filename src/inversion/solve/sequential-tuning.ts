/**
 * Inverts pictures side by side as far as they can be: tuned weights belong to one picture, so stages that tune them take one picture after
 * another, from the latents and masks that the stages before have found for all.
 */

import { rows } from '../../arrays/rows.ts';
import { imageAt, type Mask, zeroWhere } from '../../images/image.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Generator } from '../generator/generator.ts';
import { foundMasks } from '../mask/found-masks.ts';
import { tuningMasks } from '../mask/tuning-mask.ts';
import { goingOn, type Method, type Stage, stageTunesWeights, tunesWeights } from '../spec/method.ts';
import { runMethod } from './driver.ts';
import { exactProblem, isQuadratic, solveExactly } from './exact/exact.ts';
import { perSearch, type SolverOptions, type StepReport } from './run.ts';
import type { Inversion } from './solver.ts';
import { isKept } from './state.ts';

export interface InvertImagesOptions extends SolverOptions {
  /**
   * Where the searches begin, [n, ...dims] each, after the stages that lead to a good start (`goingOn`); default: where the method's rule
   * says. Exact solutions have no start.
   */
  readonly latents?: ReadonlyMap<string, Tensor>;
  /** After each step, with its stage's number in the whole method; how many pictures it was made for. */
  readonly onStep?: (report: StepReport, pictures: number) => void;
}

/** The inversion of one picture, n = 1, and what it took in seconds, its share of what was done for all included. */
export interface OneInversion {
  readonly inversion: Inversion;
  readonly seconds: number;
}

/** Stages for all pictures together, and the rest; undefined where no picture can go with another, or all can to the end. */
function splitStages(method: Method): { readonly batched: Stage[]; readonly sequential: Stage[] } | undefined {
  const at = method.stages.findIndex(stageTunesWeights);
  if (at < 1) return undefined;
  const { freezesMask, warmStart, lambdaOfThreshold } = method.stages[at];
  // Only latents and masks are passed on.
  if (warmStart || lambdaOfThreshold || !(method.needsMask || freezesMask)) return undefined;
  return { batched: method.stages.slice(0, at), sequential: method.stages.slice(at) };
}

/** The method up to where pictures are taken one after another. */
function firstPart(method: Method): Method {
  const parts = splitStages(method);
  return parts ? { ...method, stages: parts.batched } : method;
}

/** Can the first stages search several pictures as one batch? */
export function canBatchFirstStages(method: Method): boolean {
  return !tunesWeights(method) || splitStages(method) !== undefined;
}

/** Are the stages that come before any tuned weights solved exactly? Then their steps, starts and rates have no effect. */
export async function isSolvedExactly(generator: Generator, method: Method, runtime: Runtime): Promise<boolean> {
  return isQuadratic(firstPart(method)) && (await exactProblem(generator, runtime)) !== undefined;
}

/** Yields the inversion of each image of `images` [n,C,H,W], in order; aborted, it may end before the last. `masks`: see `runMethod`. */
export async function* invertImages(
  generator: Generator,
  method: Method,
  runtime: Runtime,
  images: Tensor,
  masks: Tensor | undefined,
  { onStep, latents, ...options }: InvertImagesOptions = {},
): AsyncGenerator<OneInversion> {
  const n = images.dims[0];
  const reporting = (pictures: number, stagesBefore = 0) =>
    onStep
      ? { onStep: (report: StepReport) => onStep({ ...report, stage: stagesBefore + report.stage }, pictures) }
      : {};
  const started = performance.now();
  const exact = isQuadratic(firstPart(method)) ? await exactProblem(generator, runtime) : undefined;
  const searched = latents && !exact ? goingOn(method) : method;
  const parts = splitStages(searched);
  const first = firstPart(searched);
  const all = exact
    ? await solveExactly(exact, generator, first, runtime, images, masks, { ...options, ...reporting(1) })
    : await runMethod(generator, first, runtime, images, masks, {
        ...options,
        ...reporting(n),
        latents: latents && new Map([...latents].map(([name, z]) => [name, perSearch(z, first.stages[0].starts)])),
      });
  const shared = (performance.now() - started) / 1000 / n;
  if (!parts) {
    for (let i = 0; i < n; i++) yield { inversion: oneOf(all, i), seconds: shared };
    return;
  }
  if (options.signal?.aborted) return;
  // A mask that was found is kept as the solver keeps it; a given one, as the method says.
  const visibilityOf = method.needsMask ? method.visibilityOf : undefined;
  const rest: Method = { ...method, visibilityOf, needsMask: true, stages: parts.sequential };
  const fixed = method.needsMask ? masks! : hiddenFromWeights(method, images, all, options.keep);
  for (let i = 0; i < n && !options.signal?.aborted; i++) {
    const from = performance.now();
    const before = oneOf(all, i);
    const own = await runMethod(generator, rest, runtime, rows(images, [i]), rows(fixed, [i]), {
      ...options,
      outside: options.outside && imageAt(options.outside, i),
      keep: options.keep && imageAt(options.keep, i),
      ...reporting(1, parts.batched.length),
      latents: before.latents,
    });
    yield { inversion: after(before, own), seconds: shared + (performance.now() - from) / 1000 };
  }
}

/** What the weights are not shown of images `x`: the mask that was found, and gross outliers. */
function hiddenFromWeights(method: Method, x: Tensor, inversion: Inversion, keep: Mask | undefined): Mask {
  const { image: y, mask, found, missing } = inversion;
  const masks = found?.mask ?? foundMasks(method, x, y, mask!, missing, keep);
  return zeroWhere(keep, tuningMasks(method, masks, x, y, missing));
}

function oneOf(all: Inversion, i: number): Inversion {
  const { mask, found, missing } = all;
  return {
    image: rows(all.image, [i]),
    ...(mask ? { mask: rows(mask, [i]) } : {}),
    ...(found ? { found: { mask: imageAt(found.mask, i), softMask: imageAt(found.softMask, i) } } : {}),
    ...(missing ? { missing: imageAt(missing, i) } : {}),
    latents: new Map([...all.latents].map(([name, z]) => [name, rows(z, [i])])),
    weights: all.weights,
    codes: [all.codes[i]],
    ...(all.gradientNorm ? { gradientNorm: [all.gradientNorm[i]] } : {}),
    loss: [all.loss[i]],
    steps: [all.steps[i]],
    history: { loss: [all.history.loss[i]], masked: [all.history.masked[i]] },
  };
}

/** What the last stages have made, and the way to it. */
function after(before: Inversion, { state: _ofTheRest, ...own }: Inversion): Inversion {
  // z and the weights are then those that the stages before have ended with.
  const isDiscarded = own.tuning !== undefined && !isKept(own.tuning);
  return {
    ...own,
    ...(before.found ? { found: before.found } : {}),
    ...(isDiscarded && before.gradientNorm ? { gradientNorm: before.gradientNorm } : {}),
    ...(before.missing ? { missing: before.missing } : {}),
    steps: [before.steps[0] + own.steps[0]],
    history: {
      loss: [[...before.history.loss[0], ...own.history.loss[0]]],
      masked: [[...before.history.masked[0], ...own.history.masked[0]]],
    },
  };
}
