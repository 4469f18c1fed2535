/** Seeded random numbers: the same seed gives the same draws on every platform. */

export interface Random {
  /** Uniform on [0,1). */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
  /** Uniform integer of [0, below). */
  integer(below: number): number;
  /** `count` distinct integers of [0, below), in random order. */
  sample(count: number, below: number): Uint32Array;
  /** `count` standard normal values. */
  normals(count: number): Float32Array;
}

/** xoshiro128** (Blackman and Vigna 2018), seeded by splitmix32; normals by the polar method of Marsaglia. */
export function randomFrom(seed: number): Random {
  let s = seed >>> 0;
  const splitmix = () => {
    s = (s + 0x9e3779b9) >>> 0;
    let t = s ^ (s >>> 16);
    t = Math.imul(t, 0x21f0aaad);
    t ^= t >>> 15;
    t = Math.imul(t, 0x735a2d97);
    return (t ^ (t >>> 15)) >>> 0;
  };
  let [a, b, c, d] = [splitmix(), splitmix(), splitmix(), splitmix()];
  const rotate = (x: number, k: number) => ((x << k) | (x >>> (32 - k))) >>> 0;
  const next = () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotate(d, 11);
    return result;
  };
  // 53 bits, so that tails of normals are not cut.
  const uniform = () => ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992;
  let kept: number | undefined;
  const normal = () => {
    if (kept !== undefined) {
      const value = kept;
      kept = undefined;
      return value;
    }
    for (;;) {
      const u = 2 * uniform() - 1;
      const v = 2 * uniform() - 1;
      const r = u * u + v * v;
      if (r === 0 || r >= 1) continue;
      const scale = Math.sqrt((-2 * Math.log(r)) / r);
      kept = v * scale;
      return u * scale;
    }
  };
  const integer = (below: number) => Math.floor(uniform() * below);
  return {
    uniform,
    normal,
    integer,
    sample(count, below) {
      const all = Uint32Array.from({ length: below }, (_, i) => i);
      for (let i = 0; i < count; i++) {
        const j = i + integer(below - i);
        [all[i], all[j]] = [all[j], all[i]];
      }
      return all.slice(0, count);
    },
    normals: (count) => Float32Array.from({ length: count }, normal),
  };
}

/** An independent stream per image and role: image `index` draws the same alone as in any batch. */
export function streamOf(seed: number, index: number, role: number): Random {
  return randomFrom((seed ^ Math.imul(index + 1, 0x7feb352d) ^ Math.imul(role, 0x846ca68b)) >>> 0);
}
