/** Detection: plain detectors against what they must find, metrics against closed forms, the protocol on made-up sets. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { gaussianDetector, pcaDetector, smoothed } from '../../src/evaluate/detect/detector.ts';
import { calibratedThreshold, curvesOf, detectionMetrics, type Scored } from '../../src/evaluate/detect/score.ts';
import { findDetectionSet } from '../../src/evaluate/node/detection-layouts.ts';
import type { Results, TrialRecord } from '../../src/evaluate/record.ts';
import { encodePng, writeMask } from '../../src/images/node/write.ts';
import { aupro } from '../../src/metrics/aupro.ts';
import { auroc } from '../../src/metrics/ranking.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { tinyGenerator } from '../support/tiny.ts';

const SIDE = 16;
const PLANE = SIDE * SIDE;

/** Good pictures: two smooth patterns in random shares, and noise. */
function good(random = randomFrom(1)) {
  const [a, b] = [random.normal() * 0.3, random.normal() * 0.3];
  return float32(
    Float32Array.from({ length: PLANE }, (_, i) => {
      const [x, y] = [i % SIDE, Math.floor(i / SIDE)];
      return a * Math.sin(x / 2.5) + b * Math.cos(y / 3) + 0.03 * random.normal();
    }),
    [1, 1, SIDE, SIDE],
  );
}

/** With a dark square of four pixels. */
function defective(random: ReturnType<typeof randomFrom>) {
  const image = good(random);
  const truth = float32(new Float32Array(PLANE), image.dims);
  for (let y = 5; y < 9; y++) {
    for (let x = 6; x < 10; x++) {
      image.data[y * SIDE + x] -= 0.5;
      truth.data[y * SIDE + x] = 1;
    }
  }
  return { image, truth };
}

const batch = (images: readonly { data: Float32Array }[]) =>
  float32(
    images.reduce(
      (all, one, i) => {
        all.set(one.data, i * PLANE);
        return all;
      },
      new Float32Array(images.length * PLANE),
    ),
    [images.length, 1, SIDE, SIDE],
  );

describe('plain detectors', () => {
  test('the Gaussian counts deviations, and does not believe in none', async () => {
    const values = [-0.2, 0.2];
    const images = batch(values.map((v) => ({ data: new Float32Array(PLANE).map((_, i) => (i === 0 ? v : 0.1)) })));
    const probe = float32(new Float32Array(PLANE).fill(0.4), [1, 1, SIDE, SIDE]);
    const { maps } = await gaussianDetector(images).find(probe);
    // Pixel 0 has mean 0 and deviation 0.2; the others none, so two grey levels are taken.
    expect(maps.data[0]).toBeCloseTo(0.4 / 0.2, 5);
    expect(maps.data[1]).toBeCloseTo(0.3 / (2 / 127.5), 3);
  });

  test('principal components explain what good pictures are made of, and not a defect', async () => {
    const random = randomFrom(3);
    const runtime = nodeRuntime({ threads: 1 });
    const detector = await pcaDetector(batch(Array.from({ length: 60 }, () => good(random))), 2, runtime);
    const { image, truth } = defective(random);
    const { maps, restored } = await detector.find(image);
    expect(auroc(truth.data, maps.data)).toBeGreaterThan(0.99);
    expect(restored!.dims).toEqual(image.dims);
    await detector.dispose();
  });
});

describe('metrics', () => {
  const random = randomFrom(9);
  const pictures = Array.from({ length: 6 }, (_, i): Scored => {
    const { truth } = defective(random);
    const isBad = i % 2 === 1;
    const map = Float32Array.from({ length: PLANE }, (_, p) => random.normal() + (isBad ? 1.5 * truth.data[p] : 0));
    return { map, truth: isBad ? truth.data : new Float32Array(PLANE), defective: isBad, score: i === 1 ? 0 : i % 2 };
  });
  const all = (pick: (one: Scored) => Float32Array) => Float32Array.from(pictures.flatMap((one) => [...pick(one)]));

  test('a threshold of good pictures is exceeded by the share that was asked for', () => {
    const maps = [Float32Array.from({ length: 1000 }, (_, i) => i)];
    const threshold = calibratedThreshold(maps, 0.01);
    expect(maps[0].filter((v) => v > threshold)).toHaveLength(10);
  });

  test('are those of all pixels together; a perfect score of the pictures but one gives that AUROC', () => {
    const { metrics } = detectionMetrics(pictures, SIDE, SIDE, 1);
    expect(metrics.pixel_auroc).toEqual({
      n: 6,
      pooled: auroc(
        all((one) => one.truth!),
        all((one) => one.map),
      ),
    });
    // Two of three defective ones outscore all good ones, the third ties.
    expect(metrics.image_auroc!.pooled).toBeCloseTo((3 + 3 + 1.5) / 9, 10);
  });

  test('the areas under the curves are the metrics', () => {
    const [truth, scores] = [all((one) => one.truth!), all((one) => one.map)];
    const [roc, pro] = curvesOf(truth, scores, SIDE, SIDE);
    const area = (x: readonly number[], y: readonly number[], limit: number) =>
      x
        .slice(1)
        .reduce((sum, right, i) => sum + ((Math.min(right, limit) - Math.min(x[i], limit)) * (y[i] + y[i + 1])) / 2, 0);
    expect(area(roc.x, roc.y, 1)).toBeCloseTo(auroc(truth, scores), 2);
    const last = pro.x.at(-1)!;
    expect(area(pro.x, pro.y, 1) / last).toBeCloseTo(aupro(truth, scores, SIDE, SIDE, { limit: last }), 2);
  });
});

let root: string;
const place = (...parts: string[]) => path.join(root, ...parts);
const put = (file: string, content: Uint8Array | string = '') => {
  mkdirSync(path.dirname(place(file)), { recursive: true });
  writeFileSync(place(file), content);
};

beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'rgi-detect-'));
  const random = randomFrom(5);
  for (let i = 0; i < 40; i++) put(`part/train/good/${i}.png`, await encodePng(good(random)));
  for (let i = 0; i < 5; i++) put(`part/test/good/${i}.png`, await encodePng(good(random)));
  for (const kind of ['spot', 'crack']) {
    for (let i = 0; i < 3; i++) {
      const { image, truth } = defective(random);
      put(`part/test/${kind}/${i}.png`, await encodePng(image));
      mkdirSync(place('part/ground_truth', kind), { recursive: true });
      if (!(kind === 'crack' && i === 2)) await writeMask(place(`part/ground_truth/${kind}/${i}_mask.png`), truth);
    }
  }
  put('g.onnx', encodeModel(tinyGenerator(1, SIDE)));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function rgi(line: string) {
  const said = { code: -1, out: '', err: '' };
  const io = {
    out: (text: string) => {
      said.out += text;
    },
    err: (text: string) => {
      said.err += text;
    },
    terminal: false,
    colour: false,
    signal: new AbortController().signal,
    worker: false,
  };
  said.code = await run(
    line.split(' ').map((word) => word.replaceAll('@', `${root}${path.sep}`)),
    io,
  );
  return said;
}
const resultsOf = (folder: string): Results => JSON.parse(readFileSync(place(folder, 'results.json'), 'utf8'));
const recordsOf = (folder: string): TrialRecord[] =>
  readFileSync(place(folder, 'records.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('the protocol', () => {
  const line = 'evaluate detect @part --size 16 --threads 1 --held 10 --pictures 1';

  test('pooled and per defect, with a threshold of good pictures; a resumed run computes nothing twice', async () => {
    const said = await rgi(`${line} --methods gaussian,pca:4 --out @plain`);
    expect(said).toMatchObject({ code: 0, out: '' });
    expect(said.err).toContain('note: 1 defective pictures have no mask: they count for the image score alone.');
    const { results, settings } = resultsOf('plain');
    expect(settings).toMatchObject({ learnt: 30, held: 10, tested: 11 });
    expect(results.map(({ case: name, method, n }) => [name, method, n])).toEqual([
      ['all defects', 'gaussian', 6],
      ['all defects', 'pca:4', 6],
      ['crack', 'gaussian', 3],
      ['crack', 'pca:4', 3],
      ['spot', 'gaussian', 3],
      ['spot', 'pca:4', 3],
      ['good', 'gaussian', 5],
      ['good', 'pca:4', 5],
    ]);
    const pca = results[1].metrics;
    expect(pca.pixel_auroc).toMatchObject({ n: 10 });
    expect(pca.image_auroc).toMatchObject({ n: 11 });
    const pooled = (name: 'pixel_auroc' | 'aupro' | 'dice_calibrated' | 'dice_oracle') =>
      (pca[name] as { pooled: number }).pooled;
    expect(pooled('pixel_auroc')).toBeGreaterThan(0.95);
    expect(pooled('dice_calibrated')).toBeGreaterThan(0.4);
    expect(pooled('dice_oracle')).toBeGreaterThanOrEqual(pooled('dice_calibrated'));
    expect(results[1].curves!.map((curve) => curve.kind)).toEqual(['roc', 'pro']);
    // One in a hundred good pixels, within what ten pictures can tell.
    expect((results[7].metrics.masked_share as { mean: number }).mean).toBeLessThan(0.05);

    const before = readFileSync(place('plain', 'records.jsonl'), 'utf8');
    expect((await rgi(`${line} --methods gaussian,pca:4 --out @plain --resume`)).code).toBe(0);
    expect(readFileSync(place('plain', 'records.jsonl'), 'utf8')).toBe(before);
    expect(resultsOf('plain').results).toEqual(results);
  });

  test('a generator’s residual is a map like any other, and the page shows it', async () => {
    const said = await rgi(
      `${line} --generator @g.onnx --methods invert:steps=10,rgi:steps=20:pool=50 --count 1 --held 2 --out @made`,
    );
    expect(said.code).toBe(0);
    expect(
      resultsOf('made')
        .results.map((result) => result.method)
        .slice(0, 2),
    ).toEqual(['invert:steps=10', 'rgi:steps=20:pool=50']);
    expect(recordsOf('made')[0].pictures).toHaveProperty('restored');
    expect((await rgi('report @made --quiet')).code).toBe(0);
    const page = readFileSync(place('made', 'report.html'), 'utf8');
    expect(page).toContain('ROC of the pixels');
    expect(page).toContain('Score of invert:steps=10');
  });

  test('what cannot be is said', async () => {
    const refused = async (rest: string) => (await rgi(`${line} ${rest} --out @never`)).err;
    expect(await refused('--methods rgi')).toMatchInlineSnapshot(`
      "error: The method 'rgi' needs a generator of good pictures: give it with --generator.
      "
    `);
    expect(await refused('--methods pca')).toMatchInlineSnapshot(`
      "error: The method 'pca': write pca:COUNT, for instance pca:16.
      "
    `);
    expect(await refused('--methods yeh+mask --generator @g.onnx')).toMatchInlineSnapshot(`
      "error: The method 'yeh+mask': what is to be found cannot be told; leave +mask out.
      "
    `);
    expect((await rgi('evaluate detect @part/test --out @never')).err.replaceAll(root, 'ROOT')).toMatchInlineSnapshot(`
      "error: ROOT/part/test holds no good pictures to learn from in the layout 'plain'. A plain set: train/ with test/good and test/DEFECT, or good/ and defect/; masks in masks/, named as their pictures.
      "
    `);
  });
});

describe('layouts', () => {
  const found = async (name: string) => {
    const { layout, train, test: tested } = await findDetectionSet(place(name));
    const short = tested.map(({ name: file, defect, mask }) => [
      file,
      defect,
      mask && path.relative(place(name), mask),
    ]);
    return { layout, train: train.map((file) => file.name), test: short };
  };

  test('MVTec AD', async () => {
    for (const file of [
      'train/good/000.png',
      'test/good/000.png',
      'test/hole/000.png',
      'ground_truth/hole/000_mask.png',
    ])
      put(`mvtec/${file}`);
    expect(await found('mvtec')).toEqual({
      layout: 'mvtec',
      train: ['000.png'],
      test: [
        ['good/000.png', 'good', undefined],
        ['hole/000.png', 'hole', 'ground_truth/hole/000_mask.png'],
      ],
    });
  });

  test('BTAD', async () => {
    for (const file of ['train/ok/0.bmp', 'test/ok/1.bmp', 'test/ko/2.bmp', 'ground_truth/ko/2.png'])
      put(`btad/${file}`);
    expect(await found('btad')).toEqual({
      layout: 'btad',
      train: ['0.bmp'],
      test: [
        ['ok/1.bmp', 'good', undefined],
        ['ko/2.bmp', 'ko', 'ground_truth/ko/2.png'],
      ],
    });
  });

  test('VisA, by its official split', async () => {
    const rows = [
      'object,split,label,image,mask',
      'candle,train,normal,candle/Data/Images/Normal/0000.JPG,',
      'candle,test,normal,candle/Data/Images/Normal/0001.JPG,',
      'candle,test,anomaly,candle/Data/Images/Anomaly/000.JPG,candle/Data/Masks/Anomaly/000.png',
      'cashew,train,normal,cashew/Data/Images/Normal/0000.JPG,',
    ];
    put('visa/split_csv/1cls.csv', rows.join('\r\n'));
    put('visa/candle/Data/Images/Normal/0000.JPG');
    expect(await found('visa/candle')).toEqual({
      layout: 'visa',
      train: ['Data/Images/Normal/0000.JPG'],
      test: [
        ['Data/Images/Normal/0001.JPG', 'good', undefined],
        ['Data/Images/Anomaly/000.JPG', 'anomaly', 'Data/Masks/Anomaly/000.png'],
      ],
    });
  });

  test('plain folders: with a test part, and without', async () => {
    for (const file of ['train/a.png', 'test/good/b.png', 'test/dent/c.png', 'masks/dent/c.png']) put(`plain1/${file}`);
    expect(await found('plain1')).toEqual({
      layout: 'plain',
      train: ['a.png'],
      test: [
        ['good/b.png', 'good', undefined],
        ['dent/c.png', 'dent', 'masks/dent/c.png'],
      ],
    });
    for (const file of ['1', '2', '3', '4', '5'].map((i) => `good/${i}.png`).concat('bad/x.png', 'masks/x.png'))
      put(`plain2/${file}`);
    expect(await found('plain2')).toEqual({
      layout: 'plain',
      train: ['1.png', '2.png', '3.png', '4.png'],
      test: [
        ['5.png', 'good', undefined],
        ['x.png', 'defect', 'masks/x.png'],
      ],
    });
  });
});

test('maps are smoothed in proportion to their size', () => {
  const point = (side: number) => {
    const data = new Float32Array(side * side);
    data[(side / 2) * side + side / 2] = 1;
    return smoothed(float32(data, [1, 1, side, side])).data[(side / 2) * side + side / 2];
  };
  expect(point(128) / point(256)).toBeCloseTo(4, 0);
});
