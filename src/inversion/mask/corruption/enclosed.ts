/**
 * Visible regions that masked pixels enclose. A generator may have painted the inside of a stain whose rim was found, and then nothing of it is
 * an outlier; or the rim alone is corrupted. Which of the two it is, the residuals at hand cannot tell: `exact/enclosed.ts` asks for what the
 * rest of the picture says of the region. Here are the regions, and what the law of corrupted pixels and contiguity say of them.
 */
import { connectedComponents } from '../../../arrays/components.ts';
import { type Mask, shapeOf } from '../../../images/image.ts';
import type { InferredCorruption } from './infer-corruption.ts';
import { latticeOf, neighbourMean } from './lattice.ts';

/** A single pixel is decided by what the rest of the picture says of it already (`exact/leave-one-out.ts`). */
const MIN_PIXELS = 2;

/**
 * The pixels of each visible region that masked pixels and nothing else surround, the largest first; steps are to four neighbours. What is
 * `missing` is no rim: a margin or a transparent ground says nothing of what it surrounds.
 */
export function enclosedRegions(mask: Mask, missing?: Mask): number[][] {
  const { height, width } = shapeOf(mask);
  const { labels, count } = connectedComponents(
    mask.data.map((m) => 1 - m),
    height,
    width,
    4,
  );
  const regions = Array.from({ length: count + 1 }, (): number[] => []);
  const open = new Set([0]);
  labels.forEach((label, p) => {
    regions[label].push(p);
    const [row, column] = [Math.floor(p / width), p % width];
    const atBorder = row === 0 || column === 0 || row === height - 1 || column === width - 1;
    if (atBorder || [p - width, p - 1, p + 1, p + width].some((q) => missing && missing.data[q] > 0.5)) open.add(label);
  });
  return regions
    .filter((region, label) => !open.has(label) && region.length >= MIN_PIXELS)
    .sort((a, b) => b.length - a.length);
}

/**
 * What speaks for the `region` being corrupted, in nats: log p(its values | corrupted), plus the log odds of the Ising model that the whole region
 * is masked. Pairs inside of it agree either way; what counts is the field, and the neighbours outside.
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
  const outside = Float64Array.from(mask.data, (m) => (m > 0.5 ? 1 : 0));
  for (const p of region) outside[p] = 0.5;
  const agreement = neighbourMean(outside, latticeOf(height, width));
  return region.reduce((sum, p) => sum + corruptedLogDensity.data[p] + field + coupling * agreement[p], 0);
}

/** `mask` with the pixels of `regions`. */
export function withRegions(mask: Mask, regions: readonly (readonly number[])[]): Mask {
  const data = mask.data.slice();
  for (const region of regions) for (const p of region) data[p] = 1;
  return { ...mask, data };
}
