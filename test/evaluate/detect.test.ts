/** Detection: plain detectors against what they must find, metrics against closed forms, the protocol on made-up sets. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { smoothed } from '../../src/evaluate/detect/detector.ts';
import { parseDetectors } from '../../src/evaluate/detect/methods.ts';
import { fanoganDetector } from '../../src/evaluate/detect/networks.ts';
import { gaussianDetector, pcaDetector } from '../../src/evaluate/detect/plain.ts';
import {
  calibratedThreshold,
  curvesOf,
  detectionMetrics,
  paperScores,
  type Scored,
} from '../../src/evaluate/detect/score.ts';
import type { Results, TrialRecord } from '../../src/evaluate/record.ts';
import { encodePng, writeMask } from '../../src/images/node/write.ts';
import { activationLayers, criticOf } from '../../src/inversion/generator/critic.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { aupro } from '../../src/metrics/aupro.ts';
import { auroc } from '../../src/metrics/ranking.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { tinyGenerator } from '../support/tiny.ts';

const SIDE = 16;
const PLANE = SIDE * SIDE;

/** z = 0.01 times the sums of the picture's quarters. */
function tinyEncoder(): Graph {
  const b = new GraphBuilder();
  const image = b.reserve('image');
  const quarters = b.node('AveragePool', [image], { kernel_shape: [8, 8], strides: [8, 8] })[0];
  b.node('Reshape', [b.Mul(quarters, b.scalar(0.64)), b.ints([-1, 4])], {}, ['z']);
  return b.graph('encoder', [picture], [{ name: 'z', type: 'float32', dims: ['N', 4] }]);
}

/** One rectified feature per picture: twice its mean; the score is the same. */
function tinyDiscriminator(): Graph {
  const b = new GraphBuilder();
  const image = b.reserve('image');
  const mean = b.ReduceMean(b.node('Flatten', [image], { axis: 1 })[0], [1]);
  b.node('Identity', [b.LeakyRelu(b.Mul(mean, b.scalar(2)), 0.2)], {}, ['score']);
  return b.graph('discriminator', [picture], [{ name: 'score', type: 'float32', dims: ['N', 1] }]);
}

const picture = { name: 'image', type: 'float32', dims: ['N', 1, SIDE, SIDE] } as const;

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

test('a policy is evaluated by name, and in one of its spaces', () => {
  const parsed = parseDetectors(['policy', 'policy:strict', 'policy:spaces=pixels', 'policy:strict:spaces=features']);
  expect(parsed).toEqual([
    { name: 'policy', kind: 'policy' },
    { name: 'policy:strict', kind: 'policy', policy: 'strict' },
    { name: 'policy:spaces=pixels', kind: 'policy', space: 'pixels' },
    { name: 'policy:strict:spaces=features', kind: 'policy', policy: 'strict', space: 'features' },
  ]);
  for (const name of ['policy:spaces=both', 'policy:a:b', 'policy:spaces=pixels:strict'])
    expect(() => parseDetectors([name])).toThrow('write policy, policy:NAME, or policy:spaces=pixels.');
});

describe('plain detectors', () => {
  test('the Gaussian counts deviations, and does not believe in none', async () => {
    const values = [-0.2, 0.2];
    const images = batch(values.map((v) => ({ data: new Float32Array(PLANE).map((_, i) => (i === 0 ? v : 0.1)) })));
    const probe = float32(new Float32Array(PLANE).fill(0.4), [1, 1, SIDE, SIDE]);
    const { maps } = (await gaussianDetector(images).find(probe))!;
    // Pixel 0 has mean 0 and deviation 0.2; the others none, so two grey levels are taken.
    expect(maps.data[0]).toBeCloseTo(0.4 / 0.2, 5);
    expect(maps.data[1]).toBeCloseTo(0.3 / (2 / 127.5), 3);
  });

  test('principal components explain what good pictures are made of, and not a defect', async () => {
    const random = randomFrom(3);
    const runtime = nodeRuntime({ threads: 1 });
    const detector = await pcaDetector(batch(Array.from({ length: 60 }, () => good(random))), 2, runtime);
    const { image, truth } = defective(random);
    const { maps, restored } = (await detector.find(image))!;
    expect(auroc(truth.data, maps.data)).toBeGreaterThan(0.99);
    expect(restored!.dims).toEqual(image.dims);
    await detector.dispose();
  });
});

describe('f-AnoGAN', () => {
  test('scores by residual and features of what the encoder makes of a picture', async () => {
    const runtime = nodeRuntime({ threads: 1 });
    const generator = await openGenerator(tinyGenerator(1, SIDE), runtime);
    const discriminator = tinyDiscriminator();
    const [layer] = activationLayers(discriminator);
    const random = randomFrom(4);
    const images = batch([good(random), defective(random).image]);
    const scoresAt = async (kappa: number, couples = false) => {
      const critic = criticOf(discriminator, couples);
      const detector = fanoganDetector({ generator, encoder: tinyEncoder(), critic, layer, kappa }, runtime);
      const found = (await detector.find(images))!;
      await detector.dispose();
      return found;
    };
    const { maps, restored, scores } = await scoresAt(3);
    const mean = (values: Float32Array) => values.reduce((sum, v) => sum + v / values.length, 0);
    const feature = (values: Float32Array) => (mean(values) > 0 ? 2 * mean(values) : 0.4 * mean(values));
    for (const i of [0, 1]) {
      const [x, y] = [images, restored!].map((all) => all.data.subarray(i * PLANE, (i + 1) * PLANE));
      const residual = mean(x.map((v, p) => (v - y[p]) ** 2));
      expect(scores![i]).toBeCloseTo(residual + 3 * (feature(x) - feature(y)) ** 2, 5);
      expect(mean(maps.data.subarray(i * PLANE, (i + 1) * PLANE).map((v) => v ** 2))).toBeCloseTo(residual, 5);
    }
    // A discriminator that couples pictures is applied to each by itself.
    const single = await scoresAt(3, true);
    for (const i of [0, 1]) expect(single.scores![i]).toBeCloseTo(scores![i], 5);
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

  test('the paper’s variants are of each picture by itself', () => {
    const truth = Float32Array.of(0, 0, 1, 1);
    // 3 of 4 pairs in order; scaled to [0,1] the threshold 0.5 takes the last two and one more.
    expect(paperScores(truth, Float32Array.of(10, 20, 15, 30))).toEqual({ auroc_paper: 0.75, dice_paper: 0.8 });
    expect(paperScores(new Float32Array(4), truth)).toEqual({});
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
  const generator = tinyGenerator(1, SIDE);
  const described = new Map([['rgi.companions', '{"discriminator":"d.onnx","encoder":"e.onnx"}']]);
  put('g.onnx', encodeModel(generator, described));
  put('alone.onnx', encodeModel(generator));
  put('e.onnx', encodeModel(tinyEncoder()));
  put('d.onnx', encodeModel(tinyDiscriminator()));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function rgi(line: string, signal: AbortSignal = new AbortController().signal) {
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
    signal,
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
  readFileSync(place(folder, 'journal.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).record);

describe('the protocol', () => {
  const line = 'evaluate detect @part --size 16 --threads 1 --held 10 --pictures 1';

  test('pooled and per defect, with a threshold of good pictures; a resumed run computes nothing twice', async () => {
    const said = await rgi(`${line} --methods gaussian,pca:4 --out @plain`);
    expect(said).toMatchObject({ code: 0, out: '' });
    expect(said.err).toContain('note: 1 defective pictures have no mask; they are used for image scores only.');
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

    const before = readFileSync(place('plain', 'journal.jsonl'), 'utf8');
    expect((await rgi(`${line} --methods gaussian,pca:4 --out @plain --resume`)).code).toBe(0);
    expect(readFileSync(place('plain', 'journal.jsonl'), 'utf8')).toBe(before);
    expect(resultsOf('plain').results).toEqual(results);
  });

  test('a broken first picture is skipped and named, whatever decides the number of channels', async () => {
    const [first] = readdirSync(place('part/train/good')).sort();
    const file = place('part/train/good', first);
    const whole = readFileSync(file);
    writeFileSync(file, whole.subarray(0, whole.length - 40));
    const said = await rgi(`${line} --methods pca:4 --out @broken`);
    writeFileSync(file, whole);
    expect(said).toMatchObject({ code: 4 });
    expect(said.err).toContain(`${file} is damaged or cut short: copy it again, whole.`);
    expect(resultsOf('broken').settings).toMatchObject({ learnt: 29, held: 10 });
  });

  test('an autoencoder is trained once: interrupted, resumed, and with another method beside it', async () => {
    const own = `${line} --methods autoencoder:steps=30:latent=3`;
    // Once it has been asked before each of the 30 steps, it aborts.
    let asked = 0;
    const stop = new AbortController();
    const signal = new Proxy(stop.signal, {
      get: (target, key) => {
        if (key === 'aborted' && ++asked > 30) stop.abort();
        const value = Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    expect((await rgi(`${own} --out @ae`, signal)).code).toBe(3);
    const [network] = readdirSync(place('ae', 'learnt'));
    const { mtimeMs } = statSync(place('ae', 'learnt', network));
    expect((await rgi(`${own},gaussian --out @ae --resume`)).code).toBe(0);
    expect(statSync(place('ae', 'learnt', network)).mtimeMs).toBe(mtimeMs);
    expect((await rgi(`${own} --out @ae2`)).code).toBe(0);
    const ofAll = (folder: string) => resultsOf(folder).results.find((result) => result.method.startsWith('auto'))!;
    expect(ofAll('ae2').metrics.pixel_auroc).toEqual(ofAll('ae').metrics.pixel_auroc);
    // A network of other steps is another one.
    expect((await rgi(`${line} --methods autoencoder:ssim:steps=2 --out @ae --resume`)).code).toBe(0);
    const networks = () => readdirSync(place('ae', 'learnt')).filter((name) => name.endsWith('.onnx'));
    expect(networks()).toHaveLength(2);
    // --overwrite leaves nothing of them, and nothing else is removed.
    writeFileSync(place('ae', 'learnt/mine.onnx'), '');
    expect((await rgi(`${line} --methods gaussian --out @ae --overwrite`)).code).toBe(0);
    expect(networks()).toEqual(['mine.onnx']);
    expect(readdirSync(place('ae', 'maps')).flatMap((name) => readdirSync(place('ae', `maps/${name}`)))).toHaveLength(
      12,
    );
  });

  test('a trained network whose file is damaged is trained again', async () => {
    const own = `${line} --methods autoencoder:steps=2:latent=3 --out @aed`;
    expect((await rgi(own)).code).toBe(0);
    const network = place(
      'aed',
      `learnt/${readdirSync(place('aed', 'learnt')).find((name) => name.endsWith('.onnx'))}`,
    );
    const whole = readFileSync(network);
    for (const damaged of [Buffer.alloc(0), whole.subarray(0, whole.length - 1)]) {
      writeFileSync(network, damaged);
      rmSync(place('aed', 'journal.jsonl'));
      for (const folder of ['maps', 'pictures']) rmSync(place('aed', folder), { recursive: true });
      for (const table of ['results.json', 'results.csv', 'results.md']) rmSync(place('aed', table));
      expect((await rgi(`${own} --resume`)).code).toBe(0);
      expect(readFileSync(network).equals(whole)).toBe(true);
    }
  });

  test('sets with equal picture names in one folder keep pictures of their own', async () => {
    await rgi(`${line} --methods gaussian --out @two`);
    cpSync(place('part'), place('part2', ''), { recursive: true });
    const [first] = readdirSync(place('part', 'test/crack')).sort();
    const swapped = readFileSync(place('part', `test/crack/${readdirSync(place('part', 'test/crack')).sort()[1]}`));
    writeFileSync(place('part2', `test/crack/${first}`), swapped);
    await rgi(`${line.replace('@part', '@part2')} --methods gaussian --out @two --resume`);
    const stored = recordsOf('two').flatMap(({ pictures }) => (pictures ? [pictures.input, pictures.mask] : []));
    expect(stored).toHaveLength(2 * recordsOf('two').filter(({ pictures }) => pictures).length);
    const own = recordsOf('two').filter(({ image, pictures }) => pictures && image.endsWith(`crack/${first}`));
    expect(new Set(own.map(({ pictures }) => pictures!.input)).size).toBe(2);
    expect(new Set(recordsOf('two').flatMap(({ pictures }) => pictures?.mask ?? [])).size).toBe(stored.length / 2);
  });

  test('every method of a generator by its name: maps, searches, the trajectory of one, the page of all', async () => {
    const searches = ['rgi:steps=12:pool=20', 'rrgi:steps=12:pool=20', 'anogan:steps=5', 'invert:steps=5'];
    const methods = [...searches, 'rgi:paper-detect:steps=8', 'f-anogan'];
    const said = await rgi(
      `${line} --generator @g.onnx --methods ${methods.join(',')} --count 1 --held 2 --snapshot-steps 3 --out @made`,
    );
    expect(said.code).toBe(0);
    const pooled = resultsOf('made').results.filter((result) => result.case === 'all defects');
    expect(pooled.map((result) => result.method)).toEqual(methods);
    for (const { metrics } of pooled) {
      expect(Object.keys(metrics)).toEqual(
        expect.arrayContaining(['pixel_auroc', 'aupro', 'pixel_ap', 'dice_calibrated', 'dice_oracle', 'image_auroc']),
      );
      expect(metrics).toMatchObject({ auroc_paper: { n: 2 }, dice_paper: { n: 2 }, seconds: { n: 2 } });
    }
    const records = recordsOf('made');
    for (const record of records) {
      expect(record.pictures).toHaveProperty('restored');
      const isSearch = record.method !== 'f-anogan';
      expect(record.history !== undefined, record.method).toBe(isSearch);
      expect(record.snapshots !== undefined, record.method).toBe(isSearch);
    }
    const anogan = records.find((record) => record.method === 'anogan:steps=5')!;
    expect(anogan.score).toBe(anogan.loss);
    expect((await rgi('report @made --quiet')).code).toBe(0);
    const page = readFileSync(place('made', 'report.html'), 'utf8');
    for (const text of [
      'ROC of the pixels',
      'Loss along the search',
      'Trajectories of the searches',
      'Score of f-anogan',
    ])
      expect(page).toContain(text);
  });

  test('what cannot be is said', async () => {
    const refused = async (rest: string) => (await rgi(`${line} ${rest} --out @never`)).err;
    expect(await refused('--methods rgi')).toMatchInlineSnapshot(`
      "error: The method 'rgi' needs a generator of good pictures: give it with --generator.
      "
    `);
    expect(await refused('--methods gausian')).toMatchInlineSnapshot(`
      "error: The method 'gausian': there is no 'gausian'; the methods are gaussian, pca, autoencoder, padim, patchcore, f-anogan, policy, detector, rgi, rrgi, yeh, anogan, invert.
      "
    `);
    expect(await refused('--methods autoencoder:steps=none')).toMatchInlineSnapshot(`
      "error: The method 'autoencoder:steps=none': write autoencoder, or autoencoder:ssim, with :steps=COUNT and :latent=COUNT if they are to differ.
      "
    `);
    expect(await refused('--methods dgp')).toMatchInlineSnapshot(`
      "error: The method 'dgp': it needs the true mask, which is not known in detection.
      "
    `);
    expect(await refused('--methods f-anogan --generator @alone.onnx')).toMatchInlineSnapshot(`
      "error: The method 'f-anogan' needs a discriminator with activations, whose features it compares: give it with --discriminator.
      "
    `);
    expect(await refused('--methods f-anogan --generator @alone.onnx --discriminator @d.onnx')).toMatchInlineSnapshot(`
      "error: The method 'f-anogan' needs an encoder, from pictures to latents: give it with --encoder ('rgi train' makes one).
      "
    `);
    expect(
      (await refused('--methods f-anogan --generator @g.onnx --encoder @d.onnx')).replaceAll(root, 'ROOT'),
    ).toMatchInlineSnapshot(`
      "error: ROOT/d.onnx does not map the generator's pictures to its latent; give --encoder none.
      "
    `);
    expect(await refused('--methods pca')).toMatchInlineSnapshot(`
      "error: The method 'pca': write pca:COUNT, for instance pca:16.
      "
    `);
    expect(await refused('--methods yeh+mask --generator @g.onnx')).toMatchInlineSnapshot(`
      "error: The method 'yeh+mask': the mask is what detection looks for and cannot be given; leave +mask out.
      "
    `);
    expect((await rgi('evaluate detect @part/test --out @never')).err.replaceAll(root, 'ROOT')).toMatchInlineSnapshot(`
      "error: ROOT/part/test holds no good pictures to learn from in the layout 'plain'. A plain set: train/ with test/good and test/DEFECT, or good/ and defect/; masks in masks/, named as their pictures.
      "
    `);
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
