/**
 * Corruption of single pixels, independent of their neighbours (impulse noise): that a pixel is connected to an outlier is no evidence
 * there. But the residuals of the intact and of the corrupted pixels are two heaps, and the valley between them tells them apart.
 */
import { type Image, type Mask, shapeOf } from '../../images/image.ts';

/**
 * Half of the neighbours differ where half of the pixels are independently corrupted; of regions, lines and letters far fewer do
 * (along lines). In small pictures it has to be more, by three standard deviations of chance.
 */
const INDEPENDENT = 0.3;
const CHANCE = 1.5;

const BINS = 12;
const SMOOTHED = 2;
/** Beyond a valley the histogram is higher by this factor. */
const RISE = 1.5;

/**
 * Is of so many pairs of neighbours one above `sure` and the other not, all over the map [1,1,H,W], beside and above each other? Pixels that
 * are `missing` do not count.
 */
export function isIndependent(residual: Image, sure: number, missing?: Mask): boolean {
  const { width } = shapeOf(residual);
  const isSeen = (p: number) => missing === undefined || missing.data[p] < 0.5;
  const differ = (offset: number, hasNeighbour: (p: number) => boolean): boolean => {
    let [pairs, differing] = [0, 0];
    for (let p = 0; p < residual.data.length - offset; p++) {
      if (!hasNeighbour(p) || !isSeen(p) || !isSeen(p + offset)) continue;
      pairs++;
      if (residual.data[p] > sure !== residual.data[p + offset] > sure) differing++;
    }
    return differing > INDEPENDENT * pairs + CHANCE * Math.sqrt(pairs);
  };
  return differ(1, (p) => (p + 1) % width > 0) && differ(width, () => true);
}

/**
 * The valley of the residuals' histogram between `least` and `sure`; undefined where it does not rise again, as far beyond `sure`: of one
 * channel, corrupted values may be as near to the true ones as any.
 */
export function valleyOf({ data }: Image, least: number, sure: number): number | undefined {
  const counts = new Float32Array(2 * BINS);
  for (const r of data) {
    const bin = Math.floor((BINS * (r - least)) / (sure - least));
    if (bin >= 0 && bin < counts.length) counts[bin]++;
  }
  const smooth = counts.map((_, bin) => {
    let sum = 0;
    for (let k = bin - SMOOTHED; k <= bin + SMOOTHED; k++) sum += counts[Math.min(counts.length - 1, Math.max(0, k))];
    return sum;
  });
  const bottom = smooth.indexOf(Math.min(...smooth.subarray(0, BINS)));
  if (Math.max(...smooth.subarray(bottom)) <= RISE * smooth[bottom]) return undefined;
  return least + ((bottom + 0.5) / BINS) * (sure - least);
}
