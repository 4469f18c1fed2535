import { describe, expect, test } from 'vitest';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { batchSize, type Restoration, restoreImages } from '../../src/inversion/solve/restore.ts';
import type { Method } from '../../src/inversion/spec/method.ts';
import { evenBatch } from '../../src/jobs/batches.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { tinyGenerator } from '../support/tiny.ts';

const runtime = nodeRuntime({ threads: 1 });

/** A picture no latent explains: residuals of all sizes. */
const x = float32(
  randomFrom(3)
    .normals(192)
    .map((v) => 0.3 * v),
  [1, 3, 8, 8],
);

async function restored(method: Method): Promise<Restoration> {
  const generator = await openGenerator(tinyGenerator(), runtime);
  for await (const result of restoreImages({ generator, method, images: x, thresholdGrey: 25 }, runtime)) return result;
  throw new Error('nothing was restored');
}

describe('the masks of a restoration', () => {
  const THRESHOLD = 50;
  const options = {
    preset: 'fast',
    channels: 3,
    steps: 30,
    starts: 1,
    pool: 25,
    thresholdGrey: THRESHOLD,
    coherence: 0,
  } as const;

  test('of the absolute loss: the binary one as found, the soft one the squared loss would give at its threshold', async () => {
    const { mask, softMask, restored: y } = await restored(rgi({ ...options, loss: { kind: 'l1', weight: 1 } }));
    const r = Array.from({ length: 64 }, (_, p) =>
      [0, 64, 128].reduce((sum, c) => sum + Math.abs(x.data[c + p] - y.data[c + p]) / 3, 0),
    );
    expect([...mask.data]).toEqual(r.map((value) => (value > THRESHOLD / 127.5 ? 1 : 0)));
    const t = Math.max(...r.filter((_, p) => mask.data[p] === 0));
    r.forEach((value, p) => {
      expect(softMask.data[p]).toBeCloseTo(Math.max(0, 1 - (t / value) ** 2), 5);
    });
    expect(new Set(softMask.data).size).toBeGreaterThan(5);
  });

  test('of the squared loss: as found, and white where more is masked than kept', async () => {
    const { mask, softMask, residual } = await restored(rgi({ ...options, loss: { kind: 'l2', weight: 1 } }));
    residual.data.forEach((r, p) => {
      expect(softMask.data[p]).toBeCloseTo(Math.max(0, 1 - (THRESHOLD / 127.5 / r) ** 2), 4);
    });
    expect([...mask.data]).toEqual([...softMask.data].map((v) => (v > 0.5 ? 1 : 0)));
  });
});

describe('the misfit', () => {
  test('is that of what the mask keeps; a picture of noise is outside of the domain, and not restored', async () => {
    const {
      restored: y,
      mask,
      misfit,
      outOfDomain,
      code,
    } = await restored(rgi({ preset: 'fast', channels: 3, steps: 30, starts: 1, pool: 25 }));
    const kept = [...x.data].flatMap((v, i) => (mask.data[i % 64] > 0 ? [] : [(v - y.data[i]) ** 2]));
    expect(misfit).toBeCloseTo(127.5 * Math.sqrt(kept.reduce((a, v) => a + v, 0) / kept.length), 3);
    expect(outOfDomain).toBe(true);
    expect(code).toBe('not-restored');
  });
});

test.each([
  [8, 16],
  [128, 8],
  [256, 2],
])(
  'of pictures of %i pixels a side %i side by side: as many as memory holds the searches of',
  async (side, expected) => {
    const generator = { ...(await openGenerator(tinyGenerator(), runtime)), height: side, width: side };
    expect(batchSize({ generator, method: rgi({ preset: 'fast', channels: 3 }) })).toBe(expected);
  },
);

test.each([
  [24, 16, 12],
  [70, 16, 14],
  [3, 16, 3],
  [17, 16, 9],
  [5, 1, 1],
  [0, 16, 1],
])('%i pictures, %i together at most: %i at a time, so that few differ', (total, most, size) => {
  expect(evenBatch(total, most)).toBe(size);
});
