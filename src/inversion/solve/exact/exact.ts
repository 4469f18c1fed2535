/**
 * Exact solutions for generators that are affine in their latents: given the mask, the most probable z is a linear system (`posterior.ts`);
 * given z, the mask is the method's own (`mask-steps.ts`). The two alternate until the mask stays as it is. There is no descent, and no starts compete.
 */

import { rows } from '../../../arrays/rows.ts';
import { binaryMask, type Image, imageAt, type Mask, visibilityOf } from '../../../images/image.ts';
import { float32, float32Data, type Tensor } from '../../../onnx/tensor.ts';
import type { Runtime } from '../../../runtime/runtime.ts';
import { type AffineMap, affineMapOf } from '../../generator/affine-map.ts';
import type { Generator } from '../../generator/generator.ts';
import { temperatureAt, USUAL_TEMPERATURE } from '../../generator/noise-model.ts';
import { checkImages, knownBeforehand } from '../../mask/given.ts';
import type { Method } from '../../spec/method.ts';
import type { ResultCode } from '../../spec/result.ts';
import type { SolverOptions, StepReport } from '../run.ts';
import type { Inversion } from '../solver.ts';
import { type MaskStep, type MaskSteps, maskSteps, type Shown } from './mask-steps.ts';
import { type Equations, equationsAt, type GramProduct, gramProduct, wholeEquations } from './normal-equations.ts';
import { type Posterior, posteriorOf, uncertaintyOf } from './posterior.ts';

/**
 * Has every stage a quadratic problem in z, given its mask, and is it ours to choose how it is solved? The recipes of the papers keep their own
 * optimisers.
 */
export function isQuadratic({ stages }: Method): boolean {
  return stages.every(({ formulation: { loss, priors, optimiser, mask, weightGroups, latentBound } }) => {
    const isSquare = loss.length === 1 && loss[0].kind === 'l2';
    const isGaussian = priors.length === 1 && priors[0].kind === 'latent';
    const isDerived = mask.form === 'given' || (mask.form === 'exact' && mask.shared);
    const isFree = weightGroups.flat().length === 0 && latentBound === undefined;
    return optimiser.kind === 'lbfgs' && isSquare && isGaussian && isDerived && isFree;
  });
}

/** What all pictures of a generator share. */
export interface ExactProblem {
  readonly map: AffineMap;
  /** The equations of a whole picture. */
  readonly whole: Equations;
  /** Is the scale of the noise known, of each value? Else it is one for all, measured on each picture. */
  readonly isNoiseKnown: boolean;
}

const PROBLEMS = new WeakMap<Generator, Promise<ExactProblem | undefined>>();

/** Undefined where the generator is not affine; made once for each. */
export function exactProblem(generator: Generator, runtime: Runtime): Promise<ExactProblem | undefined> {
  const known = PROBLEMS.get(generator);
  if (known) return known;
  const made = problemOf(generator, runtime);
  PROBLEMS.set(generator, made);
  made.catch(() => PROBLEMS.delete(generator));
  return made;
}

async function problemOf(generator: Generator, runtime: Runtime): Promise<ExactProblem | undefined> {
  const map = await affineMapOf(generator, runtime);
  if (!map) return undefined;
  const { noise } = generator;
  const precision = noise
    ? Float64Array.from(noise.deviation.data, (deviation) => 1 / deviation ** 2)
    : new Float64Array(map.values).fill(1);
  const product = await gramProduct(map, runtime);
  try {
    return { map, whole: await wholeEquations(product, precision), isNoiseKnown: noise !== undefined };
  } finally {
    await product.dispose();
  }
}

/** Inverts images [n,C,H,W] one after the other. Masks: see `runMethod`. */
export async function solveExactly(
  problem: ExactProblem,
  generator: Generator,
  method: Method,
  runtime: Runtime,
  images: Tensor,
  masks: Tensor | undefined,
  options: SolverOptions & { readonly onStep?: (report: StepReport) => void },
): Promise<Inversion> {
  checkImages(generator, images);
  const known = await knownBeforehand(generator, method, runtime, images, masks, options);
  const picture = float32(float32Data(images), images.dims);
  const product = await gramProduct(problem.map, runtime);
  const steps = method.needsMask ? undefined : await maskSteps(method, generator, runtime);
  const solved: Solved[] = [];
  try {
    for (let i = 0; i < images.dims[0] && !options.signal?.aborted; i++) {
      const missing = known.missing && imageAt(known.missing, i);
      const given = known.visibility && rows(float32(float32Data(known.visibility), known.visibility.dims), [i]);
      const search = { problem, generator, product, x: imageAt(picture, i), onStep: options.onStep };
      solved.push(await (steps ? alternate(search, steps, missing) : once(search, given!)));
    }
  } finally {
    await product.dispose();
    await steps?.dispose();
  }
  return inversionOf(problem, solved, images, known.missing);
}

interface Search {
  readonly problem: ExactProblem;
  readonly generator: Generator;
  readonly product: GramProduct;
  /** [1,C,H,W] */
  readonly x: Image;
  readonly onStep?: (report: StepReport) => void;
}

/** One picture's solution. */
interface Solved {
  readonly posterior: Posterior;
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
  readonly posterior: Posterior;
}

async function once(search: Search, visibility: Mask): Promise<Solved> {
  const weights = float32(
    visibility.data.map((v) => v ** 2),
    visibility.dims,
  );
  const { posterior } = await solvedAt(search, weights, undefined, 1, true);
  const mask = visibilityOf(visibility);
  const history = { loss: [posterior.energy], masked: [shareOf(mask)] };
  report(search, history);
  return { posterior, softMask: mask, mask, code: 'solved', history };
}

/** Share of the pixels whose mask may still change from step to step. */
const SETTLED = 1e-4;
/** Repetitions of the last step. */
const MAX_REPEATED = 12;

/**
 * Before there is a mask only what good pictures vary in most can be trusted to be no corruption: the first solutions are with temperatures that
 * are higher by these factors.
 */
const EASED = [64, 16, 4];

/** An alternation on its way. */
interface Course {
  readonly state: State;
  /** The mask at which the state was solved, and the one that its reconstruction says. */
  readonly before: Mask;
  readonly found: MaskStep;
}

async function alternate(search: Search, steps: MaskSteps, missing: Mask | undefined): Promise<Solved> {
  const history = { loss: [] as number[], masked: [] as number[] };
  const courses: Course[] = [];
  const begun = steps.isModelled ? await begin(search, missing) : undefined;
  courses.push(await annealed(search, steps, missing, begun));
  if (begun) courses.push(await trimmed(search, steps, missing, begun));
  let course = courses.reduce((best, other) => (other.found.evidence > best.found.evidence ? other : best));
  const last = steps.steps[steps.steps.length - 1];
  for (let i = 0; ; i++) {
    history.loss.push(course.state.posterior.energy);
    history.masked.push(shareOf(course.found.softMask));
    report(search, history);
    const { state, before, found } = course;
    const isSettled = changeOf(before, found.softMask) <= SETTLED;
    if (isSettled || i >= MAX_REPEATED) {
      const code = isSettled ? 'solved' : 'step-limit';
      const { posterior } = await solvedAt(
        search,
        steps.isModelled ? visibilityOf(found.mask) : found.weights,
        state,
        1,
        true,
      );
      return { posterior, softMask: found.softMask, mask: found.mask, code, history };
    }
    course = await followed(search, course, last, missing, 1);
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
): Promise<Course> {
  const next = await solvedAt(search, found.weights, state, eased);
  return { state: next, before: found.softMask, found: await step(await shown(search, next, missing), eased > 1) };
}

async function shown(
  { x, problem: { map, whole }, product }: Search,
  { posterior }: State,
  missing: Mask | undefined,
): Promise<Shown> {
  const uncertain = await uncertaintyOf(posterior, map, product);
  const deviation = Float32Array.from(uncertain, (v, i) => Math.sqrt(v + posterior.scale / whole.weights[i]));
  return { x, y: float32(posterior.picture, x.dims), deviation: float32(deviation, x.dims), missing };
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
    found: await steps[0](await shown(search, state, missing)),
  };
  const count = Math.max(steps.length, EASED.length);
  for (let i = 1; i <= count; i++)
    course = await followed(search, course, steps[Math.min(i, steps.length - 1)], missing, EASED[i] ?? 1);
  return course;
}

/** The half of the pixels that is fitted best counts (least trimmed squares: Rousseeuw and Van Driessen 2006). */
async function trimmed(search: Search, { steps }: MaskSteps, missing: Mask | undefined, begun: State): Promise<Course> {
  let state = begun;
  for (const eased of EASED.slice(1))
    state = await solvedAt(search, bestFitted(search.x, state.posterior.picture, missing), state, eased);
  const found = await steps[0](await shown(search, state, missing), true);
  return followed(search, { state, found }, steps[0], missing, 1);
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
  { problem, generator, product, x }: Search,
  pixelWeights: Mask,
  before?: State,
  eased = 1,
  isLast = false,
): Promise<State> {
  const { map, whole, isNoiseKnown } = problem;
  const plane = pixelWeights.data.length;
  const weights = whole.weights.map((w, i) => w * pixelWeights.data[i % plane]);
  const equations = await equationsAt(product, [...(before ? [before.equations] : []), whole], weights);
  const eta = eased * temperatureAt((isLast && generator.noise?.temperature) || USUAL_TEMPERATURE, pixelWeights);
  const atLeast = (scale: number) => Math.max(scale, isNoiseKnown && isLast ? 1 : MIN_SCALE);
  let scale = before
    ? atLeast(before.posterior.scale)
    : isNoiseKnown && isLast
      ? 1
      : varianceOf(map, whole.weights, x.data);
  for (let i = 1; ; i++) {
    const posterior = posteriorOf(map, equations, x.data, eta, scale);
    const next = atLeast(posterior.scale);
    if (i >= MAX_SCALES || Math.abs(next - scale) <= SCALE_SETTLED * scale)
      return { weights: pixelWeights, equations, posterior };
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

function changeOf(a: Tensor<'float32'>, b: Tensor<'float32'>): number {
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

function inversionOf(
  { map }: ExactProblem,
  solved: readonly Solved[],
  images: Tensor,
  missing: Mask | undefined,
): Inversion {
  const [n, channels, height, width] = images.dims;
  const image = new Float32Array(n * map.values);
  const [soft, mask] = [0, 1].map(() => float32(new Float32Array(n * height * width), [n, 1, height, width]));
  const each = solved.map((one, i) => {
    image.set(one.posterior.picture, i * map.values);
    soft.data.set(one.softMask.data, i * height * width);
    mask.data.set(one.mask.data, i * height * width);
    return map.latentsOf(one.posterior.u);
  });
  const latents = new Map(
    [...map.latentsOf(new Float64Array(map.unknowns))].map(
      ([
        name,
        {
          dims,
          data: { length },
        },
      ]): [string, Tensor] => {
        const data = new Float32Array(n * length);
        each.forEach((own, i) => {
          data.set(float32Data(own.get(name)!), i * length);
        });
        return [name, float32(data, [n, ...dims.slice(1)])];
      },
    ),
  );
  const perImage = <T>(of: (one: Solved) => T, otherwise: T): T[] =>
    Array.from({ length: n }, (_, i) => (solved[i] ? of(solved[i]) : otherwise));
  return {
    image: float32(image, [n, channels, height, width]),
    mask: soft,
    found: { mask: binaryMask(mask), softMask: soft },
    ...(missing ? { missing } : {}),
    latents,
    weights: new Map(),
    // Aborted before its turn.
    codes: perImage(({ code }) => code, 'interrupted' as const),
    loss: perImage(({ posterior }) => posterior.energy, Number.NaN),
    steps: perImage(({ history }) => history.loss.length, 0),
    history: {
      loss: perImage(({ history }) => history.loss, []),
      masked: perImage(({ history }) => history.masked, []),
    },
  };
}
