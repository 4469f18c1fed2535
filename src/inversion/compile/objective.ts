/** Emits the objective: masked losses per image, the mask's closed forms, the penalty on the mask. */
import { RgiError } from '../../errors.ts';
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import { amidMasked, coherentLambda } from '../mask/coherence.ts';
import type { Formulation, LossTerm, MaskForm, PixelTerm } from '../spec/formulation.ts';

export interface ObjectiveInputs {
  /** target and restoration, [N,C,H,W] */
  readonly x: Value;
  readonly y: Value;
  readonly dims: readonly number[];
  /** lambda per image, [N,1,1,1] */
  readonly lambda: Value;
  /** the mask variable, or what a given mask keeps (1-M) */
  readonly mask?: Value;
  readonly visibility?: Value;
  /** scale of each loss term, a scalar value or undefined for 1 */
  readonly termScales: readonly (Value | undefined)[];
  /** features of an image [N,C,H,W] at the layers of a feature term */
  readonly features?: (image: Value, layers: readonly string[]) => readonly Value[];
}

/** Pixels that are masked amid masked ones, and those that are kept, [N] each. */
export interface PixelCounts {
  readonly hidden: Value;
  readonly kept: Value;
}

export interface Objective {
  /** L_rec per image, [N] */
  readonly fidelity: Value;
  /** lambda*||M||_1 per image, [N]; absent where M is not penalised */
  readonly penalty?: Value;
  /** The scale of the kept residuals for the latents' prior, [N]; absent without such a prior. */
  readonly noise?: Value;
  /** Absent without a prior that asks for it. */
  readonly pixels?: PixelCounts;
  /** M, [N,1|C,H,W]; absent where nothing is masked */
  readonly mask?: Value;
  /** values no gradient may pass through: the exact mask's gradient vanishes by the envelope theorem */
  readonly detached: ReadonlySet<Value>;
}

const IMAGE_AXES = [1, 2, 3];

export function emitObjective(b: GraphBuilder, formulation: Formulation, inputs: ObjectiveInputs): Objective {
  const residual = b.Sub(inputs.x, inputs.y);
  const { visibility, mask, penalised, detached: constants } = emitMask(b, formulation, inputs, residual);
  const [, channels, height, width] = inputs.dims;
  const mean = formulation.reduction === 'mean';
  const masked = (image: Value): Value => (visibility === undefined ? image : b.Mul(visibility, image));
  const fidelities = formulation.loss.map((term, i) => {
    const loss =
      term.kind === 'feature' ? featureLoss(b, term, inputs, masked, mean) : pixelLoss(b, term, masked(residual));
    const perPixel = mean && term.kind !== 'feature' ? 1 / (channels * height * width) : 1;
    const weighted = scaled(b, loss, term.weight * perPixel);
    const scale = inputs.termScales[i];
    return scale === undefined ? weighted : b.Mul(weighted, scale);
  });
  const fidelity = fidelities.reduce((a, c) => b.Add(a, c));
  const noise = formulation.priors.some((prior) => prior.kind === 'latent')
    ? noiseOf(b, formulation, inputs.dims, fidelities, visibility)
    : undefined;
  const counted = formulation.priors.some((prior) => prior.kind === 'latent' && prior.ofHidden);
  const pixels = counted ? pixelCounts(b, inputs.dims, visibility) : undefined;
  const measured = [noise, pixels?.hidden, pixels?.kept].flatMap((value) => value ?? []);
  const detached = new Set([...constants, ...measured]);
  if (!penalised) return { fidelity, noise, pixels, mask, detached };
  const norm = b.ReduceSum(b.Abs(penalised.mask), IMAGE_AXES, false);
  const penalty = b.Mul(b.Reshape(inputs.lambda, [inputs.dims[0]]), scaled(b, norm, mean ? 1 / penalised.size : 1));
  return { fidelity, penalty, noise, pixels, mask, detached };
}

/** v or b/2 of `latent-prior.ts`, [N], in the loss's own units: the pixel loss per kept value. (Huber's is halved, and takes the place of v/2.) */
function noiseOf(
  b: GraphBuilder,
  { loss }: Formulation,
  [, channels, height, width]: readonly number[],
  fidelities: readonly Value[],
  visibility?: Value,
): Value {
  const at = loss.findIndex((term) => term.kind !== 'feature');
  if (at < 0)
    throw new RgiError('usage', 'The latent prior is weighted relative to a pixel loss, and there is none: add one.');
  const perValue = scaled(b, fidelities[at], (loss[at].kind === 'l1' ? 0.5 : 1) / (channels * height * width));
  // Of a fully masked picture it is 0: nothing moves the latents.
  return visibility === undefined
    ? perValue
    : b.Div(perValue, b.Max(b.ReduceMean(visibility, IMAGE_AXES, false), b.scalar(1e-6)));
}

function pixelCounts(b: GraphBuilder, [batch, , height, width]: readonly number[], visibility?: Value): PixelCounts {
  const of = (count: number) => b.floats(new Float32Array(batch).fill(count));
  if (visibility === undefined) return { hidden: of(0), kept: of(height * width) };
  const kept = b.Cast(b.GreaterOrEqual(b.ReduceMean(visibility, [1], true), b.scalar(0.5)), 'float32');
  const hidden = b.Mul(b.Cast(amidMasked(b, height, width)(kept), 'float32'), b.Sub(b.scalar(1), kept));
  return { hidden: b.ReduceSum(hidden, IMAGE_AXES, false), kept: b.ReduceSum(kept, IMAGE_AXES, false) };
}

function scaled(b: GraphBuilder, value: Value, factor: number): Value {
  return factor === 1 ? value : b.Mul(value, b.scalar(factor));
}

/** Sum of rho(e) per image, [N]. */
function pixelLoss(b: GraphBuilder, term: LossTerm, e: Value): Value {
  if (term.kind === 'feature') throw new RgiError('usage', 'A feature term has no pixel loss.');
  return b.ReduceSum(rho(b, term, e), IMAGE_AXES, false);
}

/** The loss of each residual, its weight left out. */
function rho(b: GraphBuilder, term: PixelTerm, e: Value): Value {
  switch (term.kind) {
    case 'l2':
      return b.Mul(e, e);
    case 'l1':
      return b.Abs(e);
    case 'huber': {
      // q = min(|e|, delta): q^2/2 + delta*(|e| - q)
      const magnitude = b.Abs(e);
      const q = b.Min(magnitude, b.scalar(term.delta));
      const linear = b.Mul(b.Sub(magnitude, q), b.scalar(term.delta));
      return b.Add(b.Mul(b.Mul(q, q), b.scalar(0.5)), linear);
    }
  }
}

function featureLoss(
  b: GraphBuilder,
  term: LossTerm & { kind: 'feature' },
  inputs: ObjectiveInputs,
  masked: (image: Value) => Value,
  mean: boolean,
): Value {
  if (!inputs.features) {
    throw new RgiError(
      'usage',
      'A feature loss needs a second network: give --discriminator (or --features) an ONNX file.',
    );
  }
  const ofTarget = inputs.features(masked(inputs.x), term.layers);
  const ofImage = inputs.features(masked(inputs.y), term.layers);
  const distances = ofTarget.map((target, i) => {
    const difference = b.Sub(target, ofImage[i]);
    const cost = term.distance === 'l1' ? b.Abs(difference) : b.Mul(difference, difference);
    const flat = b.node('Flatten', [cost], { axis: 1 })[0];
    return mean ? b.ReduceMean(flat, [1], false) : b.ReduceSum(flat, [1], false);
  });
  return distances.reduce((a, c) => b.Add(a, c));
}

interface EmittedMask {
  /** 1-M, what multiplies both images; absent = 1 */
  readonly visibility?: Value;
  readonly mask?: Value;
  readonly penalised?: { readonly mask: Value; readonly size: number };
  readonly detached: ReadonlySet<Value>;
}

function emitMask(b: GraphBuilder, formulation: Formulation, inputs: ObjectiveInputs, residual: Value): EmittedMask {
  const form = formulation.mask;
  const [, channels, height, width] = inputs.dims;
  const one = b.scalar(1);
  switch (form.form) {
    case 'none':
      return { detached: new Set() };
    case 'given':
      return { visibility: inputs.visibility!, mask: b.Sub(one, inputs.visibility!), detached: new Set() };
    case 'free':
    case 'clipped': {
      const mask = inputs.mask!;
      const size = (form.shared ? 1 : channels) * height * width;
      return { visibility: b.Sub(one, mask), mask, penalised: { mask, size }, detached: new Set() };
    }
    case 'exact': {
      const size = (form.shared ? 1 : channels) * height * width;
      const visibility = emitExactVisibility(b, formulation, inputs, residual, form, size);
      const mask = b.Sub(one, visibility);
      return { visibility, mask, penalised: { mask, size }, detached: new Set([visibility]) };
    }
  }
}

/**
 * k = 1-M at the minimum over M of  sum of rho(k r) + lambda M  in closed form, per pixel, summed over the channels
 * that share the mask:
 *   squared:   k = min(1, lambda / (2 sum r^2))
 *   absolute:  k = 1 where sum |r| <= lambda, else 0
 *   Huber:     see `huberVisibility`
 *   any, over M in {0,1}:  k = 1 where sum rho(r) <= lambda, else 0
 * With a coherent mask lambda is each pixel's own. Feature terms have no part in it: with them M is the minimiser for the
 * pixel term alone.
 */
function emitExactVisibility(
  b: GraphBuilder,
  formulation: Formulation,
  inputs: ObjectiveInputs,
  residual: Value,
  { shared, binary, coherence = 0, loss, missing }: MaskForm & { form: 'exact' },
  size: number,
): Value {
  const pixelTerms = loss ? [loss] : formulation.loss.filter((term) => term.kind !== 'feature');
  if (pixelTerms.length !== 1) {
    throw new RgiError(
      'usage',
      'The exact mask has a closed form for one pixel loss only (l1, l2 or huber): choose one, or the free mask.',
    );
  }
  const [term] = pixelTerms;
  const [batch, channels, height, width] = inputs.dims;
  const reduction = formulation.reduction === 'mean' ? (channels * height * width) / size : 1;
  const fixed = scaled(b, inputs.lambda, reduction / term.weight);
  const scale = inputs.termScales[formulation.loss.indexOf(term)];
  const common = scale === undefined ? fixed : b.Div(fixed, scale);
  const overChannels = (value: Value): Value => (shared && channels > 1 ? b.ReduceSum(value, [1], true) : value);
  const cost = overChannels(rho(b, term, residual));
  const minimiser = (lambda: Value): Value => {
    if (binary || term.kind === 'l1') return b.Cast(b.LessOrEqual(cost, lambda), 'float32');
    // lambda / max(lambda, 2 r^2): the same, and safe at r = 0
    if (term.kind === 'l2') return b.Div(lambda, b.Max(b.Mul(cost, b.scalar(2)), lambda));
    const dims = shared ? inputs.dims : [batch, 1, channels * height, width];
    const visibility = huberVisibility(b, residual, b.Reshape(lambda, [batch, 1, 1, -1]), term.delta, dims);
    return b.Reshape(visibility, [batch, shared ? 1 : channels, height, width]);
  };
  const visibilityOf = (lambda: Value): Value =>
    missing ? b.Mul(inputs.visibility!, minimiser(lambda)) : minimiser(lambda);
  if (coherence === 0) return visibilityOf(common);
  return visibilityOf(coherentLambda(b, common, coherence, inputs.dims, visibilityOf));
}

/**
 * The slope of  sum over c of rho(k r_c)  in k is  sum of min(k r_c^2, delta |r_c|),  concave and piecewise linear: where it
 * does not reach lambda, k = 1. Where it does, the channels S still in the quadratic part at the solution are those of
 * the smallest |r|, and any other such set gives less, so k is the largest of  (lambda - sum outside S of delta |r|) / (sum
 * inside S of r^2)  over the C sets  S_j = {c: |r_c| <= |r_j|}, or 1 if that is more.
 */
function huberVisibility(
  b: GraphBuilder,
  residual: Value,
  lambda: Value,
  delta: number,
  dims: readonly number[],
): Value {
  const [batch, channels, height, width] = dims;
  const magnitude = b.Abs(residual);
  const own = b.Reshape(magnitude, [batch, 1, channels, height * width]);
  const other = b.Reshape(magnitude, [batch, channels, 1, height * width]);
  const inside = b.Cast(b.LessOrEqual(own, other), 'float32');
  const quadratic = b.ReduceSum(b.Mul(inside, b.Mul(own, own)), [2], true);
  const all = b.ReduceSum(own, [2], true);
  const linear = b.Mul(b.Sub(all, b.ReduceSum(b.Mul(inside, own), [2], true)), b.scalar(delta));
  const candidates = b.Div(b.Sub(lambda, linear), b.Max(quadratic, b.scalar(1e-20)));
  const solution = b.Min(b.ReduceMax(candidates, [1], true), b.scalar(1));
  return b.Where(b.LessOrEqual(b.Mul(all, b.scalar(delta)), lambda), b.scalar(1), solution);
}
