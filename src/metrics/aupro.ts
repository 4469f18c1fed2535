/**
 * Area under the per-region overlap curve (Bergmann et al. 2020): how much of each true region is covered, every region
 * counting the same, against the false positive rate of all good pixels pooled.
 */
import { type Connectivity, connectedComponents } from '../arrays/components.ts';
import { argsort } from '../arrays/sort.ts';
import { RgiError } from '../errors.ts';
import { sameLength } from './overlap.ts';

/** What `aupro` integrates, and what counts as one region. */
export interface AuproOptions {
  /** False positive rate up to which the area is taken, and by which it is divided; in (0,1]. Default 0.3. */
  readonly limit?: number;
  /** Which neighbours make a region: 8 (default) or 4. */
  readonly connectivity?: Connectivity;
}

/**
 * AUPRO of N maps of `height` x `width`, one after another in `scores` and `masks` (1 = defect). The curve has one point
 * per distinct score, starts at (0,0), and is linear between. NaN where there is no region or no good pixel.
 */
export function aupro(
  masks: ArrayLike<number>,
  scores: ArrayLike<number>,
  height: number,
  width: number,
  { limit = 0.3, connectivity = 8 }: AuproOptions = {},
): number {
  sameLength(masks, scores);
  const plane = height * width;
  if (!(limit > 0 && limit <= 1)) throw new RgiError('usage', `The limit of AUPRO lies in (0,1], not ${limit}.`);
  if (masks.length % plane) throw new RgiError('input', `${masks.length} pixels are not maps of ${height} x ${width}.`);
  const binary = new Uint8Array(masks.length);
  for (let i = 0; i < binary.length; i++) binary[i] = masks[i] > 0.5 ? 1 : 0;
  // Each defective pixel's share of its region; the mean over regions is the sum divided by their number.
  const share = new Float64Array(masks.length);
  let regions = 0;
  let negatives = 0;
  for (let start = 0; start < masks.length; start += plane) {
    const one = binary.subarray(start, start + plane);
    const { labels, sizes, count } = connectedComponents(one, height, width, connectivity);
    for (let i = 0; i < plane; i++) if (labels[i]) share[start + i] = 1 / sizes[labels[i]];
    regions += count;
    negatives += sizes[0];
  }
  if (!regions || !negatives) return Number.NaN;
  const order = argsort(scores);
  let area = 0;
  let covered = 0;
  let wrong = 0;
  let [lastRate, lastOverlap] = [0, 0];
  for (let i = order.length - 1; i >= 0; i--) {
    const at = order[i];
    if (share[at]) covered += share[at];
    else wrong++;
    if (i > 0 && scores[order[i - 1]] === scores[at]) continue;
    const rate = wrong / negatives;
    const overlap = covered / regions;
    if (rate >= limit) {
      const t = (limit - lastRate) / (rate - lastRate);
      const atLimit = lastOverlap + t * (overlap - lastOverlap);
      return (area + ((limit - lastRate) * (lastOverlap + atLimit)) / 2) / limit;
    }
    area += ((rate - lastRate) * (lastOverlap + overlap)) / 2;
    [lastRate, lastOverlap] = [rate, overlap];
  }
  return area / limit;
}
