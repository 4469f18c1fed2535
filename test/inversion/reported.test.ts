/** What restorations report, in closed form where it follows from their residuals. */
import { describe, expect, it } from 'vitest';
import { composite } from '../../src/images/blend.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { invert } from '../../src/inversion/methods/invert.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { rrgi } from '../../src/inversion/methods/rrgi.ts';
import { type Restoration, restoreImages } from '../../src/inversion/solve/restore.ts';
import type { Method } from '../../src/inversion/spec/method.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { tinyGenerator } from '../support/tiny.ts';

const runtime = nodeRuntime({ threads: 1 });

describe('what a restoration reports', () => {
  const picture = (channels: number) =>
    float32(
      randomFrom(3)
        .normals(channels * 64)
        .map((v) => 0.3 * v),
      [1, channels, 8, 8],
    );

  async function restored(method: Method, channels = 3, images = picture(channels)): Promise<Restoration> {
    const generator = await openGenerator(tinyGenerator(channels), runtime);
    for await (const made of restoreImages({ generator, method, images }, runtime)) return made;
    throw new Error('nothing was restored');
  }

  it('by a method without a mask: pixels whose residual is above 32 grey levels; the fill grows by one pixel', async () => {
    const { softMask, mask, residual, restored: y, composite: filled } = await restored(invert({ steps: 5 }));
    residual.data.forEach((r, p) => {
      expect(softMask.data[p]).toBeCloseTo(Math.max(0, 1 - (32 / 127.5 / r) ** 2), 5);
    });
    const expected = composite(picture(3), y, mask, { grow: 1 });
    expected.data.forEach((v, i) => {
      expect(filled.data[i]).toBeCloseTo(Math.min(1, Math.max(-1, v)), 6);
    });
  });

  it('of one channel, by the absolute loss: how far a pixel is above the largest residual that is kept', async () => {
    const options = { channels: 1, steps: 30, starts: 1, pool: 25, thresholdGrey: 50, coherence: 0 };
    const { mask, softMask, restored: y } = await restored(rgi({ ...options, loss: { kind: 'l1', weight: 1 } }), 1);
    const r = picture(1).data.map((v, p) => Math.abs(v - y.data[p]));
    const t = Math.max(...r.filter((_, p) => mask.data[p] === 0));
    r.forEach((value, p) => {
      expect(softMask.data[p]).toBeCloseTo(Math.max(0, 1 - (t / value) ** 2), 4);
    });
    expect(new Set(softMask.data).size).toBeGreaterThan(5);
  });

  it('of two channels, by the squared loss: the mask that both share', async () => {
    const options = { channels: 2, steps: 30, starts: 1, pool: 25, thresholdGrey: 50, coherence: 0 };
    const { softMask, restored: y } = await restored(rgi(options), 2);
    const x = picture(2).data;
    softMask.data.forEach((m, p) => {
      const square = [p, 64 + p].reduce((sum, i) => sum + (x[i] - y.data[i]) ** 2 / 2, 0);
      expect(m).toBeCloseTo(Math.max(0, 1 - (50 / 127.5) ** 2 / square), 4);
    });
  });

  it.each(['rgi', 'rrgi'] as const)(
    'in seconds: those of the pictures add up to what the run took (%s)',
    async (name) => {
      const images = float32([...picture(3).data, ...picture(3).data], [2, 3, 8, 8]);
      const generator = await openGenerator(tinyGenerator(), runtime);
      // The tuning is what takes the longest.
      const options = { channels: 3, starts: 1, pool: 25, steps: name === 'rgi' ? 40 : 7 };
      const method = name === 'rgi' ? rgi(options) : rrgi({ ...options, weights: ['layer.weight'], weightSteps: 60 });
      const began = performance.now();
      let sum = 0;
      for await (const { seconds } of restoreImages({ generator, method, images }, runtime)) sum += seconds;
      const share = sum / ((performance.now() - began) / 1000);
      expect(share).toBeGreaterThan(0.82);
      expect(share).toBeLessThanOrEqual(1);
    },
  );
});
