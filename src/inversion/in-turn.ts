/**
 * Inverts pictures side by side as far as they can be: tuned weights belong to one picture, so stages that tune them take one picture after
 * another, from the latents and masks that the stages before have found for all.
 */
import { imageAt } from '../images/image.ts';
import type { Tensor } from '../onnx/tensor.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { foundMasks } from './found-mask.ts';
import type { Generator } from './generator.ts';
import { type Method, type Stage, stageTunesWeights } from './method.ts';
import { type Inversion, runMethod, type SolverOptions, type StepReport } from './solver.ts';
import { rows } from './starts.ts';

export interface InTurnOptions extends Omit<SolverOptions, 'onStep'> {
  /** After each step; how many pictures it moved. */
  readonly onStep?: (report: StepReport, pictures: number) => void;
}

/** The inversion of one picture, n = 1, and what it took in seconds, its share of what was done for all included. */
export interface OneInversion {
  readonly inversion: Inversion;
  readonly seconds: number;
}

/** Stages for all pictures together, and the rest; undefined where no picture can go with another, or all can to the end. */
function divided(method: Method): { readonly together: Stage[]; readonly inTurn: Stage[] } | undefined {
  const first = method.stages.findIndex(stageTunesWeights);
  // What follows begins with latents and a mask: nothing else is handed on.
  if (first < 1 || !(method.needsMask || method.stages[first].fixesMask)) return undefined;
  return { together: method.stages.slice(0, first), inTurn: method.stages.slice(first) };
}

/** How many pictures can begin side by side: one, or any number. */
export function beginsTogether(method: Method): boolean {
  return (
    !stageTunesWeights(method.stages[0]) && (!method.stages.some(stageTunesWeights) || divided(method) !== undefined)
  );
}

/** Yields the inversion of each image of `images` [n,C,H,W], in order; aborted, it may end before the last. `masks`: see `runMethod`. */
export async function* invertInTurn(
  generator: Generator,
  method: Method,
  runtime: Runtime,
  images: Tensor,
  masks: Tensor | undefined,
  { onStep, ...options }: InTurnOptions = {},
): AsyncGenerator<OneInversion> {
  const n = images.dims[0];
  const reporting = (pictures: number) => (onStep ? { onStep: (report: StepReport) => onStep(report, pictures) } : {});
  const parts = divided(method);
  const started = performance.now();
  const first = parts ? { ...method, stages: parts.together } : method;
  const all = await runMethod(generator, first, runtime, images, masks, { ...options, ...reporting(n) });
  const shared = (performance.now() - started) / 1000 / n;
  const found = parts && (masks ?? foundMasks(method, images, all.image, all.mask!, all.missing));
  const rest: Method | undefined = parts && { ...method, needsMask: true, stages: parts.inTurn };
  for (let i = 0; i < n; i++) {
    const before = oneOf(all, i);
    if (!rest) {
      yield { inversion: before, seconds: shared };
      continue;
    }
    if (options.signal?.aborted) return;
    const from = performance.now();
    const own = await runMethod(generator, rest, runtime, rows(images, [i]), rows(found!, [i]), {
      ...options,
      ...reporting(1),
      latents: before.latents,
    });
    yield { inversion: after(before, own), seconds: shared + (performance.now() - from) / 1000 };
  }
}

function oneOf(all: Inversion, i: number): Inversion {
  const { mask, missing } = all;
  return {
    image: rows(all.image, [i]),
    ...(mask ? { mask: rows(mask, [i]) } : {}),
    ...(missing ? { missing: imageAt(missing, i) } : {}),
    latents: new Map([...all.latents].map(([name, z]) => [name, rows(z, [i])])),
    weights: all.weights,
    codes: [all.codes[i]],
    loss: [all.loss[i]],
    steps: [all.steps[i]],
    history: { loss: [all.history.loss[i]], masked: [all.history.masked[i]] },
  };
}

/** What the last stages have made, and the way to it. */
function after(before: Inversion, own: Inversion): Inversion {
  return {
    ...own,
    ...(before.missing ? { missing: before.missing } : {}),
    steps: [before.steps[0] + own.steps[0]],
    history: {
      loss: [[...before.history.loss[0], ...own.history.loss[0]]],
      masked: [[...before.history.masked[0], ...own.history.masked[0]]],
    },
  };
}
