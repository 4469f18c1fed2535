/**
 * Is the inside of a masked rim corrupted? For a generator that is affine in its latents the likelihood of a region R given the rest of the
 * picture has a closed form: with Z = p(x) of what is visible, u ~ N(0, I) summed out, W the precisions of the values, and s^2 the scale of the noise
 * of all that is visible,
 *
 *     log p(x_R | rest) = log Z(all) - log Z(rest),
 *     log Z = -1/2 (energy + sum log(2 pi s^2 / W) + log det(A^T W A / s^2 + I))
 *
 * Where corruption and its contiguity make the region more probable than that, it is masked. The noise is Gaussian here: with the precisions that
 * Student's t expects, what G has painted amiss counts as tails, and corrupted insides are not told from intact ones (docs/dropped.md).
 */
import { choleskySolve } from '../../../arrays/cholesky.ts';
import { dot } from '../../../arrays/vectors.ts';
import type { Mask } from '../../../images/image.ts';
import type { AffineMap } from '../../generator/affine-map.ts';
import { corruptedEvidence, enclosedRegions, withRegions } from '../../mask/corruption/enclosed.ts';
import type { InferredCorruption } from '../../mask/corruption/infer-corruption.ts';
import { type Equations, equationsAt, type GramProduct } from './normal-equations.ts';
import { type DataTerms, dataTerms, factored, misfitAt } from './posterior.ts';

/** Most regions that are examined, the largest first: each takes a Gram product of its pixels and a factorisation. */
const MAX_REGIONS = 4;

/** An affine generator and its equations. */
export interface AffineProblem {
  readonly map: AffineMap;
  readonly product: GramProduct;
  /** The equations of a whole picture. */
  readonly whole: Equations;
}

/** What is known of a picture. */
export interface Known {
  /** s^2. */
  readonly scale: number;
  readonly missing?: Mask;
  readonly keep?: Mask;
}

/** Of a picture x [values]: the enclosed regions of its mask that are likelier corrupted; those with a pixel of `keep` are not. */
export async function corruptedRegions(
  { map, product, whole }: AffineProblem,
  x: Float32Array,
  inferred: Pick<InferredCorruption, 'mask' | 'corruptedLogDensity' | 'parameters'>,
  { scale, missing, keep }: Known,
): Promise<number[][]> {
  const { mask } = inferred;
  const regions = enclosedRegions(mask, missing)
    .filter((region) => !keep || region.every((p) => keep.data[p] < 0.5))
    .slice(0, MAX_REGIONS);
  if (regions.length === 0) return [];
  const at = async (hidden: Mask, before?: { equations: Equations; terms: DataTerms }) => {
    const plane = hidden.data.length;
    const weights = whole.weights.map((w, i) => (hidden.data[i % plane] > 0.5 ? 0 : w / scale));
    const equations = await equationsAt(product, [before?.equations ?? whole], weights);
    const terms = dataTerms(map, weights, x, before && { weights: before.equations.weights, terms: before.terms });
    return { equations, terms, logZ: logEvidence(map.unknowns, equations, terms) };
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
  terms: Pick<DataTerms, 'right' | 'square'>,
): number {
  const factor = factored(gram, unknowns, 1);
  const u = choleskySolve(factor, unknowns, terms.right);
  let sum = misfitAt(u, gram, terms) + dot(u, u);
  for (let t = 0; t < unknowns; t++) sum += 2 * Math.log(factor[t * unknowns + t]);
  for (const w of weights) if (w > 0) sum += Math.log((2 * Math.PI) / w);
  return -0.5 * sum;
}
