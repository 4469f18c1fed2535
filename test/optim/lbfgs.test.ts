/** L-BFGS on functions whose minima are known. */
import { describe, expect, it } from 'vitest';
import { type LbfgsState, lbfgsNext, lbfgsStart, lbfgsTrial } from '../../src/optim/lbfgs.ts';

type Objective = (z: Float32Array) => { value: number; gradient: Float32Array };

const OPTIONS = { longest: 0.5, memory: 10 };

function searched(objective: Objective, start: Float32Array, steps: number, options = OPTIONS): LbfgsState[] {
  const states = [lbfgsStart(start)];
  for (let t = 0; t < steps; t++) {
    const state = states[t];
    const { value, gradient } = objective(lbfgsTrial(state));
    states.push(lbfgsNext(state, value, gradient, options));
  }
  return states;
}

/** Curvatures from 1 to 100: gradient descent takes hundreds of steps. */
const WEIGHTS = Float64Array.from({ length: 8 }, (_, i) => 100 ** (i / 7));
const quadratic: Objective = (z) => ({
  value: WEIGHTS.reduce((sum, w, i) => sum + 0.5 * w * (z[i] - i) ** 2, 0),
  gradient: z.map((v, i) => WEIGHTS[i] * (v - i)),
});

const rosenbrock: Objective = ([x, y]) => ({
  value: (1 - x) ** 2 + 100 * (y - x * x) ** 2,
  gradient: Float32Array.from([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)]),
});

describe('L-BFGS', () => {
  it('finds the minimum of an ill-conditioned quadratic', () => {
    const states = searched(quadratic, new Float32Array(8), 60);
    states[60].at.forEach((v, i) => {
      expect(v).toBeCloseTo(i, 3);
    });
  });

  it("finds the end of Rosenbrock's valley", () => {
    const { at } = searched(rosenbrock, Float32Array.from([-1.2, 1]), 100)[100];
    expect(at[0]).toBeCloseTo(1, 3);
    expect(at[1]).toBeCloseTo(1, 3);
  });

  it('hardly goes up, and never further than the longest move', () => {
    const states = searched(rosenbrock, Float32Array.from([-1.2, 1]), 60, { longest: 0.1, memory: 5 });
    for (let t = 1; t < states.length; t++) {
      expect(states[t].value).toBeLessThanOrEqual(states[t - 1].value * 1.001);
      const move = states[t].at.map((v, i) => v - states[t - 1].at[i]);
      expect(Math.sqrt((move[0] ** 2 + move[1] ** 2) / 2)).toBeLessThan(0.1 + 1e-6);
      expect(states[t].pairs.length).toBeLessThanOrEqual(5);
    }
  });

  it('backs off from where there is no value', () => {
    const bounded: Objective = ([x]) => ({
      value: x > 1 ? Number.NaN : -x + 0.01 * x * x,
      gradient: Float32Array.from([-1 + 0.02 * x]),
    });
    const { at, value } = searched(bounded, Float32Array.from([0.7]), 60)[60];
    expect(at[0]).toBeLessThanOrEqual(1);
    expect(at[0]).toBeGreaterThan(0.9);
    expect(value).toBeLessThan(-0.85);
  });

  it('takes a point without a gradient for one without a value', () => {
    const edged: Objective = ([x]) => ({ value: -x, gradient: Float32Array.from([x > 1 ? Number.NaN : -1]) });
    const states = searched(edged, Float32Array.from([0.7]), 30);
    expect(states[30].at[0]).toBeLessThanOrEqual(1);
    expect(states[30].at[0]).toBeGreaterThan(0.9);
    expect(searched(edged, Float32Array.from([2]), 1)[1].value).toBeNaN();
  });

  it('forgets a curvature that leads nowhere, and goes on along the gradient with a shorter move', () => {
    const { at, value, gradient, pairs, direction } = searched(quadratic, new Float32Array(8), 12)[12];
    let state: LbfgsState = { at, value, gradient, pairs, direction, rate: 1, trials: 0 };
    const nowhere = { value: Number.POSITIVE_INFINITY, gradient: new Float32Array(8) };
    for (let t = 0; t < 3; t++) state = lbfgsNext(state, nowhere.value, nowhere.gradient, OPTIONS);
    expect([state.pairs, state.trials, state.at]).toEqual([[], 0, at]);
    const norm = (v: Float32Array) => Math.hypot(...v);
    const along = state.direction.reduce((sum, v, i) => sum - v * gradient![i], 0);
    expect(along / (norm(state.direction) * norm(gradient!))).toBeCloseTo(1, 5);
    expect(norm(state.direction)).toBeLessThan(norm(direction) * 1e-2);
  });

  it('begins with the curvature that another search has found', () => {
    const known = searched(quadratic, new Float32Array(8), 15)[15].pairs;
    const shifted: Objective = (z) => quadratic(z.map((v) => v + 0.3));
    const start = () => new Float32Array(8).map((_, i) => i - 0.5);
    const valueAfter = (first: LbfgsState, steps: number): number => {
      let state = first;
      for (let t = 0; t < steps; t++) {
        const { value, gradient } = shifted(lbfgsTrial(state));
        state = lbfgsNext(state, value, gradient, OPTIONS);
      }
      return state.value;
    };
    expect(valueAfter(lbfgsStart(start(), known), 6)).toBeLessThan(0.5 * valueAfter(lbfgsStart(start()), 6));
  });

  it('without pairs does not evaluate again the point that has failed', () => {
    // So steep a wall that no trial of the first direction is accepted for long.
    const wall: Objective = ([x]) => ({ value: x > 1e-4 ? 1e6 : -x, gradient: Float32Array.from([-1]) });
    const states = searched(wall, Float32Array.from([0]), 8);
    const tried = states.slice(1, 8).map((state) => lbfgsTrial(state)[0]);
    expect(new Set(tried).size).toBe(tried.length);
    expect(states.at(-1)!.value).toBeLessThan(0);
  });

  it('goes on from an accepted point by the function that is renewed there, and compares trials by it', () => {
    const start = lbfgsStart(Float32Array.from([1]));
    const renewed = { value: 5, gradient: Float32Array.from([2]) };
    const first = lbfgsNext(start, 1, Float32Array.from([-1]), OPTIONS, renewed);
    expect([first.value, first.gradient]).toEqual([5, renewed.gradient]);
    expect(first.direction[0]).toBeLessThan(0);
    // A value above the one of the old function, and below that of the new one.
    const second = lbfgsNext(first, 4, Float32Array.from([2]), OPTIONS);
    expect([second.value, second.at[0] < 1]).toEqual([4, true]);
  });
});
