/** Metrics against closed forms, brute force and their invariances. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { argsort } from '../../src/arrays/sort.ts';
import {
  aupro,
  auroc,
  averagePrecision,
  confusion,
  connectedComponents,
  dice,
  diceAtThresholds,
  iou,
  oracleDice,
  paperDice,
  psnr,
  psnrMinMaxScaled,
  ssim,
} from '../../src/metrics/index.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';

const SIDE = 16;
const noise = (seed: number, channels = 3) =>
  float32(randomFrom(seed).normals(channels * SIDE * SIDE), [channels, SIDE, SIDE]);
const mapped = (t: ReturnType<typeof noise>, f: (v: number) => number) => float32(t.data.map(f), t.dims);
const labelled = fc
  .integer({ min: 2, max: 60 })
  .chain((n) =>
    fc.tuple(
      fc.array(fc.integer({ min: 0, max: 1 }), { minLength: n, maxLength: n }),
      fc.array(fc.integer({ min: -4, max: 4 }), { minLength: n, maxLength: n }),
    ),
  );

describe('sorting', () => {
  const special = [0, -0, 1, -1, 1e-40, -1e-40, 3.4e38, -3.4e38, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  it('orders float32 and float64 of every sign and size, stably', () => {
    for (const make of [
      (v: number[]) => Float32Array.from(v),
      (v: number[]) => Float64Array.from(v),
      (v: number[]) => v,
    ]) {
      fc.assert(
        fc.property(
          fc.array(fc.oneof(fc.constantFrom(...special), fc.double({ noNaN: true })), { maxLength: 200 }),
          (v) => {
            const values = make(v);
            const wanted = v
              .map((_, i) => i)
              .sort((i, j) => (values[i] === values[j] ? i - j : values[i] < values[j] ? -1 : 1));
            expect(Array.from(argsort(values))).toEqual(wanted);
          },
        ),
      );
    }
  });

  it('refuses NaN, naming its place', () => {
    expect(() => argsort(Float32Array.of(1, Number.NaN))).toThrowErrorMatchingInlineSnapshot(
      `[RgiError: The score at position 1 is not a number (NaN).]`,
    );
  });
});

describe('fidelity', () => {
  it('PSNR of a constant offset d is 20 log10(range / d)', () => {
    const a = noise(1);
    expect(
      psnr(
        a,
        mapped(a, (v) => v + 0.5),
        2,
      ),
    ).toBeCloseTo(20 * Math.log10(4), 5);
  });

  it('PSNR and SSIM are symmetric, and unchanged by scaling images and range together', () => {
    const [a, b] = [noise(1), noise(2)];
    const half = (t: typeof a) => mapped(t, (v) => v / 2);
    for (const metric of [psnr, ssim]) {
      expect(metric(a, b, 2)).toBeCloseTo(metric(b, a, 2), 12);
      expect(metric(half(a), half(b), 1)).toBeCloseTo(metric(a, b, 2), 12);
    }
  });

  it('the min-max variant does not see brightness or contrast, the standard one does', () => {
    const a = noise(1);
    const b = mapped(a, (v) => 0.25 * v + 0.5);
    expect(psnrMinMaxScaled(a, b)).toBeGreaterThan(120);
    expect(psnr(a, b)).toBeLessThan(10);
  });

  it('SSIM of two constants is the luminance term alone', () => {
    const [p, q, c1] = [0.2, 0.6, 0.02 ** 2];
    const flat = (v: number) => float32(new Float32Array(256).fill(v), [1, 16, 16]);
    expect(ssim(flat(p), flat(q), 2)).toBeCloseTo((2 * p * q + c1) / (p * p + q * q + c1), 6);
  });

  it('refuses pictures of two shapes, batches, and pictures below 11 pixels for SSIM', () => {
    expect(() => psnr(noise(1), noise(1, 1))).toThrowErrorMatchingInlineSnapshot(
      `[RgiError: Two pictures of one shape [C,H,W] are compared, not [3, 16, 16] with [1, 16, 16].]`,
    );
    const batch = float32(new Float32Array(8), [2, 1, 2, 2]);
    expect(() => psnr(batch, batch)).toThrowErrorMatchingInlineSnapshot(
      `[RgiError: Two pictures of one shape [C,H,W] are compared, not [2, 1, 2, 2] with [2, 1, 2, 2].]`,
    );
    const small = float32(new Float32Array(100), [1, 10, 10]);
    expect(() => ssim(small, small)).toThrowErrorMatchingInlineSnapshot(
      `[RgiError: SSIM needs pictures of at least 11 x 11 pixels, not 10 x 10.]`,
    );
  });
});

describe('overlap', () => {
  it('Dice = 2 IoU / (1 + IoU); counts add up', () => {
    fc.assert(
      fc.property(labelled, ([truth, other]) => {
        const predicted = other.map((v) => (v > 0 ? 255 : 0));
        const j = iou(truth, predicted);
        expect(dice(truth, predicted)).toBeCloseTo((2 * j) / (1 + j), 12);
        expect(Object.values(confusion(truth, predicted)).reduce((a, b) => a + b)).toBe(truth.length);
      }),
    );
  });
});

describe('ranking', () => {
  it('AUROC is the share of pairs in order, ties half', () => {
    fc.assert(
      fc.property(labelled, ([labels, scores]) => {
        let pairs = 0;
        let won = 0;
        labels.forEach((p, i) => {
          labels.forEach((n, j) => {
            if (p !== 1 || n !== 0) return;
            pairs++;
            won += scores[i] > scores[j] ? 1 : scores[i] === scores[j] ? 0.5 : 0;
          });
        });
        if (pairs) expect(auroc(labels, scores)).toBeCloseTo(won / pairs, 12);
        else expect(auroc(labels, scores)).toBeNaN();
      }),
    );
  });

  it('rising functions of the score, and the order of the pixels, change nothing', () => {
    fc.assert(
      fc.property(labelled, ([labels, scores]) => {
        const risen = Float32Array.from(scores, (v) => Math.exp(v / 2));
        for (const metric of [auroc, averagePrecision, (l: number[], s: ArrayLike<number>) => oracleDice(l, s).dice]) {
          expect(metric(labels, risen)).toBe(metric(labels, scores));
          expect(metric([...labels].reverse(), [...scores].reverse())).toBe(metric(labels, scores));
        }
      }),
    );
  });

  it('reversed scores give 1 - AUROC', () => {
    fc.assert(
      fc.property(labelled, ([labels, scores]) => {
        const area = auroc(labels, scores);
        if (Number.isNaN(area)) return;
        expect(
          auroc(
            labels,
            scores.map((v) => -v),
          ),
        ).toBeCloseTo(1 - area, 12);
      }),
    );
  });

  it('Dice over thresholds equals Dice of each thresholded map, and the oracle is the best of them', () => {
    fc.assert(
      fc.property(labelled, ([labels, scores]) => {
        const thresholds = [3, -9, 0, 0.5, 9, -4];
        const wanted = thresholds.map((t) =>
          dice(
            labels,
            scores.map((v) => (v >= t ? 1 : 0)),
          ),
        );
        expect(Array.from(diceAtThresholds(labels, scores, thresholds))).toEqual(wanted);
        const best = oracleDice(labels, scores);
        expect(best.dice).toBe(
          dice(
            labels,
            scores.map((v) => (v >= best.threshold ? 1 : 0)),
          ),
        );
        expect(best.dice).toBe(Math.max(...diceAtThresholds(labels, scores, [...scores, Number.POSITIVE_INFINITY])));
      }),
    );
  });

  it("the paper's Dice scales each map to [0,1] and tries 101 thresholds", () => {
    expect(paperDice([0, 0, 1, 1], [10, 20, 30, 40])).toBe(1);
    expect(paperDice([0, 1], [100.001, 100.002])).toBe(1);
    // Above a far outlier everything else falls into the lowest hundredth.
    expect(paperDice([0, 0, 1, 1], [0, 0.001, 0.002, 1])).toBe(2 / 3);
  });

  it('five million pixels take seconds, not minutes', () => {
    const n = 5_000_000;
    const random = randomFrom(3);
    const scores = new Float32Array(n).map(() => random.uniform());
    const labels = new Uint8Array(n).map((_, i) => (scores[i] + random.uniform() > 1.5 ? 1 : 0));
    // The processor's time: others may use the machine.
    const start = process.cpuUsage();
    const area = auroc(labels, scores);
    expect(process.cpuUsage(start).user / 1e6).toBeLessThan(10);
    // Positives have density 8 (s - 1/2) on (1/2, 1], all scores density 1; of negatives below s: (s - (s - 1/2)^2 / 2) / (7/8).
    let exact = 0;
    for (let k = 0; k < 1000; k++) {
      const s = 0.5 + (k + 0.5) / 2000;
      exact += (8 * (s - 0.5) * (s - (s - 0.5) ** 2 / 2)) / (7 / 8) / 2000;
    }
    expect(area).toBeCloseTo(exact, 2);
  });
});

describe('regions', () => {
  it('4- and 8-connected regions of a drawn map', () => {
    const rows = ['1.1..', '1.11.', '.1...', '....1', '111.1'];
    const mask = rows
      .join('')
      .split('')
      .map((c) => (c === '1' ? 1 : 0));
    expect(Array.from(connectedComponents(mask, 5, 5, 8).sizes)).toEqual([14, 6, 2, 3]);
    expect(Array.from(connectedComponents(mask, 5, 5, 4).sizes)).toEqual([14, 2, 3, 1, 2, 3]);
  });

  it('agrees with flood filling', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 63, maxLength: 63 }),
        fc.constantFrom(4, 8),
        (m, c) => {
          const { labels, count, sizes } = connectedComponents(m, 7, 9, c === 4 ? 4 : 8);
          const filled = new Array<number>(63).fill(0);
          let regions = 0;
          const fill = (y: number, x: number): void => {
            if (y < 0 || x < 0 || y > 6 || x > 8 || !m[y * 9 + x] || filled[y * 9 + x]) return;
            filled[y * 9 + x] = regions;
            for (let dy = -1; dy < 2; dy++)
              for (let dx = -1; dx < 2; dx++) if (c === 8 || !dy || !dx) fill(y + dy, x + dx);
          };
          m.forEach((v, i) => {
            if (!v || filled[i]) return;
            regions++;
            fill(Math.floor(i / 9), i % 9);
          });
          expect(Array.from(labels)).toEqual(filled);
          expect(count).toBe(regions);
          expect(sizes.reduce((a, b) => a + b)).toBe(63);
        },
      ),
    );
  });

  it('AUPRO: a map equal to the mask scores 1, a constant map limit / 2, and no region gives NaN', () => {
    const mask = Float32Array.from({ length: 2 * 12 * 12 }, (_, i) => (i % 12 < 3 ? 1 : 0));
    expect(aupro(mask, mask, 12, 12)).toBeCloseTo(1, 12);
    expect(aupro(mask, new Float32Array(mask.length), 12, 12, { limit: 0.3 })).toBeCloseTo(0.15, 12);
    expect(aupro(new Uint8Array(144), new Float32Array(144), 12, 12)).toBeNaN();
  });

  it('AUPRO of one region up to 1 is the AUROC', () => {
    const scores = randomFrom(5).normals(400);
    const mask = Uint8Array.from({ length: 400 }, (_, i) => (i % 20 < 6 ? 1 : 0));
    expect(aupro(mask, scores, 20, 20, { limit: 1 })).toBeCloseTo(auroc(mask, scores), 12);
  });
});
