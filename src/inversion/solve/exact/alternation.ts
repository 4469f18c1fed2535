/**
 * One picture's alternation of exact latents and mask. Two starts compete by the evidence of the model of corruption: one whose mask follows from
 * the first reconstruction on, for regions; and one on the half of the pixels that is fitted best, for corruption that is spread all over.
 * The mask is found with the picture's own scale of noise; what it hides is filled with that of good pictures, where it is known.
 */
import { type Image, type Mask, unionOf, visibilityOf, zeroWhere } from '../../../images/image.ts';
import { float32 } from '../../../onnx/tensor.ts';
import type { AffineMap } from '../../generator/affine-map.ts';
import type { Generator } from '../../generator/generator.ts';
import { temperatureAt, USUAL_TEMPERATURE } from '../../generator/noise-model.ts';
import { withRegions } from '../../mask/corruption/enclosed.ts';
import type { ResultCode } from '../../spec/result.ts';
import type { SolverOptions, StepReport } from '../run.ts';
import { type AffineProblem, corruptedRegions } from './enclosed.ts';
import { withoutEachPixel } from './leave-one-out.ts';
import type { Law, MaskStep, MaskSteps, Shown } from './mask-steps.ts';
import { type Equations, equationsAt, pictureOf } from './normal-equations.ts';
import { type DataTerms, dataTerms, type Posterior, posteriorOf, predictionOf } from './posterior.ts';

/** What all pictures of a generator share. */
export interface ExactProblem extends AffineProblem {
  /** Is the scale of the noise known, of each value? Else it is one for all, measured on each picture. */
  readonly isNoiseKnown: boolean;
}

/** One picture's search. */
export interface Search {
  readonly problem: ExactProblem;
  readonly generator: Generator;
  /** [1,C,H,W] */
  readonly x: Image;
  /** 1 where it is known to be intact, [1,1,H,W]. */
  readonly keep?: Mask;
  /** 1 where a masked rim encloses what has been found to be corrupted, [1,1,H,W]. */
  readonly hide?: Mask;
  readonly onStep?: (report: StepReport) => void;
  readonly onState?: SolverOptions['onState'];
}

/** One picture's solution. */
export interface Solved {
  readonly posterior: Posterior;
  /** A u + b, [values]. */
  readonly picture: Float32Array;
  /** M in [0,1], and as it is reported, [1,1,H,W]. */
  readonly softMask: Mask;
  readonly mask: Mask;
  readonly code: ResultCode;
  readonly history: { readonly loss: number[]; readonly masked: number[] };
}

/** The state of an alternation. */
interface State {
  /** By which each pixel counted, [1,1,H,W]. */
  readonly weights: Mask;
  readonly equations: Equations;
  readonly terms: DataTerms;
  readonly posterior: Posterior;
}

/** With the mask given: what is kept of each pixel, [1,1,H,W]. */
export async function solvedOnce(search: Search, visibility: Mask): Promise<Solved> {
  const weights = float32(
    visibility.data.map((v) => v ** 2),
    visibility.dims,
  );
  const { posterior } = await solvedAt(search, weights, undefined, 1, true);
  const picture = pictureOf(search.problem.map, posterior.u);
  const mask = visibilityOf(visibility);
  const history = { loss: [posterior.energy], masked: [shareOf(mask)] };
  report(search, history);
  return { posterior, picture, softMask: mask, mask, code: 'solved', history };
}

/** Share of the pixels whose mask may still change from step to step: one in a thousand. */
const SETTLED = 1e-3;
/** Repetitions of the last step. */
const MAX_REPEATED = 10;

/**
 * A mask that has not settled after so many repetitions goes back and forth between some. From then on it moves half of the way to where it is
 * sent: where the whole step overshoots, half of it arrives.
 */
const UNDAMPED = 3;

/**
 * Before there is a mask only what good pictures vary in most can be trusted to be no corruption: the first solutions are with temperatures that
 * are higher by these factors. At 1 from the start, blocks and stains are fitted before they can be masked.
 */
const EASED = [64, 16, 4];

/** How often a settled mask is examined for regions that it encloses. */
const MAX_EXAMINED = 3;

/** An alternation on its way. */
interface Course {
  readonly state: State;
  /** The mask at which the state was solved, and the one that its reconstruction says. */
  readonly before: Mask;
  readonly found: MaskStep;
  readonly law: Law;
}

/** With the mask to be found. */
export async function alternate(search: Search, steps: MaskSteps, missing: Mask | undefined): Promise<Solved> {
  const history = { loss: [] as number[], masked: [] as number[] };
  const courses: Course[] = [];
  const begun = steps.isModelled ? await begin(search, missing) : undefined;
  courses.push(await annealed(search, steps, missing, begun));
  if (begun) courses.push(await trimmed(search, steps, missing, begun));
  let course = courses.reduce((best, other) => (other.found.evidence > best.found.evidence ? other : best));
  const last = steps.steps[steps.steps.length - 1];
  let own = search;
  for (let [i, examined] = [0, 0]; ; i++) {
    history.loss.push(course.state.posterior.energy);
    history.masked.push(shareOf(course.found.softMask));
    report(search, history);
    const { state, before, found } = course;
    const isSettled = changeOf(before, found.softMask) <= SETTLED;
    if (isSettled || i >= MAX_REPEATED) {
      const inside = examined < MAX_EXAMINED ? await corruptedInside(own, course, missing) : undefined;
      if (inside) {
        [i, examined] = [0, examined + 1];
        own = { ...own, hide: unionOf(inside, own.hide) };
        course = await followed(own, { state, found: hiding(found, inside) }, last, missing, 1, course.law);
        continue;
      }
      const code = isSettled ? 'solved' : 'step-limit';
      const { posterior } = await solvedAt(
        search,
        steps.isModelled ? visibilityOf(found.mask) : found.weights,
        state,
        1,
        true,
      );
      const picture = pictureOf(search.problem.map, posterior.u);
      return { posterior, picture, softMask: found.softMask, mask: found.mask, code, history };
    }
    const next = await followed(own, course, last, missing, 1, course.law);
    course = i < UNDAMPED ? next : { ...next, found: halfway(found, next.found) };
  }
}

/** All that there is counts alike, and only the leading directions can move. */
function begin(search: Search, missing: Mask | undefined): Promise<State> {
  const { dims } = search.x;
  const nothing = missing ?? float32(new Float32Array(dims[2] * dims[3]), [1, 1, dims[2], dims[3]]);
  return solvedAt(search, visibilityOf(nothing), undefined, EASED[0]);
}

/** The next reconstruction, by the mask at hand, and what it says of the mask. */
async function followed(
  search: Search,
  { state, found }: Pick<Course, 'state' | 'found'>,
  step: MaskSteps['steps'][number],
  missing: Mask | undefined,
  eased: number,
  law: Law,
): Promise<Course> {
  const next = await solvedAt(search, found.weights, state, eased);
  const course = {
    state: next,
    before: found.softMask,
    found: await step(await shown(search, next, missing), { isRough: eased > 1, law }),
    law,
  };
  await watched(search, course);
  return course;
}

async function watched({ onState, problem, x }: Search, { state: { posterior }, found }: Course): Promise<void> {
  await onState?.(async () => ({
    image: float32(pictureOf(problem.map, posterior.u), x.dims),
    mask: found.softMask,
    loss: Float32Array.of(posterior.energy),
  }));
}

async function shown(
  { x, keep, hide, problem: { map, product, whole } }: Search,
  { posterior, equations }: State,
  missing: Mask | undefined,
): Promise<Shown> {
  const prediction = await predictionOf(posterior, map, product);
  const { picture, variance } = withoutEachPixel(map, equations, posterior, prediction, x.data, x.dims[1]);
  const deviation = Float32Array.from(variance, (v, i) => Math.sqrt(v + posterior.scale / whole.weights[i]));
  return { x, y: float32(picture, x.dims), deviation: float32(deviation, x.dims), missing, keep, hide };
}

/** The enclosed regions that are likelier corrupted, 1; undefined where there are none. */
async function corruptedInside(
  { problem, x, keep }: Search,
  { state, found: { mask, inferred } }: Course,
  missing: Mask | undefined,
): Promise<Mask | undefined> {
  const regions = inferred
    ? await corruptedRegions(problem, x.data, inferred, {
        scale: Math.max(state.posterior.scale, MIN_SCALE),
        missing,
        keep,
      })
    : [];
  return regions.length > 0 ? withRegions(zeroWhere(mask, mask), regions) : undefined;
}

/** What is hidden counts no more. */
function hiding(found: MaskStep, hidden: Mask): MaskStep {
  return {
    ...found,
    weights: zeroWhere(hidden, found.weights),
    softMask: unionOf(found.softMask, hidden),
    mask: unionOf(found.mask, hidden),
  };
}

/** The mask follows from the first reconstruction on. */
async function annealed(
  search: Search,
  { steps }: MaskSteps,
  missing: Mask | undefined,
  begun?: State,
): Promise<Course> {
  const state = begun ?? (await begin(search, missing));
  let course: Course = {
    state,
    before: visibilityOf(state.weights),
    found: await steps[0](await shown(search, state, missing), { law: 'varied' }),
    law: 'varied',
  };
  const count = Math.max(steps.length, EASED.length);
  for (let i = 1; i <= count; i++)
    course = await followed(search, course, steps[Math.min(i, steps.length - 1)], missing, EASED[i] ?? 1, course.law);
  return course;
}

/** The half of the pixels that is fitted best counts (least trimmed squares: Rousseeuw and Van Driessen 2006). */
async function trimmed(search: Search, { steps }: MaskSteps, missing: Mask | undefined, begun: State): Promise<Course> {
  let state = begun;
  for (const eased of EASED.slice(1))
    state = await solvedAt(
      search,
      bestFitted(search.x, pictureOf(search.problem.map, state.posterior.u), missing),
      state,
      eased,
    );
  const found = await steps[0](await shown(search, state, missing), { isRough: true, law: 'even' });
  return followed(search, { state, found }, steps[0], missing, 1, 'even');
}

/** 1 at the half of the pixels whose residuals are the smallest. */
function bestFitted(x: Image, y: Float32Array, missing: Mask | undefined): Mask {
  const plane = x.dims[2] * x.dims[3];
  const squares = new Float32Array(plane);
  for (let i = 0; i < x.data.length; i++) squares[i % plane] += (x.data[i] - y[i]) ** 2;
  const seen = squares.filter((_, p) => !missing || missing.data[p] < 0.5).sort();
  const limit = seen[seen.length >> 1] ?? 0;
  return float32(
    squares.map((v, p) => (v <= limit && (!missing || missing.data[p] < 0.5) ? 1 : 0)),
    [1, 1, x.dims[2], x.dims[3]],
  );
}

/** The share of the noise's scale by which it may still change. */
const SCALE_SETTLED = 0.02;
const MAX_SCALES = 10;

/** The most probable z where each pixel counts by `pixelWeights` [1,1,H,W], with the scale of the noise that goes with it. */
async function solvedAt(
  { problem, generator, x }: Search,
  pixelWeights: Mask,
  before: State | undefined,
  eased: number,
  isLast = false,
): Promise<State> {
  const { map, product, whole, isNoiseKnown } = problem;
  const plane = pixelWeights.data.length;
  const weights = whole.weights.map((w, i) => w * pixelWeights.data[i % plane]);
  const equations = await equationsAt(product, [...(before ? [before.equations] : []), whole], weights);
  const terms = dataTerms(map, weights, x.data, before && { weights: before.equations.weights, terms: before.terms });
  const eta = eased * temperatureAt((isLast && generator.noise?.temperature) || USUAL_TEMPERATURE, pixelWeights);
  const atLeast = (scale: number) => Math.max(scale, isNoiseKnown && isLast ? 1 : MIN_SCALE);
  let scale = before
    ? atLeast(before.posterior.scale)
    : isNoiseKnown && isLast
      ? 1
      : varianceOf(map, whole.weights, x.data);
  for (let i = 1; ; i++) {
    const posterior = posteriorOf(map, equations, terms, eta, scale);
    const next = atLeast(posterior.scale);
    if (i >= MAX_SCALES || Math.abs(next - scale) <= SCALE_SETTLED * scale)
      return { weights: pixelWeights, equations, terms, posterior };
    scale = next;
  }
}

/** A factor of the noise is not taken to be smaller: a hundredth of a grey level where it is in units of [-1,1]. */
const MIN_SCALE = 1e-8;

/** Of a picture about the mean picture. */
function varianceOf({ offset }: AffineMap, weights: Float64Array, x: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (weights[i] * (x[i] - offset[i]) ** 2) / x.length;
  return Math.max(sum, 1e-12);
}

/** The mask that is reported is the new one's. */
function halfway(from: MaskStep, to: MaskStep): MaskStep {
  const mean = (a: Mask, b: Mask) =>
    float32(
      a.data.map((v, i) => (v + b.data[i]) / 2),
      a.dims,
    );
  return { ...to, weights: mean(from.weights, to.weights), softMask: mean(from.softMask, to.softMask) };
}

function changeOf(a: Mask, b: Mask): number {
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += Math.abs(a.data[i] - b.data[i]);
  return sum / a.data.length;
}

function shareOf({ data }: Mask): number {
  return data.reduce((sum, v) => sum + v, 0) / data.length;
}

function report({ onStep }: Search, { loss, masked }: Solved['history']): void {
  const last = (list: readonly number[]) => Float32Array.of(list[list.length - 1]);
  onStep?.({ stage: 0, step: loss.length - 1, loss: last(loss), fidelity: last(loss), masked: last(masked) });
}
