/**
 * Exact solutions for generators that are affine in their latents: given the mask, the most probable z is a linear system (`posterior.ts`);
 * given z, the mask is the method's own (`mask-steps.ts`). The two alternate until the mask stays as it is. There is no descent.
 */

import { rows } from '../../../arrays/rows.ts';
import { binaryMask, imageAt, type Mask } from '../../../images/image.ts';
import { float32, float32Data, type Tensor } from '../../../onnx/tensor.ts';
import type { Runtime } from '../../../runtime/runtime.ts';
import { affineMapOf } from '../../generator/affine-map.ts';
import type { Generator } from '../../generator/generator.ts';
import { checkImages, knownBeforehand } from '../../mask/given.ts';
import type { Method } from '../../spec/method.ts';
import type { SolverOptions, StepReport } from '../run.ts';
import type { Inversion } from '../solver.ts';
import { alternate, type ExactProblem, type Solved, solvedOnce } from './alternation.ts';
import { maskSteps } from './mask-steps.ts';
import { gramProduct, wholeEquations } from './normal-equations.ts';

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

const PROBLEMS = new WeakMap<Runtime, WeakMap<Generator, Promise<ExactProblem | undefined>>>();

/** Undefined where the generator is not affine; made once for each, and kept as long as the generator and its runtime. */
export function exactProblem(generator: Generator, runtime: Runtime): Promise<ExactProblem | undefined> {
  const ofRuntime = PROBLEMS.get(runtime) ?? new WeakMap<Generator, Promise<ExactProblem | undefined>>();
  PROBLEMS.set(runtime, ofRuntime);
  const known = ofRuntime.get(generator);
  if (known) return known;
  const made = problemOf(generator, runtime);
  ofRuntime.set(generator, made);
  made.catch(() => ofRuntime.delete(generator));
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
  return { map, product, whole: await wholeEquations(product, precision), isNoiseKnown: noise !== undefined };
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
  const steps = method.needsMask ? undefined : await maskSteps(method, generator, runtime);
  const solved: Solved[] = [];
  try {
    for (let i = 0; i < images.dims[0] && !options.signal?.aborted; i++) {
      const missing = known.missing && imageAt(known.missing, i);
      const given = known.visibility && rows(float32(float32Data(known.visibility), known.visibility.dims), [i]);
      const keep = options.keep && imageAt(options.keep, i);
      const { onStep, onState } = options;
      const search = { problem, generator, x: imageAt(picture, i), keep, onStep, onState };
      solved.push(await (steps ? alternate(search, steps, missing) : solvedOnce(search, given!)));
    }
  } finally {
    await steps?.dispose();
  }
  return inversionOf(problem, solved, images, known.missing);
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
    image.set(one.picture, i * map.values);
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
