/**
 * StyleGAN2's noise regularisation (Karras et al., "Analyzing and improving the image quality of StyleGAN", CVPR 2020, appendix D): noise images
 * that are searched should stay white, or the picture hides in them. For each noise image n and each of its scales of r x r values,
 *
 *     sum over both axes of ( 1/r^2 sum n(x, y) n(x - 1, y) )^2,
 *
 * wrapped at the borders. The next scale is the mean of 2 x 2 values times 2, which keeps the variance of white noise; 8 x 8 is the last.
 * StyleGAN2 also renormalises each noise image after every step; this is left out, so the term falls, too, where the noise shrinks.
 */
import { RgiError } from '../../errors.ts';
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import type { Latent } from '../generator/generator.ts';

/** The side of the coarsest scale. */
const MIN_SIDE = 8;

/** Sum of the squared autocorrelations of all noise images among `latents`, [N]. Throws `usage` where there is none. */
export function noiseCorrelation(b: GraphBuilder, latents: readonly Latent[], batch: number): Value {
  const images = latents.filter(({ dims }) => isRegularised(dims));
  if (images.length === 0)
    throw new RgiError(
      'usage',
      'The noise prior needs noise images [1, H, W] of 8 x 8 values or more among the latents: name such inputs by --latent.',
    );
  const terms = images.flatMap(({ name, dims }) => ofImage(b, name, batch, dims[1], dims[2]));
  return terms.reduce((sum, term) => b.Add(sum, term));
}

/** One value per place, the same for every channel. */
function isRegularised(dims: readonly number[]): boolean {
  return dims.length === 3 && dims[0] === 1 && Math.min(dims[1], dims[2]) >= MIN_SIDE;
}

/** The terms of all scales of one noise image [batch, 1, height, width]. */
function ofImage(b: GraphBuilder, image: Value, batch: number, height: number, width: number): Value[] {
  const own = [
    [2, height],
    [3, width],
  ].map(([axis, length]) => {
    const shifted = b.Concat(
      [b.Slice(image, [length - 1], [length], [axis]), b.Slice(image, [0], [length - 1], [axis])],
      axis,
    );
    const correlation = b.ReduceMean(b.Mul(image, shifted), [1, 2, 3], false);
    return b.Mul(correlation, correlation);
  });
  if (Math.min(height, width) < 2 * MIN_SIDE || height % 2 !== 0 || width % 2 !== 0) return own;
  const blocks = b.Reshape(image, [batch, 1, height / 2, 2, width / 2, 2]);
  const coarser = b.Mul(b.ReduceMean(blocks, [3, 5], false), b.scalar(2));
  return [...own, ...ofImage(b, coarser, batch, height / 2, width / 2)];
}
