/** Sorting millions of scores: least-significant-digit radix sort of the numbers' bit patterns. */
import { RgiError } from '../errors.ts';

/**
 * The positions of `values` in ascending order of value, stable. Float32 arrays take two counting passes, others (as
 * float64) four. Throws `input` where a value is NaN; infinities are ordered.
 */
export function argsort(values: ArrayLike<number>): Uint32Array {
  const words = values instanceof Float32Array ? float32Keys(values) : float64Keys(values);
  const n = values.length;
  let order = new Uint32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  let next = new Uint32Array(n);
  const counts = new Uint32Array(65537);
  for (const keys of words) {
    for (const shift of [0, 16]) {
      counts.fill(0);
      for (let i = 0; i < n; i++) counts[((keys[i] >>> shift) & 0xffff) + 1]++;
      for (let d = 1; d < 65536; d++) counts[d] += counts[d - 1];
      for (let i = 0; i < n; i++) {
        const at = order[i];
        next[counts[(keys[at] >>> shift) & 0xffff]++] = at;
      }
      [order, next] = [next, order];
    }
  }
  return order;
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
