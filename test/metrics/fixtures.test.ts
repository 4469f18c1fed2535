/** Every metric against scikit-image and scikit-learn, to 1e-10. */
import { describe, expect, it } from 'vitest';
import { aupro, auroc, averagePrecision, dice, iou, psnr, ssim } from '../../src/metrics/index.ts';
import type { Tensor } from '../../src/onnx/tensor.ts';
import { hasShared, sharedJson, sharedNpz, withShared } from '../support/shared.ts';

interface Expected {
  readonly image: Record<string, { data_range: number; psnr: number | 'Infinity'; ssim: number }>;
  readonly ranking: Record<string, { roc_auc: number; average_precision: number }>;
  readonly dice: Record<string, { dice: number }>;
  readonly aupro: Record<string, Record<string, number>>;
}

const TOLERANCE = 1e-10;

describe.skipIf(!hasShared)(withShared('metrics agree with scikit-image and scikit-learn'), () => {
  const arrays = hasShared ? sharedNpz('fixtures', 'metrics', 'metrics.npz') : new Map<string, Tensor>();
  const expected = hasShared ? sharedJson<Expected>('fixtures', 'metrics', 'metrics.json') : ({} as Expected);
  const picture = (key: string) => arrays.get(key) as Tensor<'float32'>;
  const values = (key: string) => arrays.get(key)!.data as Float32Array | Uint8Array;
  const near = (actual: number, wanted: number, what: string) =>
    expect(Math.abs(actual - wanted), `${what}: ${actual} instead of ${wanted}`).toBeLessThan(TOLERANCE);

  it.each(Object.keys(expected.image ?? {}))('image %s', (name) => {
    const { data_range: range, psnr: p, ssim: s } = expected.image[name];
    const [a, b] = [picture(`image.${name}.a`), picture(`image.${name}.b`)];
    if (p === 'Infinity') expect(psnr(a, b, range)).toBe(Number.POSITIVE_INFINITY);
    else near(psnr(a, b, range), p, 'PSNR');
    near(ssim(a, b, range), s, 'SSIM');
  });

  it.each(Object.keys(expected.ranking ?? {}))('ranking %s', (name) => {
    const [labels, scores] = [values(`ranking.${name}.labels`), values(`ranking.${name}.scores`)];
    near(auroc(labels, scores), expected.ranking[name].roc_auc, 'AUROC');
    near(averagePrecision(labels, scores), expected.ranking[name].average_precision, 'average precision');
  });

  it.each(Object.keys(expected.dice ?? {}))('dice %s', (name) => {
    const [a, b] = [values(`dice.${name}.a`), values(`dice.${name}.b`)];
    const d = expected.dice[name].dice;
    near(dice(a, b), d, 'Dice');
    near(iou(a, b), d / (2 - d), 'IoU');
  });

  it.each(Object.keys(expected.aupro ?? {}))('aupro %s', (name) => {
    const [masks, scores] = [values(`aupro.${name}.masks`), values(`aupro.${name}.scores`)];
    const [, height, width] = arrays.get(`aupro.${name}.masks`)!.dims;
    for (const [key, wanted] of Object.entries(expected.aupro[name])) {
      const match = /^aupro_(.+)_connectivity([48])$/.exec(key);
      const actual = match
        ? aupro(masks, scores, height, width, { limit: Number(match[1]), connectivity: match[2] === '4' ? 4 : 8 })
        : key === 'pixel_roc_auc'
          ? auroc(masks, scores)
          : averagePrecision(masks, scores);
      near(actual, wanted, key);
    }
  });
});
