/**
 * Is the inside of a masked rim corrupted? For a generator that is affine in its latents the likelihood of a region R given the rest of the
 * picture has a closed form: with Z = p(x) of what is visible, u summed out,
 *
 *     log p(x_R | rest) = log Z(all) - log Z(rest),
 *     log Z = -1/2 (energy + sum log(2 pi s^2 / W) + log det(A^T W A / s^2 + I))
 *
 * at the scale of the noise s^2 of all that is visible. Where corruption and its contiguity make the region more probable than that, it is masked.
 */
import { choleskySolve } from '../../../arrays/cholesky.ts';
import { dot, quadraticForm } from '../../../arrays/vectors.ts';
import { type Mask, visibilityOf } from '../../../images/image.ts';
import type { AffineMap } from '../../generator/affine-map.ts';
import { corruptedEvidence, enclosedRegions, withRegions } from '../../mask/corruption/enclosed.ts';
import { type Equations, equationsAt, type GramProduct } from './normal-equations.ts';
import { type DataTerms, dataTerms, factored } from './posterior.ts';

/** Most regions that are examined, the largest first: each takes a factorisation. */
const MAX_REGIONS = 4;

/** An affine generator and its equations. */
export interface AffineProblem {
  readonly map: AffineMap;
  readonly product: GramProduct;
  /** The equations of a whole picture. */
  readonly whole: Equations;
}

/** Of a picture x [values]: the enclosed regions of `mask` that are likelier corrupted; those with a pixel of `keep` are not. */
export async function corruptedRegions(
  { map, product, whole }: AffineProblem,
  x: Float32Array,
  mask: Mask,
  inferred: Parameters<typeof corruptedEvidence>[0],
  { scale, keep }: { readonly scale: number; readonly keep?: Mask },
): Promise<number[][]> {
  const regions = enclosedRegions(mask)
    .filter((region) => !keep || region.every((p) => keep.data[p] < 0.5))
    .slice(0, MAX_REGIONS);
  if (regions.length === 0) return [];
  const at = async (hidden: Mask, before?: { equations: Equations; terms: DataTerms }) => {
    const plane = hidden.data.length;
    const visibility = visibilityOf(hidden);
    const weights = whole.weights.map((w, i) => w * visibility.data[i % plane]);
    const equations = await equationsAt(product, [...(before ? [before.equations] : []), whole], weights);
    const terms = dataTerms(map, weights, x, before && { weights: before.equations.weights, terms: before.terms });
    return { equations, terms, logZ: logEvidence(map.unknowns, equations, terms, scale) };
  };
  const all = await at(mask);
  const corrupted: number[][] = [];
  for (const region of regions) {
    const rest = await at(withRegions(mask, [region]), all);
    if (all.logZ - rest.logZ < corruptedEvidence(inferred, mask, region)) corrupted.push(region);
  }
  return corrupted;
}

/** log Z. */
export function logEvidence(
  unknowns: number,
  { gram, weights }: Equations,
  { right, square }: Pick<DataTerms, 'right' | 'square'>,
  scale: number,
): number {
  const factor = factored(gram, unknowns, scale);
  const u = choleskySolve(factor, unknowns, right);
  const misfit = Math.max(0, square - 2 * dot(u, right) + quadraticForm(gram, u));
  let sum = misfit / scale + dot(u, u) - unknowns * Math.log(scale);
  for (let t = 0; t < unknowns; t++) sum += 2 * Math.log(factor[t * unknowns + t]);
  for (const w of weights) if (w > 0) sum += Math.log((2 * Math.PI * scale) / w);
  return -0.5 * sum;
}
