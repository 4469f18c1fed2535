/** `policy` in an evaluation is what `rgi detect` does: the same maps, the policy's own threshold; the generator's own held pictures. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readNpy } from '../../src/arrays/npy.ts';
import { run } from '../../src/cli/program.ts';
import { storedPicture } from '../../src/datasets/dataset.ts';
import { writePolicy } from '../../src/detect/node/policy-files.ts';
import type { Policy } from '../../src/detect/policy.ts';
import type { Results } from '../../src/evaluate/record.ts';
import { pictureDigest } from '../../src/gan/node/files.ts';
import type { Image } from '../../src/images/image.ts';
import { readPicture } from '../../src/images/node/read.ts';
import { encodePng, writeMask } from '../../src/images/node/write.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { goodPictures, productGraph, SIDE, withSquare } from '../detect/made.ts';
import { expectClose } from '../support/close.ts';

/** Residuals as they are, in units of a tenth. */
const POLICY: Policy = {
  name: 'default',
  format: 1,
  form: 'object',
  scale: 1,
  stride: 8,
  inversion: { thresholdGrey: 25, prior: 0, steps: 40, starts: 2 },
  evidence: { blur: 0, smoothing: 0.7 },
  thresholds: { pixel: 3, image: 4 },
  falseAlarms: { pixel: 0.002, image: 0.01 },
  leastArea: 0,
  scorePixels: 1,
  displayHigh: 9,
  calibration: { pictures: 20, unseen: 10 },
  statistics: { location: float32([0], [1, 1, 1, 1]), whitening: float32([10], [1, 1, 1, 1]) },
};

let root: string;
const file = (...parts: string[]) => path.join(root, ...parts);

async function rgi(line: string) {
  let err = '';
  const io = {
    out: () => {},
    err: (text: string) => {
      err += text;
    },
    terminal: false,
    colour: false,
    signal: new AbortController().signal,
    worker: false,
  };
  const code = await run(
    line.split(' ').map((word) => word.replaceAll('@', `${root}${path.sep}`)),
    io,
  );
  return { code, err: err.replaceAll(`${root}${path.sep}`, '') };
}

beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'rgi-product-'));
  const good = await goodPictures(nodeRuntime({ threads: 1 }), 22, 1);
  for (const folder of ['set/train/good', 'set/test/good', 'set/test/square', 'set/ground_truth/square'])
    mkdirSync(file(folder), { recursive: true });
  const put = async (name: string, image: Image) => writeFileSync(file(name), await encodePng(image));
  for (const [i, image] of good.slice(0, 20).entries()) await put(`set/train/good/${i}.png`, image);
  await put('set/test/good/a.png', good[20]);
  await put('set/test/square/b.png', withSquare(good[21]));
  const truth = good[21].data.map((v, i) => (v === withSquare(good[21]).data[i] ? 0 : 1));
  await writeMask(file('set/ground_truth/square/b_mask.png'), float32(truth, [1, 1, SIDE, SIDE]));
  // It says that it has learnt from the first ten.
  const seen = [];
  for (let i = 0; i < 10; i++)
    seen.push(pictureDigest(storedPicture('', (await readPicture(file(`set/train/good/${i}.png`))).image)));
  const training = JSON.stringify({ source: { kind: 'object', scale: 1, seen: seen.join('') } });
  writeFileSync(file('part.onnx'), encodeModel(productGraph(), new Map([['rgi.training', training]])));
  await writePolicy(file('part.onnx'), POLICY);
  await writePolicy(file('part.onnx'), { ...POLICY, name: 'tiles', form: 'tiles' });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('its maps are those of rgi detect, its threshold is the policy’s', async () => {
  const common = '--generator @part.onnx --threads 1 --quiet';
  expect((await rgi(`detect @set/test/square/b.png ${common} --out @found`)).code).toBe(0);
  expect((await rgi(`evaluate detect @set ${common} --methods policy,gaussian --out @table`)).code).toBe(0);
  const { results, settings } = JSON.parse(readFileSync(file('table/results.json'), 'utf8')) as Results;
  const maps = file('table/maps/policy');
  expect(JSON.parse(readFileSync(path.join(maps, 'calibration.json'), 'utf8')).threshold).toBe(POLICY.thresholds.pixel);
  const detected = readNpy(readFileSync(file('found/b.map.npy')));
  const own = readdirSync(maps)
    .filter((name) => name.endsWith('.npy'))
    .map((name) => readNpy(readFileSync(path.join(maps, name))))
    .find((map) => Math.max(...float32Data(map)) > POLICY.thresholds.image)!;
  expectClose(own, detected, 1e-3, 'the map');
  const square = results.find((result) => result.case === 'square' && result.method === 'policy')!;
  expect(square.metrics.pixel_auroc).toMatchObject({ n: 2 });
  expect((square.metrics.dice_calibrated as { pooled: number }).pooled).toBeGreaterThan(0.5);
  // The ten that the generator was not trained on set the other method's threshold.
  expect(settings).toMatchObject({ held: 10, learnt: 10 });
});

test('pictures larger than the generator’s are inspected by tiles', async () => {
  const line = 'evaluate detect @set --generator @part.onnx --threads 1 --size 24 --methods policy:tiles --out @tiles';
  expect(await rgi(`${line} --quiet`)).toEqual({ code: 0, err: '' });
  const { results, settings } = JSON.parse(readFileSync(file('tiles/results.json'), 'utf8')) as Results;
  expect(settings).toMatchObject({ size: [1, 24, 24] });
  expect(results[0].metrics.pixel_auroc).toMatchObject({ n: 2 });
});

test('what cannot be is said', async () => {
  const line = 'evaluate detect @set --out @never';
  expect((await rgi(`${line} --methods policy:strict --generator @part.onnx`)).err).toMatchInlineSnapshot(`
    "error: part.onnx has no policy 'strict'; it has 'default', 'tiles'. 'rgi calibrate GOOD_FOLDER --generator part.onnx --name strict' makes one.
    "
  `);
  const mixed = '--methods policy:tiles,rgi --generator @part.onnx --threads 1';
  expect((await rgi(`${line} ${mixed}`)).err).toMatchInlineSnapshot(`
    "error: The method 'policy:tiles' inspects pictures by tiles and 'rgi' whole pictures of the generator's size: evaluate them in separate runs.
    "
  `);
  expect((await rgi(`${line} --methods policy`)).err).toMatchInlineSnapshot(`
    "error: The method 'policy' needs a generator of good pictures: give it with --generator.
    "
  `);
});
