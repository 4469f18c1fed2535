/**
 * A step loop whose latents are moved by L-BFGS. The graph gives losses and gradients of all searches at once; what is left,
 * products of a few hundred numbers, is no work for a graph. The rate of a search is its longest move; 0 holds it still.
 */

import { rows } from '../../arrays/rows.ts';
import { RgiError } from '../../errors.ts';
import { splitModel } from '../../onnx/encode.ts';
import { float32, float32Data, sizeOf, type Tensor, zeros } from '../../onnx/tensor.ts';
import { type LbfgsOptions, type LbfgsState, lbfgsNext, lbfgsStart, lbfgsTrial } from '../../optim/lbfgs.ts';
import type { Loop, Runtime, Tensors } from '../../runtime/runtime.ts';
import type { CompiledStep } from '../compile/step.ts';
import { STEP } from '../compile/step-names.ts';

/** Vectors of a search's memory beside its pairs (gradient, direction), and its numbers (value, fidelity, masked, rate, trials, pairs, prior, steepest). */
const VECTORS = 2;
const NUMBERS = 8;
const RATE = 3;
const STEEPEST = 7;

/** `fidelity` and `masked` are, as the value, of the last point that was accepted. */
interface Search extends LbfgsState {
  readonly fidelity: number;
  readonly masked: number;
  /** What the latents' prior weighs at that point; 0 without one, and before the first. */
  readonly priorWeight: number;
  /** The largest gradient norm of all accepted points, those of the stages before included. */
  readonly steepest: number;
}

/** The memory of n searches before their first step, as one tensor. */
export function lbfgsMemory(latents: Iterable<readonly number[]>, memory: number): Tensor {
  const shapes = [...latents].map((dims) => ({ dims }));
  return zeros('float32', [shapes[0].dims[0], NUMBERS + (VECTORS + 2 * memory) * lengthOf(shapes)]);
}

/**
 * Of the memory in `state` what the searches `chosen` know of the curvature, for an objective that is alike but for its prior. Throws
 * `usage` where there is none.
 */
export function curvatureOf(state: ReadonlyMap<string, Tensor>, chosen: readonly number[]): Tensor {
  const memory = state.get(STEP.memory);
  if (!memory) throw new RgiError('usage', 'A warm start needs a stage by L-BFGS before it.');
  const kept = rows(memory, chosen);
  chosen.forEach((_, i) => {
    kept.data[i * kept.dims[1] + RATE] = 0;
  });
  return kept;
}

/**
 * How near the searches `chosen` are to a stationary point: the norm of the objective's gradient in z at the last accepted point, as a share
 * of the largest norm met on the way there (1 = as steep as ever, 0 = stationary). Mask and prior weight are those of that point. NaN
 * before the first step; undefined where z is not moved by L-BFGS.
 */
export function gradientNormsOf(state: ReadonlyMap<string, Tensor>, chosen: readonly number[]): number[] | undefined {
  const memory = state.get(STEP.memory);
  if (!memory) return undefined;
  const size = [...state].reduce(
    (sum, [name, { dims }]) => sum + (name === STEP.memory ? 0 : sizeOf(dims.slice(1))),
    0,
  );
  return chosen.map((i) => {
    const packed = row(memory, i);
    // A search that has begun moves at some rate.
    if (packed[RATE] === 0) return Number.NaN;
    return shareOf(norm(packed.subarray(NUMBERS, NUMBERS + size)), packed[STEEPEST]);
  });
}

/** The loop of a compiled step from `start` on, by whichever optimiser it has. */
export async function stepLoop(
  compiled: CompiledStep,
  runtime: Runtime,
  start: Tensors,
  fixed: Tensors,
): Promise<Loop> {
  const { optimiser } = compiled.formulation;
  const options = { keepsMemory: compiled.keepsMemory };
  if (optimiser.kind !== 'lbfgs') return runtime.loop(splitModel(compiled.step), start, fixed, options);
  const loop = await runtime.loop(splitModel(compiled.step), new Map(), fixed, options);
  return lbfgsLoop(loop, start, optimiser, compiled.stepInputs.has(STEP.priorWeight));
}

/** `start`: latents [n, ...] and `STEP.memory`. */
function lbfgsLoop(
  loop: Loop,
  start: Tensors,
  { memory, lineSearch }: Omit<LbfgsOptions, 'longest'>,
  isReweighted: boolean,
): Loop {
  const shapes = [...start].flatMap(([name, { dims }]) => (name === STEP.memory ? [] : [{ name, dims }]));
  const packed = start.get(STEP.memory)!;
  const n = packed.dims[0];
  const opened = (state: ReadonlyMap<string, Tensor>) =>
    gathered(state, shapes, n).map((at, i) => unpacked(at, row(state.get(STEP.memory)!, i)));
  let searches = opened(start);
  return {
    ...loop,
    async step(feeds) {
      const rates = float32Data(feeds.get(STEP.latentRate)!);
      const others = [...feeds].filter(([name]) => name !== STEP.latentRate);
      const perSearch = (numbers: readonly number[]) => float32(numbers, [n]);
      const weights = perSearch(searches.map(({ priorWeight }) => priorWeight));
      const outputs = await loop.step(
        new Map([
          ...others,
          ...scattered(searches.map(lbfgsTrial), shapes),
          ...(isReweighted ? [[STEP.priorWeight, weights] as const] : []),
        ]),
      );
      const found = evaluated(outputs, shapes, n, isReweighted);
      searches = searches.map((search, i) => {
        if (rates[i] === 0) return search;
        const { value, gradient, course, renewed } = found(i, search.priorWeight);
        const next = lbfgsNext(search, value, gradient, { longest: rates[i], memory, lineSearch }, renewed);
        // A rejected trial point is no part of the search's history.
        if (next.at === search.at) return { ...search, ...next };
        return { ...next, ...course, steepest: Math.fround(Math.max(search.steepest, norm(next.gradient!))) };
      });
      return new Map([
        ...outputs,
        [STEP.loss, perSearch(searches.map(({ value }) => value))],
        [STEP.fidelity, perSearch(searches.map(({ fidelity }) => fidelity))],
        [STEP.masked, perSearch(searches.map((search) => search.masked))],
        [STEP.gradientNorm, perSearch(searches.map(({ gradient, steepest }) => shareOf(norm(gradient!), steepest)))],
      ]);
    },
    async write(state) {
      searches = opened(state);
    },
    read: async () =>
      new Map([
        ...scattered(
          searches.map(({ at }) => at),
          shapes,
        ),
        [STEP.memory, float32(packedAll(searches, packed.dims[1]), packed.dims)],
      ]),
  };
}

/** What the step has found of each search at its trial, whose prior weighed `priorWeight`. */
function evaluated(outputs: Tensors, shapes: readonly Shape[], n: number, isReweighted: boolean) {
  const numbers = (name: string) => float32Data(outputs.get(name)!);
  const vectors = (nameOf: (latent: string) => string) =>
    gathered(new Map(shapes.map(({ name }) => [name, outputs.get(nameOf(name))!])), shapes, n);
  const [losses, fidelities, masked] = [STEP.loss, STEP.fidelity, STEP.masked].map(numbers);
  const gradients = vectors(STEP.gradient);
  const course = (i: number, priorWeight: number) => ({ fidelity: fidelities[i], masked: masked[i], priorWeight });
  if (!isReweighted)
    return (i: number) => ({ value: losses[i], gradient: gradients[i], course: course(i, 0), renewed: undefined });
  const [trials, weights] = [STEP.trialLoss, STEP.measuredPriorWeight].map(numbers);
  const ofPrior = vectors(STEP.priorGradient);
  return (i: number, priorWeight: number) => ({
    value: trials[i],
    gradient: gradients[i],
    course: course(i, weights[i]),
    renewed: {
      value: losses[i],
      gradient: gradients[i].map((slope, k) => slope + (weights[i] - priorWeight) * ofPrior[i][k]),
    },
  });
}

interface Shape {
  readonly name: string;
  readonly dims: readonly number[];
}

/** Numbers of one search's latents. */
function lengthOf(shapes: readonly Pick<Shape, 'dims'>[]): number {
  return shapes.reduce((sum, { dims }) => sum + sizeOf(dims.slice(1)), 0);
}

/** Each search's latents as one vector. */
function gathered(tensors: ReadonlyMap<string, Tensor>, shapes: readonly Shape[], n: number): Float32Array[] {
  const size = lengthOf(shapes);
  return Array.from({ length: n }, (_, i) => {
    const point = new Float32Array(size);
    let from = 0;
    for (const { name } of shapes) {
      const part = row(tensors.get(name)!, i);
      point.set(part, from);
      from += part.length;
    }
    return point;
  });
}

function scattered(points: readonly Float32Array[], shapes: readonly Shape[]): Map<string, Tensor> {
  let from = 0;
  return new Map(
    shapes.map(({ name, dims }) => {
      const size = sizeOf(dims.slice(1));
      const data = new Float32Array(sizeOf(dims));
      points.forEach((point, i) => {
        data.set(point.subarray(from, from + size), i * size);
      });
      from += size;
      return [name, float32(data, dims)];
    }),
  );
}

function row(tensor: Tensor, i: number): Float32Array {
  const size = sizeOf(tensor.dims.slice(1));
  return float32Data(tensor).subarray(i * size, (i + 1) * size);
}

function norm(vector: Float32Array): number {
  return Math.sqrt(vector.reduce((sum, v) => sum + v * v, 0));
}

/** Where no gradient was met the objective is flat. */
function shareOf(gradient: number, steepest: number): number {
  return steepest === 0 ? 0 : gradient / steepest;
}

function packedAll(searches: readonly Search[], width: number): Float32Array {
  const data = new Float32Array(searches.length * width);
  searches.forEach(
    ({ value, fidelity, masked, gradient, direction, rate, trials, pairs, priorWeight, steepest }, i) => {
      data.set([value, fidelity, masked, gradient ? rate : 0, trials, pairs.length, priorWeight, steepest], i * width);
      [gradient ?? direction, direction, ...pairs.flatMap(({ move, change }) => [move, change])].forEach(
        (vector, j) => {
          data.set(vector, i * width + NUMBERS + j * vector.length);
        },
      );
    },
  );
  return data;
}

function unpacked(at: Float32Array, packed: Float32Array): Search {
  const [value, fidelity, masked, rate, trials, count, weight, steepest] = packed;
  const vector = (j: number) => packed.slice(NUMBERS + j * at.length, NUMBERS + (j + 1) * at.length);
  const pairs = Array.from({ length: count }, (_, j) => ({
    move: vector(VECTORS + 2 * j),
    change: vector(VECTORS + 2 * j + 1),
  }));
  // A search that has begun moves at some rate.
  const state =
    rate === 0 ? lbfgsStart(at, pairs) : { at, value, gradient: vector(0), direction: vector(1), rate, trials, pairs };
  return { ...state, fidelity, masked, priorWeight: rate === 0 ? 0 : weight, steepest };
}
