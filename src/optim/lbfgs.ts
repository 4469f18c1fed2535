/**
 * Limited-memory BFGS with backtracking (Nocedal 1980; Nocedal and Wright, Numerical Optimization, algorithms 7.4 and 3.1), of
 * one search that is given values and gradients: whoever evaluates them may do so for many searches at once.
 */
import { dot } from '../arrays/vectors.ts';

/** Backtracking along a direction, and when values decide. */
export interface LineSearch {
  /** Share of the predicted fall that a move has to reach, in (0, 1/2): c_1 of Nocedal and Wright (3.4). */
  readonly sufficientDecrease: number;
  /** Values whose difference is at most this share of the value are equal: the epsilon of Hager and Zhang 2005. */
  readonly valueTolerance: number;
  /** Least and greatest share of a move that was too long, of which the next one is made; ascending, in (0, 1). */
  readonly shrink: readonly [number, number];
  /** Moves along one direction that may fail before the curvature that it was made from is discarded. */
  readonly maxTrials: number;
  /** Length of the first move of a search that knows no curvature yet, as a share of the longest one, in (0, 1]. */
  readonly firstMove: number;
}

/**
 * The defaults. Nocedal and Wright propose 1e-4, Hager and Zhang 1e-6 (sums in float32 tell no more), Dennis and Schnabel
 * (1983, A6.3.1) the range of what is left; the last two are ours.
 */
export const LINE_SEARCH: LineSearch = {
  sufficientDecrease: 1e-4,
  valueTolerance: 1e-6,
  shrink: [0.1, 0.5],
  maxTrials: 3,
  firstMove: 0.2,
};

export interface LbfgsOptions {
  /** Root mean square over the coordinates of the longest move. */
  readonly longest: number;
  /** Pairs (a move, and the change of the gradient along it) that are kept. */
  readonly memory: number;
  /** In place of the defaults (`LINE_SEARCH`). */
  readonly lineSearch?: Partial<LineSearch>;
}

/** Cosine between a move and the change of the gradient below which the pair says nothing about the curvature. */
const MIN_CURVATURE = 1e-8;

/** All numbers are kept in float32, so that a state written to a file is the state. */
export interface LbfgsState {
  /** The last point that was accepted, its value and its gradient: none before the first value. */
  readonly at: Float32Array;
  readonly value: number;
  readonly gradient?: Float32Array;
  /** The next point is at + rate * direction; `trials` others along it were too far. */
  readonly direction: Float32Array;
  readonly rate: number;
  readonly trials: number;
  /** The last moves and what they changed of the gradient, oldest first. */
  readonly pairs: readonly Pair[];
}

export interface Pair {
  readonly move: Float32Array;
  readonly change: Float32Array;
}

/** `pairs`: what is known of the curvature, from the search of a like objective; where its scale is another, backtracking helps. */
export function lbfgsStart(at: Float32Array, pairs: readonly Pair[] = []): LbfgsState {
  return { at, value: Number.POSITIVE_INFINITY, direction: new Float32Array(at.length), rate: 1, trials: 0, pairs };
}

/** The point whose value and gradient are wanted next. */
export function lbfgsTrial({ at, direction, rate }: LbfgsState): Float32Array {
  return at.map((v, i) => v + rate * direction[i]);
}

/**
 * The state after `value` and `gradient` at `lbfgsTrial(state)`; a point whose gradient is not finite is no better than one
 * whose value is not, and a search that begins at one ends there (its value is NaN). `renewed`: value and gradient at the
 * same point of the function that the search continues with, where that is another.
 */
export function lbfgsNext(
  state: LbfgsState,
  found: number,
  gradient: Float32Array,
  { longest, memory, lineSearch }: LbfgsOptions,
  renewed: { readonly value: number; readonly gradient: Float32Array } = { value: found, gradient },
): LbfgsState {
  const { sufficientDecrease, valueTolerance, shrink, maxTrials, firstMove } = { ...LINE_SEARCH, ...lineSearch };
  const trial = lbfgsTrial(state);
  const value = gradient.every(Number.isFinite) ? found : Number.NaN;
  const accepted = { ...state, at: trial, ...(Number.isNaN(value) ? { value, gradient } : renewed) };
  if (!state.gradient) return headed(accepted, longest, firstMove);
  const slope = dot(state.direction, state.gradient);
  const falls = value <= state.value + sufficientDecrease * state.rate * slope;
  // By the slopes (Hager and Zhang 2005, approximate Wolfe condition) where the values themselves cannot tell.
  const even = value <= state.value + valueTolerance * Math.abs(state.value);
  if (falls || (even && dot(state.direction, gradient) <= (2 * sufficientDecrease - 1) * slope)) {
    const before = state.gradient;
    const pair = { move: trial.map((v, i) => v - state.at[i]), change: gradient.map((v, i) => v - before[i]) };
    const pairs = isCurved(pair) ? [...state.pairs, pair].slice(-memory) : state.pairs;
    return headed({ ...accepted, pairs }, longest, firstMove);
  }
  // Without pairs the new direction would be the old one, and its first point the one that has just failed.
  if (state.trials + 1 >= maxTrials && state.pairs.length > 0) {
    const tried = state.rate * rootMeanSquare(state.direction);
    return headed({ ...state, gradient: state.gradient, pairs: [] }, Math.min(longest, tried / firstMove), firstMove);
  }
  // The minimum of the parabola through both values with the slope at the first.
  const excess = value - state.value - state.rate * slope;
  const share = Number.isFinite(value) ? (-slope * state.rate) / (2 * excess) : 0;
  const rate = Math.fround(state.rate * Math.min(shrink[1], Math.max(shrink[0], share)));
  return { ...state, rate, trials: state.trials + 1 };
}

/** Heads for the minimum of the quadratic model that the pairs make (the two-loop recursion). */
function headed(
  state: LbfgsState & { readonly gradient: Float32Array },
  longest: number,
  firstMove: number,
): LbfgsState {
  const { pairs } = state;
  const q = Float64Array.from(state.gradient);
  const weights = pairs.map(() => 0);
  for (let j = pairs.length - 1; j >= 0; j--) {
    const { move, change } = pairs[j];
    weights[j] = dot(move, q) / dot(move, change);
    add(q, change, -weights[j]);
  }
  const last = pairs[pairs.length - 1];
  if (last) scale(q, dot(last.move, last.change) / dot(last.change, last.change));
  pairs.forEach(({ move, change }, j) => {
    add(q, move, weights[j] - dot(change, q) / dot(move, change));
  });
  const length = rootMeanSquare(q);
  const most = last ? longest : firstMove * longest;
  if (length > 0 && (!last || length > most)) scale(q, most / length);
  return { ...state, direction: Float32Array.from(q, (v) => -v), rate: 1, trials: 0 };
}

function isCurved({ move, change }: Pair): boolean {
  return dot(move, change) > MIN_CURVATURE * Math.sqrt(dot(move, move) * dot(change, change));
}

type Vector = Float32Array | Float64Array;

function rootMeanSquare(a: Vector): number {
  return Math.sqrt(dot(a, a) / a.length);
}

function add(to: Float64Array, what: Vector, times: number): void {
  for (let i = 0; i < to.length; i++) to[i] += times * what[i];
}

function scale(vector: Float64Array, by: number): void {
  for (let i = 0; i < vector.length; i++) vector[i] *= by;
}
