/**
 * Maximum a posteriori for the latents: -log p(z) of z ~ N(mean, deviation^2) beside the likelihood of the picture. What a
 * hole hides is decided by the latents that the rest of the picture leaves open, and those by their prior.
 *
 * With residuals of scale v (mean square) or b (mean absolute), the likelihood of n independent values is
 *
 *     sum r^2 / 2v + |z|^2/2  ~  sum r^2 + v |z|^2        sum |r| / b + |z|^2/2  ~  sum |r| + b |z|^2 / 2
 *
 * so that no weight depends on the picture: v and b are measured on the kept residuals at each point of the search, and a picture that the
 * generator can make exactly ends without a prior. As v changes with z, the sum is no function whose gradient is known; with v fixed it is
 * one. So a line search by L-BFGS compares points by the weight of the last accepted one, and continues with the new one's: a fixed point is
 * where it was (iteratively reweighted least squares). But what a generator cannot make is no independent noise: it is wrong in whole
 * patches. A picture counts as `measurements` independent values, whatever its size; both terms are scaled accordingly.
 *
 * That costs what is seen some of its fit, and only what is hidden gains. So once there is a mask, the prior's weight is in proportion to
 * the masked pixels amid masked ones for each that is kept (`Prior`): a pixel whose neighbours are seen is not hidden. The latents count as
 * hidden values, too: of as many as there are values to see, some are always open.
 */
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import { sizeOf } from '../../onnx/tensor.ts';
import type { Generator } from '../generator/generator.ts';
import type { LatentPrior } from '../spec/formulation.ts';
import type { PixelCounts } from './objective.ts';

/** Default of `LatentPrior.measurements`, an order of magnitude: patches of a tenth of a picture's side, in colour and grey. */
const MEASUREMENTS = 128;

/** A picture that is masked almost wholly would leave all to the prior, which would mask the more. */
const MAX_HIDDEN = 1;
/** Largest number of hidden pixels, per pixel of the picture, that the latents count as: as much as its prior before there is a mask. */
const MAX_OPEN = 1 / 4;

/** -log p(z) per image but for its weight, [N]. */
export function latentEnergy(b: GraphBuilder, generator: Generator, batch: number, prior: LatentPrior): Value {
  const { latents, moments, channels, height, width } = generator;
  const energies = latents.map(({ name, dims }) => {
    const { mean, deviation } = moments.get(name)!;
    const deviations = b.Div(b.Sub(name, b.constant(mean)), b.constant(deviation));
    const flat = b.Reshape(deviations, [batch, sizeOf(dims)]);
    return b.ReduceSum(b.Mul(flat, flat), [1], false);
  });
  const { measurements = MEASUREMENTS } = prior;
  const weight = prior.weight * Math.max(1, (channels * height * width) / measurements);
  return b.Mul(
    energies.reduce((a, c) => b.Add(a, c)),
    b.scalar(weight),
  );
}

/** What the prior weighs by the picture at hand, [N]; `noise` [N] is the likelihood's v, or b/2. No gradient passes through it. */
export function latentWeight(
  b: GraphBuilder,
  { latents, channels, height, width }: Generator,
  prior: LatentPrior,
  noise: Value,
  pixels?: PixelCounts,
): Value {
  if (!prior.ofHidden) return noise;
  const values = latents.reduce((sum, { dims }) => sum + sizeOf(dims), 0);
  const unknown = Math.min(values / channels, MAX_OPEN * height * width);
  const odds = b.Div(b.Add(pixels!.hidden, b.scalar(unknown)), b.Max(pixels!.kept, b.scalar(1)));
  return b.Mul(noise, b.Min(odds, b.scalar(MAX_HIDDEN)));
}
