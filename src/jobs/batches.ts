/** Sizes of batches. */

/** Items a batch for as few batches of at most `most` as `total` needs, all but the last alike. */
export function evenBatch(total: number, most: number): number {
  return Math.max(1, Math.ceil(total / Math.max(1, Math.ceil(total / most))));
}
