/**
 * Visible regions that masked pixels enclose. A generator may have painted the inside of a stain whose rim was found, and then nothing of it is
 * an outlier; or the rim alone is corrupted. Which of the two it is, the residuals at hand cannot tell: `exact/enclosed.ts` asks for what the
 * rest of the picture says of the region. Here are the regions, and what the law of corrupted pixels and contiguity say of them.
 */
import { type Mask, shapeOf } from '../../../images/image.ts';
import type { InferredCorruption } from './infer-corruption.ts';
import { latticeOf, neighbourMean } from './lattice.ts';

/** A single pixel is decided by what the rest of the picture says of it already (`exact/leave-one-out.ts`). */
const MIN_PIXELS = 2;

/** The pixels of each visible region that masked pixels and nothing else surround, the largest first; steps are to four neighbours. */
export function enclosedRegions(mask: Mask): number[][] {
  const { height, width } = shapeOf(mask);
  const seen = Uint8Array.from(mask.data, (m) => (m > 0.5 ? 1 : 0));
  const regions: number[][] = [];
  for (let start = 0; start < seen.length; start++) {
    if (seen[start] === 1) continue;
    seen[start] = 1;
    const region = [start];
    let isOpen = false;
    // The list grows while it is walked along.
    for (const p of region) {
      const [row, column] = [Math.floor(p / width), p % width];
      if (row === 0 || column === 0 || row === height - 1 || column === width - 1) isOpen = true;
      for (const q of [p - width, p + width, column > 0 ? p - 1 : -1, column < width - 1 ? p + 1 : -1]) {
        if (!(q >= 0 && q < seen.length) || seen[q] === 1) continue;
        seen[q] = 1;
        region.push(q);
      }
    }
    if (!isOpen && region.length >= MIN_PIXELS) regions.push(region);
  }
  return regions.sort((a, b) => b.length - a.length);
}

/**
 * What speaks for the `region` being corrupted, in nats: log p(its values | corrupted), plus the logarithm of the ratio of the Ising
 * pseudo-likelihoods of `mask` with the region and without it.
 */
export function corruptedEvidence(
  {
    corruptedLogDensity,
    parameters: { field, coupling },
  }: Pick<InferredCorruption, 'corruptedLogDensity' | 'parameters'>,
  mask: Mask,
  region: readonly number[],
): number {
  const { height, width } = shapeOf(mask);
  const lattice = latticeOf(height, width);
  const visible = Float64Array.from(mask.data, (m) => (m > 0.5 ? 1 : 0));
  const masked = visible.slice();
  for (const p of region) masked[p] = 1;
  const pseudo = (labels: Float64Array) => {
    const neighbours = neighbourMean(labels, lattice);
    return labels.reduce((sum, m, p) => {
      const odds = field + coupling * neighbours[p];
      return sum - Math.log1p(Math.exp(m > 0.5 ? -odds : odds));
    }, 0);
  };
  const values = region.reduce((sum, p) => sum + corruptedLogDensity.data[p], 0);
  return values + pseudo(masked) - pseudo(visible);
}

/** `mask` with the pixels of `regions`. */
export function withRegions(mask: Mask, regions: readonly (readonly number[])[]): Mask {
  const data = mask.data.slice();
  for (const region of regions) for (const p of region) data[p] = 1;
  return { ...mask, data };
}
