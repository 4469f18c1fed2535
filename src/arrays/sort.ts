/** Sorting millions of scores: least-significant-digit radix sort of the numbers' bit patterns; quantiles of what is sorted. */
import { RgiError } from '../errors.ts';

/**
 * The positions of `values` in ascending order of value, stable. Float32 arrays take two counting passes, others (as
 * float64) four. Throws `input` where a value is NaN; infinities are ordered.
 */
export function argsort(values: ArrayLike<number>): Uint32Array {
  const n = values.length;
  const order = new Uint32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  const [first, ...others] = values instanceof Float32Array ? float32Keys(values) : float64Keys(values);
  let sorted = sortByWord(order, first);
  for (const word of others) {
    const keys = new Uint32Array(n);
    for (let i = 0; i < n; i++) keys[i] = word[sorted[i]];
    sorted = sortByWord(sorted, keys);
  }
  return sorted;
}

/** Positions sorted by `keys`, which stand in the same order as them; both arrays are used up. */
function sortByWord(order: Uint32Array, keys: Uint32Array): Uint32Array {
  const n = keys.length;
  // Digits of 16 bits: two passes, keys carried along so that every read is in sequence.
  let positions = order;
  let words = keys;
  let nextPositions: Uint32Array = new Uint32Array(n);
  let nextWords: Uint32Array = new Uint32Array(n);
  for (const shift of [0, 16]) {
    const starts = new Uint32Array(65537);
    for (let i = 0; i < n; i++) starts[((words[i] >>> shift) & 0xffff) + 1]++;
    for (let d = 1; d < 65536; d++) starts[d] += starts[d - 1];
    for (let i = 0; i < n; i++) {
      const to = starts[(words[i] >>> shift) & 0xffff]++;
      nextPositions[to] = positions[i];
      nextWords[to] = words[i];
    }
    [positions, nextPositions] = [nextPositions, positions];
    [words, nextWords] = [nextWords, words];
  }
  return positions;
}

// IEEE 754 numbers order like their bits once negative ones are complemented and the sign of the others is set;
// adding 0 first makes -0 the same as 0.
function float32Keys(values: Float32Array): Uint32Array[] {
  const floats = new Float32Array(values.length);
  for (let i = 0; i < floats.length; i++) floats[i] = checked(values[i], i) + 0;
  const keys = new Uint32Array(floats.buffer);
  for (let i = 0; i < keys.length; i++) keys[i] ^= keys[i] >>> 31 ? 0xffffffff : 0x80000000;
  return [keys];
}

/** Low and high words. */
function float64Keys(values: ArrayLike<number>): Uint32Array[] {
  const floats = new Float64Array(values.length);
  for (let i = 0; i < floats.length; i++) floats[i] = checked(values[i], i) + 0;
  const bits = new Uint32Array(floats.buffer);
  const low = new Uint32Array(values.length);
  const high = new Uint32Array(values.length);
  for (let i = 0; i < low.length; i++) {
    const negative = bits[2 * i + 1] >>> 31;
    low[i] = bits[2 * i] ^ (negative ? 0xffffffff : 0);
    high[i] = bits[2 * i + 1] ^ (negative ? 0xffffffff : 0x80000000);
  }
  return [low, high];
}

function checked(value: number, i: number): number {
  if (Number.isNaN(value)) throw new RgiError('input', `The score at position ${i} is not a number (NaN).`);
  return value;
}

/** Quantile p in [0,1] of values in rising order, linear between the order statistics (type 7 of Hyndman and Fan 1996). */
export function quantile(sorted: ArrayLike<number>, p: number): number {
  const at = p * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}

/** The middle value, or the mean of the two middle ones. */
export function median(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort();
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}
