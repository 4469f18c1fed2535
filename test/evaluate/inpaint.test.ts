/** The protocol of restoration on a generator whose pictures can be restored: scores, resuming, determinism, files. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeNpy } from '../../src/arrays/npy.ts';
import { run } from '../../src/cli/program.ts';
import { psnrInside, scoresOf } from '../../src/evaluate/inpaint/score.ts';
import type { Results, TrialRecord } from '../../src/evaluate/record.ts';
import { imagesOf } from '../../src/images/image.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { evaluate } from '../support/gradients.ts';
import { tinyGenerator } from '../support/tiny.ts';

const SIDE = 16;

describe('scores', () => {
  const truth = float32(new Float32Array(SIDE * SIDE), [1, 1, SIDE, SIDE]);
  const mask = float32(
    truth.data.map((_, i) => (i < 16 ? 1 : 0)),
    truth.dims,
  );

  test('inside the hole only its pixels count', () => {
    const image = float32(
      truth.data.map((_, i) => (i < 16 ? 0.2 : 0.9)),
      truth.dims,
    );
    expect(psnrInside(image, truth, mask)).toBeCloseTo(10 * Math.log10(4 / 0.04), 5);
    expect(psnrInside(image, truth, float32(new Float32Array(SIDE * SIDE), truth.dims))).toBeNull();
  });

  test('a perfect restoration has the highest PSNR that is recorded; a mask that was given has no score', () => {
    const perfect = { restored: truth, composite: truth, mask };
    expect(scoresOf(perfect, { truth, mask, maskGiven: false })).toMatchObject({
      psnr: 150,
      ssim: 1,
      mask_iou: 1,
      mask_dice: 1,
    });
    expect(scoresOf(perfect, { truth, mask, maskGiven: true })).toMatchObject({
      psnr: 150,
      mask_iou: null,
      mask_dice: null,
    });
  });
});

let root: string;
const file = (name: string) => path.join(root, name);

async function rgi(line: string, signal = new AbortController().signal) {
  const said = { code: -1, out: '', err: '' };
  said.code = await run(
    line.split(' ').map((word) => word.replaceAll('@', `${root}${path.sep}`)),
    {
      out: (text) => {
        said.out += text;
      },
      err: (text) => {
        said.err += text;
      },
      terminal: false,
      colour: false,
      signal,
      worker: false,
    },
  );
  return said;
}

const recordsOf = (folder: string): TrialRecord[] =>
  readFileSync(path.join(file(folder), 'journal.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).record);
const resultsOf = (folder: string): Results =>
  JSON.parse(readFileSync(path.join(file(folder), 'results.json'), 'utf8'));
/** Everything but what a clock says. */
const timeless = (records: TrialRecord[]) => records.map(({ seconds, ...rest }) => rest);

beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'rgi-evaluate-'));
  const graph = tinyGenerator(3, SIDE);
  writeFileSync(file('g.onnx'), encodeModel(graph));
  mkdirSync(file('clean'));
  const z = float32(randomFrom(2).normals(4 * 5), [5, 4]);
  const images = (await evaluate(graph, new Map([['z', z]]), ['image'])).get('image')!;
  for (const [i, image] of imagesOf(float32(float32Data(images), images.dims)).entries()) {
    writeFileSync(file(`clean/p${i}.npy`), writeNpy(image));
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const SHORT = '--generator @g.onnx --threads 1 --cases block,random --count 3';
const METHODS = 'rgi:steps=60:pool=50,rgi:steps=60:pool=50+mask,invert:steps=60';

test('on its own pictures the default beats plain inversion; tables, records and pictures are there', async () => {
  const said = await rgi(
    `evaluate inpaint @clean ${SHORT} --methods ${METHODS} --pictures 1 --snapshots 1 --snapshot-steps 4 --out @full`,
  );
  expect(said).toMatchObject({ code: 0, out: '' });
  const { results, complete, settings } = resultsOf('full');
  expect(complete).toBe(true);
  expect(results.map(({ case: name, method, n }) => [name, method, n])).toEqual(
    ['block', 'random'].flatMap((name) => METHODS.split(',').map((method) => [name, method, 3])),
  );
  const [rgiBlock, givenBlock, invertBlock] = results;
  const psnr = (i: number) => (results[i].metrics.psnr as { median: number }).median;
  expect(psnr(0)).toBeGreaterThan(psnr(2) + 3);
  expect(rgiBlock.metrics.mask_iou).toBeDefined();
  expect(givenBlock).toMatchObject({ maskGiven: true });
  expect(givenBlock.metrics.mask_iou).toBeUndefined();
  expect(invertBlock.metrics.seconds).toMatchObject({ n: 3 });
  expect(settings).toMatchObject({ pictures: 3, seed: 0 });

  const records = recordsOf('full');
  expect(records).toHaveLength(18);
  const [first, second] = records;
  expect(first).toMatchObject({
    kind: 'inpaint',
    set: 'clean',
    case: 'block',
    image: 'p0.npy',
    index: 0,
    maskGiven: false,
  });
  for (const picture of Object.values(first.pictures!))
    expect(existsSync(path.join(file('full'), picture)), picture).toBe(true);
  // Four of the planned steps, and the last of a picture that stops before.
  const seen = first.snapshots!.map((one) => one.step);
  expect(seen.slice(0, 2)).toEqual([4, 15]);
  expect(seen.at(-1)).toBe(first.steps);
  for (const { restored, mask } of first.snapshots!) {
    expect(existsSync(path.join(file('full'), restored)) && existsSync(path.join(file('full'), mask))).toBe(true);
  }
  expect(second.pictures).toBeUndefined();
  expect(first.history!.step.at(-1)).toBe(first.steps! - 1);
  expect(existsSync(path.join(file('full'), 'results.csv'))).toBe(true);
  expect(readFileSync(path.join(file('full'), 'results.md'), 'utf8')).toContain('## clean: random');
});

test('a run that was interrupted and resumed gives what an uninterrupted one gives', async () => {
  const line = `evaluate inpaint @clean ${SHORT} --batch 2 --methods ${METHODS} --pictures 0`;
  expect((await rgi(`${line} --out @whole`)).code).toBe(0);
  const interrupted = new AbortController();
  const aborted = new Proxy(interrupted.signal, {
    // Asked often enough: aborts in the middle of the second method.
    get: (signal, key) => {
      if (key === 'aborted' && ++asked > 14) interrupted.abort();
      const value = Reflect.get(signal, key);
      return typeof value === 'function' ? value.bind(signal) : value;
    },
  });
  let asked = 0;
  expect((await rgi(`${line} --out @parts`, aborted)).code).toBe(3);
  const before = recordsOf('parts').length;
  expect(before).toBeGreaterThan(0);
  expect(before).toBeLessThan(18);
  expect(resultsOf('parts').complete).toBe(false);
  // The last line is torn, as by a crash while it was written.
  const records = path.join(file('parts'), 'journal.jsonl');
  truncateSync(records, readFileSync(records).length - 40);

  expect((await rgi(`${line} --out @parts`)).err).toContain('already holds results');
  expect((await rgi(`${line} --out @parts --resume`)).code).toBe(0);
  const sorted = (name: string) => timeless(recordsOf(name)).sort((a, b) => a.key.localeCompare(b.key));
  const keys = new Map(sorted('parts').map((record) => [record.key, record]));
  expect([...keys.values()]).toEqual(sorted('whole'));
  expect(resultsOf('parts').results.map((r) => r.metrics.psnr)).toEqual(
    resultsOf('whole').results.map((r) => r.metrics.psnr),
  );
});

test('a method added later takes over what was done; another seed takes nothing', async () => {
  const line = `evaluate inpaint @clean --generator @g.onnx --threads 1 --cases block --count 2 --pictures 0 --out @more`;
  await rgi(`${line} --methods invert:steps=20`);
  await rgi(`${line} --methods invert:steps=20,invert:steps=30 --resume`);
  expect(recordsOf('more').map((record) => record.method)).toEqual([
    'invert:steps=20',
    'invert:steps=20',
    'invert:steps=30',
    'invert:steps=30',
  ]);
  await rgi(`${line} --methods invert:steps=20 --seed 1 --resume`);
  expect(recordsOf('more')).toHaveLength(6);
  expect(resultsOf('more').results).toHaveLength(1);
});

test('a picture that cannot be read is named, the others are done', async () => {
  mkdirSync(file('damaged'));
  writeFileSync(file('damaged/a.png'), 'no picture');
  writeFileSync(file('damaged/b.npy'), readFileSync(file('clean/p0.npy')));
  const said = await rgi(
    'evaluate inpaint @damaged --generator @g.onnx --threads 1 --cases block --methods invert:steps=5 --out @partly --json --quiet',
  );
  expect(said.code).toBe(4);
  const { failed, results } = JSON.parse(said.out) as Results;
  expect(failed.map((one) => path.basename(one.file))).toEqual(['a.png']);
  expect(results).toMatchObject([{ n: 1, metrics: { psnr: { n: 1, meanInterval: null } } }]);
});

test('what cannot be is said before anything is computed', async () => {
  const line = 'evaluate inpaint @clean --generator @g.onnx --out @never';
  expect((await rgi(`${line} --methods dgp`)).err).toMatchInlineSnapshot(`
    "error: The method 'dgp': dgp needs the true mask; write dgp+mask.
    "
  `);
  expect((await rgi(`${line} --cases hole`)).code).toBe(2);
  expect((await rgi(`evaluate inpaint @nowhere --generator @g.onnx --out @never`)).code).toBe(2);
  expect((await rgi(`${line} --methods rgi:fast:mask-form=free`)).err).toMatchInlineSnapshot(`
    "error: The method 'rgi:fast:mask-form=free': The preset 'fast' works with the exact mask; a free mask goes with --preset paper.
    "
  `);
  expect(existsSync(file('never'))).toBe(false);
});
