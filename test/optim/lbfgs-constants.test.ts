/** The constants of L-BFGS by what they mean: single steps along a line, each just within and just beyond a bound. */
import { describe, expect, it } from 'vitest';
import { type LbfgsState, type LineSearch, lbfgsNext, lbfgsStart, lbfgsTrial } from '../../src/optim/lbfgs.ts';

const OPTIONS = { longest: 0.5, memory: 10 };

/** At 0 with this value and slope -1, about to try 1. */
const ahead = (value: number): LbfgsState => ({
  at: Float32Array.of(0),
  value,
  gradient: Float32Array.of(-1),
  direction: Float32Array.of(1),
  rate: 1,
  trials: 0,
  pairs: [],
});
const tried = (before: number, value: number, gradient: number) =>
  lbfgsNext(ahead(before), value, Float32Array.of(gradient), OPTIONS);
const isAccepted = (before: number, value: number, gradient: number) => tried(before, value, gradient).at[0] === 1;

/** Far too steep for the slopes to excuse a value. */
const STEEP = 5;

describe('a move is taken', () => {
  it('where the value falls by a ten-thousandth of what the slope predicts (Armijo)', () => {
    expect(isAccepted(0, -1.001e-4, STEEP)).toBe(true);
    expect(isAccepted(0, -0.999e-4, STEEP)).toBe(false);
  });

  it('where the value is even and the new slope is below (1 - 2e-4) times the old one, the other way (approximate Wolfe)', () => {
    expect(isAccepted(0, 0, 0.9997)).toBe(true);
    expect(isAccepted(0, 0, 0.99985)).toBe(false);
  });

  it('where a rise by less than a millionth of the value counts as even', () => {
    expect(isAccepted(1000, 1000.0009, 0)).toBe(true);
    expect(isAccepted(1000, 1000.0011, 0)).toBe(false);
  });
});

describe('a move that was too long', () => {
  it('is shortened to the minimum of the parabola through both values with the slope at the first', () => {
    // v - t + (v_1 + 1) t^2 with v_1 = 1/4 has its minimum at 1 / (2 * 5/4).
    const { at, rate, trials } = tried(0, 0.25, STEEP);
    expect([at[0], rate, trials]).toEqual([0, Math.fround(0.4), 1]);
  });

  it('is shortened to a tenth at least, and to a half at most', () => {
    // The parabola's minimum is at 1/20; where there is no value, nowhere; and, of values that all but fell enough, beyond 1/2.
    expect(tried(0, 9, STEEP).rate).toBe(Math.fround(0.1));
    expect(tried(0, Number.NaN, STEEP).rate).toBe(Math.fround(0.1));
    expect(tried(0, -0.9e-4, STEEP).rate).toBe(0.5);
  });
});

it('the first move is a fifth of the longest, straight down', () => {
  const gradient = Float32Array.of(3, -4);
  const state = lbfgsNext(lbfgsStart(Float32Array.of(1, 1)), 7, gradient, OPTIONS);
  const trial = lbfgsTrial(state);
  // Root mean square over the two coordinates: 0.1, along (-3, 4) / 5.
  expect(trial[0] - 1).toBeCloseTo(-0.1 * Math.SQRT2 * 0.6, 6);
  expect(trial[1] - 1).toBeCloseTo(0.1 * Math.SQRT2 * 0.8, 6);
});

it('with known curvature the minimum of the quadratic model is tried whole', () => {
  // f = x^2 / 2 from -0.3: after one pair the model is exact.
  const quadratic = ([x]: Float32Array) => [0.5 * x * x, Float32Array.of(x)] as const;
  let state = lbfgsStart(Float32Array.of(-0.3));
  for (let t = 0; t < 2; t++) state = lbfgsNext(state, ...quadratic(lbfgsTrial(state)), OPTIONS);
  expect(state.pairs.length).toBe(1);
  expect(lbfgsTrial(state)[0]).toBeCloseTo(0, 6);
});

it('a pair says something of the curvature where move and change are not all but orthogonal: a cosine above 1e-8', () => {
  const pairsOf = (cosine: number) => {
    const before = { ...ahead(0), at: Float32Array.of(0, 0), direction: Float32Array.of(1, 0) };
    const state = { ...before, gradient: Float32Array.of(-1e-6, 0) };
    return lbfgsNext(state, -1, Float32Array.of(-1e-6 + cosine, 1), OPTIONS).pairs.length;
  };
  expect(pairsOf(1.5e-8)).toBe(1);
  expect(pairsOf(0.7e-8)).toBe(0);
});

it('each rule of the line search can be changed by itself', () => {
  const next = (lineSearch: Partial<LineSearch>, value: number, gradient: number) =>
    lbfgsNext(ahead(0), value, Float32Array.of(gradient), { ...OPTIONS, lineSearch });
  // A tenth of the fall that the slope predicts, not a ten-thousandth.
  expect(next({ sufficientDecrease: 0.2 }, -0.1, STEEP).at[0]).toBe(0);
  expect(next({ sufficientDecrease: 0.05 }, -0.1, STEEP).at[0]).toBe(1);
  expect(next({ shrink: [0.25, 0.5] }, Number.NaN, STEEP).rate).toBe(0.25);
  const started = lbfgsNext(lbfgsStart(Float32Array.of(0)), 7, Float32Array.of(1), {
    ...OPTIONS,
    lineSearch: { firstMove: 1 },
  });
  expect(lbfgsTrial(started)[0]).toBeCloseTo(-OPTIONS.longest, 6);
});
