/**
 * Follows the minimiser along a path of thresholds (of lambda) towards 0, as graduated non-convexity does: each search goes on
 * from where it was at the threshold before. Beside the searches that begin at robustly chosen starts runs one that begins
 * at the truth z*, anew at each threshold: where it ends lower, the others sit in a local minimum; where it ends higher,
 * it is the objective whose minimum is not at the truth.
 */

import { rows } from '../arrays/rows.ts';
import { renderFeeds, stepFeeds } from '../inversion/compile/feeds.ts';
import { type CompiledStep, compileStep } from '../inversion/compile/step.ts';
import { STEP } from '../inversion/compile/step-names.ts';
import type { Generator } from '../inversion/generator/generator.ts';
import { initialTensors } from '../inversion/solve/state.ts';
import type { Controls } from '../inversion/spec/formulation.ts';
import { encodeModel } from '../onnx/encode.ts';
import { float32, float32Data, sizeOf, type Tensor } from '../onnx/tensor.ts';
import { evaluatorOf, type Loop, type Runtime } from '../runtime/runtime.ts';
import type { Estimator } from './estimators.ts';

export interface PathProblem {
  readonly generator: Generator;
  readonly estimator: Estimator;
  /** Corrupted pictures [n,C,H,W]. */
  readonly images: Tensor;
  /** Latents [n * starts, ...dims], a picture's starts side by side. */
  readonly starts: ReadonlyMap<string, Tensor>;
  /** z* [n, ...dims], where the picture has one. */
  readonly truth?: ReadonlyMap<string, Tensor>;
  /** Thresholds in grey levels, falling. */
  readonly path: readonly number[];
  /** Steps at each of them. */
  readonly steps: number;
}

/** Where all searches stand at the end of one threshold. */
export interface PathPoint {
  readonly grey: number;
  readonly lambda: number;
  /** Searches per picture; the last is the truth's where there is one. */
  readonly searches: number;
  /** [n * searches, ...] */
  readonly image: Tensor<'float32'>;
  readonly mask?: Tensor<'float32'>;
  readonly latents: ReadonlyMap<string, Tensor<'float32'>>;
  readonly objective: Float32Array;
}

export interface PathHooks {
  /** Compiled steps, by what they are compiled from; shared by the problems of one generator. */
  readonly compiled: Map<string, Promise<CompiledStep>>;
  readonly onStep?: () => void;
  readonly signal?: AbortSignal;
}

/** Adam's rate in z: the reference's until a threshold of 16 grey levels, then in step with the threshold. */
function latentRate(grey: number): number {
  return 0.1 * Math.min(1, grey / 16);
}

/** Within a threshold the rate rises over the first tenth, Adam's first steps being blind to scale, and then falls to a tenth. */
function schedule(progress: number): number {
  return Math.min(1, 10 * progress + 0.01) * 0.1 ** progress;
}

/** Yields one point per threshold; ends early when aborted. */
export async function* followPath(problem: PathProblem, runtime: Runtime, hooks: PathHooks): AsyncGenerator<PathPoint> {
  const { generator, estimator, images, path, steps, truth } = problem;
  const n = images.dims[0];
  const starts = [...problem.starts.values()][0].dims[0] / n;
  const searches = starts + (truth ? 1 : 0);
  const batch = n * searches;
  const x = rows(
    images,
    Array.from({ length: batch }, (_, i) => Math.floor(i / searches)),
  );
  const codes = Array.from({ length: batch }, () => undefined);
  const whole = interleaved(problem.starts, truth, n, starts);
  let latents: ReadonlyMap<string, Tensor> = whole;
  let compiled: CompiledStep | undefined;
  let loop: Loop | undefined;
  try {
    for (const [index, grey] of path.entries()) {
      const next = await compiledOnce(problem, grey, batch, runtime, hooks.compiled);
      latents = replaced(latents, whole, (k) => (k < starts ? index === k : true), searches);
      // Adam begins anew at each threshold: moments of the one before are of other gradients.
      const state = initialTensors(next, latents);
      if (next === compiled && loop) await loop.write(state);
      else {
        await loop?.dispose();
        loop = await runtime.loop(next.step, state, new Map([[STEP.x, x]]));
      }
      compiled = next;
      const lambda = estimator.lambda(grey, generator.channels);
      const controls = (t: number): Controls => ({
        lambda,
        latentRate: latentRate(grey) * schedule(t / steps),
        maskRate: 0,
        weightRates: [],
      });
      for (let t = 0; t < steps; t++) {
        if (hooks.signal?.aborted) return;
        await loop.step(stepFeeds(compiled, controls(t), t + 1, codes, [0]));
        hooks.onStep?.();
      }
      latents = await loop.read([...compiled.latents.keys()]);
      yield { grey, lambda, searches, ...(await rendered(compiled, latents, x, controls(steps), runtime)) };
    }
  } finally {
    await loop?.dispose();
  }
}

function compiledOnce(
  { generator, estimator }: PathProblem,
  grey: number,
  batch: number,
  runtime: Runtime,
  known: Map<string, Promise<CompiledStep>>,
): Promise<CompiledStep> {
  const formulation = estimator.formulation(grey);
  const key = JSON.stringify([formulation, batch]);
  const compiled = known.get(key) ?? compileStep(generator, formulation, batch, evaluatorOf(runtime, encodeModel));
  known.set(key, compiled);
  return compiled;
}

async function rendered(
  compiled: CompiledStep,
  latents: ReadonlyMap<string, Tensor>,
  x: Tensor,
  controls: Controls,
  runtime: Runtime,
): Promise<Pick<PathPoint, 'image' | 'mask' | 'latents' | 'objective'>> {
  const session = await runtime.session(compiled.render);
  try {
    const made = await session.run(renderFeeds(compiled, latents, x, undefined, controls, [0]));
    const mask = made.get(STEP.softMask);
    const plain = (tensor: Tensor) => float32(float32Data(tensor), tensor.dims);
    return {
      image: plain(made.get(STEP.image)!),
      ...(mask ? { mask: plain(mask) } : {}),
      latents: new Map([...latents].map(([name, latent]) => [name, plain(latent)])),
      objective: float32Data(made.get(STEP.loss)!),
    };
  } finally {
    await session.dispose();
  }
}

/** Each picture's starts and after them its truth. */
function interleaved(
  starts: ReadonlyMap<string, Tensor>,
  truth: ReadonlyMap<string, Tensor> | undefined,
  n: number,
  count: number,
): ReadonlyMap<string, Tensor> {
  if (!truth) return starts;
  return new Map(
    [...starts].map(([name, tensor]) => {
      const [a, b] = [float32Data(tensor), float32Data(truth.get(name)!)];
      const size = sizeOf(tensor.dims.slice(1));
      const all = new Float32Array(n * (count + 1) * size);
      for (let i = 0; i < n; i++) {
        all.set(a.subarray(i * count * size, (i + 1) * count * size), i * (count + 1) * size);
        all.set(b.subarray(i * size, (i + 1) * size), (i * (count + 1) + count) * size);
      }
      return [name, float32(all, [n * (count + 1), ...tensor.dims.slice(1)])];
    }),
  );
}

/** The searches that `which` picks out of each picture's, as they are in `by`. */
function replaced(
  latents: ReadonlyMap<string, Tensor>,
  by: ReadonlyMap<string, Tensor>,
  which: (search: number) => boolean,
  searches: number,
): ReadonlyMap<string, Tensor> {
  return new Map(
    [...latents].map(([name, tensor]) => {
      const data = float32Data(tensor).slice();
      const other = float32Data(by.get(name)!);
      const size = sizeOf(tensor.dims.slice(1));
      for (let i = 0; i < tensor.dims[0]; i++) {
        if (which(i % searches)) data.set(other.subarray(i * size, (i + 1) * size), i * size);
      }
      return [name, float32(data, tensor.dims)];
    }),
  );
}
