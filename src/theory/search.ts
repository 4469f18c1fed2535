/**
 * Follows the minimiser along a path of thresholds (of lambda) towards 0, as graduated non-convexity does: each search continues
 * from where it was at the threshold before. Beside the searches that begin at robustly chosen starts runs one that begins
 * at the truth z*, anew at each threshold: where it ends lower, the others sit in a local minimum; where it ends higher,
 * it is the objective whose minimum is not at the truth.
 */

import type { Reuse } from '../inversion/compile/reuse.ts';
import type { Generator } from '../inversion/generator/generator.ts';
import { drive } from '../inversion/solve/driver.ts';
import type { Rendered } from '../inversion/solve/run.ts';
import { createSolver } from '../inversion/solve/solver.ts';
import type { Method, Stage } from '../inversion/spec/method.ts';
import { float32, float32Data, sizeOf, type Tensor } from '../onnx/tensor.ts';
import type { Runtime } from '../runtime/runtime.ts';
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
  /** Shared by the problems of one generator. */
  readonly reuse: Reuse;
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
  const { generator, images, path, truth } = problem;
  const n = images.dims[0];
  const starts = [...problem.starts.values()][0].dims[0] / n;
  const searches = starts + (truth ? 1 : 0);
  const whole = interleaved(problem.starts, truth, n, starts);
  const { reuse, signal } = hooks;
  const stages = path.map((grey) => stageOf(problem, grey, searches));
  // Each start enters at the threshold of its number, the truth at all of them.
  const handOver = (stage: number, latents: ReadonlyMap<string, Tensor>) =>
    replaced(latents, whole, (k) => k >= starts || k === stage, searches);
  const solver = createSolver(generator, methodOf(stages), runtime, { reuse, signal, fixedSchedule: true, handOver });
  try {
    await solver.init(images, undefined, whole);
    let reached = 0;
    for await (const { kind } of drive(solver, signal)) {
      if (kind === 'step') hooks.onStep?.();
      if (kind !== 'stage-end') continue;
      const grey = path[reached++];
      const lambda = problem.estimator.lambda(grey, generator.channels);
      yield { grey, lambda, searches, ...pointOf(generator, await solver.searches()) };
    }
  } finally {
    await solver.dispose();
  }
}

/** The search at one threshold. Adam restarts at each: the moments of the previous one belong to other gradients. */
function stageOf({ generator, estimator, steps }: PathProblem, grey: number, searches: number): Stage {
  const lambda = estimator.lambda(grey, generator.channels);
  return {
    name: `${grey} grey levels`,
    formulation: estimator.formulation(grey),
    steps,
    starts: searches,
    controls: (t) => ({ lambda, latentRate: latentRate(grey) * schedule(t / steps), maskRate: 0, weightRates: [] }),
  };
}

/** The path as a method; its starts are given to it. */
function methodOf(stages: readonly Stage[]): Method {
  return { name: 'rgi', needsMask: false, start: { pool: 0, distance: { kind: 'l2' }, seed: 0 }, stages };
}

function pointOf(
  { latents }: Generator,
  { tensors, image, mask, loss }: Rendered,
): Pick<PathPoint, 'image' | 'mask' | 'latents' | 'objective'> {
  const plain = (tensor: Tensor) => float32(float32Data(tensor), tensor.dims);
  return {
    image: plain(image),
    ...(mask ? { mask: plain(mask) } : {}),
    latents: new Map(latents.map(({ name }) => [name, plain(tensors.get(name)!)])),
    objective: loss,
  };
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
