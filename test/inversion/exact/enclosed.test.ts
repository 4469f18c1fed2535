/** Is the inside of a masked rim corrupted? The evidence against Gaussian densities, and a rim about what the rest of a picture foretells or not. */
import { describe, expect, it, test } from 'vitest';
import { choleskyFactor, solveLower } from '../../../src/arrays/cholesky.ts';
import type { Mask } from '../../../src/images/image.ts';
import type { AffineMap } from '../../../src/inversion/generator/affine-map.ts';
import { corruptedEvidence, enclosedRegions, withRegions } from '../../../src/inversion/mask/corruption/enclosed.ts';
import { corruptedRegions, logEvidence } from '../../../src/inversion/solve/exact/enclosed.ts';
import { dataTerms } from '../../../src/inversion/solve/exact/posterior.ts';
import { float32 } from '../../../src/onnx/tensor.ts';
import { randomFrom } from '../../../src/random.ts';

/** A mask of rows of text: # is masked. */
function maskOf(...rows: readonly string[]): Mask {
  return float32(
    rows.flatMap((row) => [...row].map((sign) => (sign === '#' ? 1 : 0))),
    [1, 1, rows.length, rows[0].length],
  );
}

describe('enclosed regions', () => {
  test('are of two pixels or more, the largest first, and none touches the border of the picture', () => {
    const regions = enclosedRegions(
      maskOf(
        '.........', //
        '.###..##.',
        '.#.##.#.#',
        '.#..###..',
        '.####.##.',
        '.#..##...',
        '.####....',
      ),
    );
    expect(regions.map((region) => [...region].sort((a, b) => a - b))).toEqual([
      [20, 29, 30],
      [47, 48],
    ]);
  });

  test('have no rim of missing pixels: a margin says nothing of what it surrounds', () => {
    const mask = maskOf('......', '.####.', '.#..#.', '.####.', '......');
    expect(enclosedRegions(mask, maskOf('......', '.#....', '......', '......', '......'))).toHaveLength(1);
    expect(enclosedRegions(mask, maskOf('......', '.####.', '......', '......', '......'))).toEqual([]);
  });

  test('are masked together', () => {
    const mask = maskOf('....', '.##.', '....');
    expect([...withRegions(mask, [[0, 4], [11]]).data]).toEqual([1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1]);
  });
});

describe('the prior of a masked region', () => {
  const mask = maskOf('......', '.####.', '.#..#.', '.####.', '......');
  const evidence = (field: number, coupling: number) =>
    corruptedEvidence(
      {
        corruptedLogDensity: float32(new Float32Array(30).fill(-0.7), [1, 1, 5, 6]),
        parameters: { theta: [], covariance: [], field, coupling, outlierValues: [], outlierShares: [] },
      },
      mask,
      [14, 15],
    );

  it('of independent pixels is the field for each', () => {
    expect(evidence(-1.5, 0)).toBeCloseTo(2 * (-0.7 - 1.5), 5);
  });

  it('counts pairs of a pixel and a neighbour outside, not those inside', () => {
    // Of two pixels side by side, each has seven of its eight neighbours outside.
    expect(evidence(-2, 4)).toBeCloseTo(2 * (-0.7 - 2 + 4 * (7 / 8)), 5);
  });

  test('speaks against a large region: its field grows with its pixels, its neighbours with its rim', () => {
    const side = 14;
    const rim = (p: number) => Math.max(Math.abs(Math.floor(p / side) - 6.5), Math.abs((p % side) - 6.5)) === 5.5;
    const hole = float32(
      Float32Array.from({ length: side * side }, (_, p) => Number(rim(p))),
      [1, 1, side, side],
    );
    const [region] = enclosedRegions(hole);
    const made = corruptedEvidence(
      {
        corruptedLogDensity: float32(new Float32Array(side * side), [1, 1, side, side]),
        parameters: { theta: [], covariance: [], field: -3, coupling: 8, outlierValues: [], outlierShares: [] },
      },
      hole,
      region,
    );
    expect(region).toHaveLength(100);
    expect(made).toBeLessThan(-150);
  });
});

/** An affine generator of a plane of `side`: `unknowns` smooth waves, of which each value is a sum. */
function waves(side: number, unknowns: number): AffineMap {
  const values = side * side;
  const matrix = Float32Array.from({ length: values * unknowns }, (_, i) => {
    const [p, t] = [Math.floor(i / unknowns), i % unknowns];
    const [y, x] = [Math.floor(p / side) / side, (p % side) / side];
    return 0.2 * Math.cos(Math.PI * (y * Math.floor(t / 3) + x * (t % 3)));
  });
  return { matrix, offset: new Float32Array(values), values, unknowns, latentsOf: () => new Map() } as AffineMap;
}

const gramOf = ({ matrix, values, unknowns }: AffineMap, weights: ArrayLike<number>) => {
  const gram = new Float64Array(unknowns ** 2);
  for (let v = 0; v < values; v++)
    for (let s = 0; s < unknowns; s++)
      for (let t = 0; t < unknowns; t++)
        gram[s * unknowns + t] += weights[v] * matrix[v * unknowns + s] * matrix[v * unknowns + t];
  return gram;
};

it('the evidence is the density of N(b, A A^T + s^2 / W) of what is visible', () => {
  const map = waves(3, 4);
  const random = randomFrom(1);
  const x = Float32Array.from(random.normals(9), (v) => 0.3 * v);
  const weights = Float64Array.of(1, 2, 0, 1, 4, 0, 1, 1, 3);
  const scale = 0.05;
  const visible = [...weights.keys()].filter((v) => weights[v] > 0);
  const covariance = Float64Array.from({ length: visible.length ** 2 }, (_, i) => {
    const [a, b] = [visible[Math.floor(i / visible.length)], visible[i % visible.length]];
    let sum = a === b ? scale / weights[a] : 0;
    for (let t = 0; t < 4; t++) sum += map.matrix[a * 4 + t] * map.matrix[b * 4 + t];
    return sum;
  });
  const factor = choleskyFactor(covariance, visible.length)!;
  const white = solveLower(
    factor,
    visible.length,
    Float64Array.from(visible, (v) => x[v]),
  );
  const density = white.reduce(
    (sum, w, i) => sum - 0.5 * w * w - Math.log(factor[i * visible.length + i]) - 0.5 * Math.log(2 * Math.PI),
    0,
  );
  const precision = weights.map((w) => w / scale);
  const equations = { weights: precision, gram: gramOf(map, precision) };
  expect(logEvidence(4, equations, dataTerms(map, precision, x))).toBeCloseTo(density, 6);
});

describe('inside of a masked rim', () => {
  const [side, scale] = [16, 1e-3];
  const map = waves(side, 9);
  const random = randomFrom(2);
  const u = random.normals(9);
  const mask = float32(
    Float32Array.from({ length: side * side }, (_, p) => {
      const distance = Math.max(Math.abs(Math.floor(p / side) - 8), Math.abs((p % side) - 8));
      return distance === 4 ? 1 : 0;
    }),
    [1, 1, side, side],
  );
  const whole = {
    weights: new Float64Array(side * side).fill(1),
    gram: gramOf(map, new Float64Array(side * side).fill(1)),
  };
  const product = {
    of: async (rows: ArrayLike<number>, weights: Float64Array) => {
      const all = new Float64Array(side * side);
      for (let i = 0; i < rows.length; i++) all[rows[i]] = weights[i];
      return gramOf(map, all);
    },
    picturesOf: async () => new Float32Array(),
    dispose: async () => {},
  };
  const inferred = {
    mask,
    corruptedLogDensity: float32(new Float32Array(side * side).fill(-Math.LN2), [1, 1, side, side]),
    parameters: { theta: [], covariance: [], field: -2, coupling: 4, outlierValues: [], outlierShares: [] },
  };
  /** A picture of the generator with noise, and `added` inside the rim. */
  const picture = (added: number) =>
    Float32Array.from({ length: side * side }, (_, p) => {
      let y = Math.sqrt(scale) * random.normal();
      for (let t = 0; t < 9; t++) y += map.matrix[p * 9 + t] * u[t];
      return y + (Math.max(Math.abs(Math.floor(p / side) - 8), Math.abs((p % side) - 8)) < 4 ? added : 0);
    });
  const found = (added: number, keep?: Mask) =>
    corruptedRegions({ map, product, whole }, picture(added), inferred, { scale, keep });

  test('what the rest of the picture foretells is intact', async () => {
    expect(await found(0)).toEqual([]);
  });

  test('another brightness is corrupted, all of it', async () => {
    const [region, ...others] = await found(0.4);
    expect([region.length, others]).toEqual([49, []]);
  });

  test('but not where a pixel is known to be intact', async () => {
    expect(
      await found(0.4, withRegions(float32(new Float32Array(side * side), [1, 1, side, side]), [[8 * side + 8]])),
    ).toEqual([]);
  });
});
