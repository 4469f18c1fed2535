/** `rgi export`, and `rgi evaluate detect --detector` on what it wrote: files, lines, refusals; and the example of the documentation. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toBytes } from '../../src/detect/export/check.ts';
import { describeDetector } from '../../src/detect/export/facts.ts';
import { writePolicy } from '../../src/detect/node/policy-files.ts';
import { clip, type Image, shapeOf } from '../../src/images/image.ts';
import { encodePng } from '../../src/images/node/write.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { readModel } from '../../src/onnx/read.ts';
import { encoderGraph, searchPolicy, testPictures } from '../detect/exported.ts';
import { productGraph, SIDE } from '../detect/made.ts';
import { runIn } from './bench.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
let folder: string;
const file = (name: string) => path.join(folder, name);

async function rgi(line: string) {
  const { err, ...said } = await runIn(folder, `${line} --threads 1`);
  return { ...said, err: err.replaceAll(`${folder}${path.sep}`, '') };
}

const png = (image: Image) => encodePng(clip(image));

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'rgi-export-'));
  writeFileSync(file('part.onnx'), encodeModel(productGraph()));
  writeFileSync(file('encoder.onnx'), encodeModel(encoderGraph()));
  await writePolicy(file('part.onnx'), searchPolicy());
  for (const kind of ['good', 'defect']) mkdirSync(path.join(folder, 'set', kind), { recursive: true });
  for (const [i, image] of testPictures(24).entries())
    writeFileSync(path.join(folder, 'set', i % 2 === 1 && i > 16 ? 'defect' : 'good', `${i}.png`), await png(image));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('a model is written as a detector file that says what it was made from', async () => {
  const { code, err } = await rgi('export @part.onnx --encoder @encoder.onnx --as @detector.onnx');
  expect(err).toMatch(
    /^detector\.onnx: 0\.\d MB; its maps differ from those of 'rgi detect' by \d+e-\d+ at most, on two pictures\.\n$/,
  );
  expect(code).toBe(0);
  const model = readModel(readFileSync(file('detector.onnx')));
  expect(describeDetector(model, 'detector.onnx')).toMatchObject({ channels: 1, height: SIDE, width: SIDE, batch: 1 });
  expect(JSON.parse(model.metadata.get('rgi.detector')!)).toMatchObject({
    format: 1,
    policy: 'default',
    generator: { file: 'part.onnx' },
    encoder: { file: 'encoder.onnx' },
  });
});

test('what was written is evaluated as it will be run', { timeout: 60_000 }, async () => {
  const { code, err } = await rgi('evaluate detect @set --detector @detector.onnx --out @table --held 4 --pictures 0');
  expect([code, err.includes('error')]).toEqual([0, false]);
  const { results } = JSON.parse(readFileSync(file('table/results.json'), 'utf8'));
  expect(results.map(({ method }: { method: string }) => method)).toEqual(expect.arrayContaining(['detector']));
});

test.each([
  [
    'export @part.onnx --as @x.onnx',
    "error: The policy 'default' cannot be exported: it searches from random starts that compete, which a graph of a fixed number of steps cannot do; what can be exported is a policy of a linear generator, or of one with an encoder (--encoder).\n",
  ],
  [
    'export @encoder.onnx --latent z --as @encoder.onnx',
    'error: --as encoder.onnx is the model itself: give the detector another name.\n',
  ],
  [
    'export @part.onnx --encoder @encoder.onnx --as @encoder.onnx',
    'error: --as encoder.onnx is a network that the detector is made of: give it another name.\n',
  ],
  [
    'evaluate detect @set --methods detector --out @y',
    "error: The method 'detector' needs a file of 'rgi export': give it with --detector.\n",
  ],
  [
    'evaluate detect @set --detector @encoder.onnx --out @y',
    "error: encoder.onnx is no detector file: 'rgi export MODEL.onnx --as encoder.onnx' makes one.\n",
  ],
])('%s is refused', async (line, sentence) => {
  const { code, err } = await rgi(line);
  expect([code, err]).toEqual([2, sentence]);
});

test('the example of docs/detector.md runs, with onnxruntime-node and sharp alone', { timeout: 60_000 }, async () => {
  await rgi('export @part.onnx --encoder @encoder.onnx --pixels uint8 --as @bytes.onnx --quiet');
  const [, script] = readFileSync(path.join(ROOT, 'docs', 'detector.md'), 'utf8').match(/```js\n([\s\S]*?)```/)!;
  writeFileSync(file('inspect.mjs'), script);
  symlinkSync(path.join(ROOT, 'node_modules'), file('node_modules'));
  const session = await InferenceSession.create(file('bytes.onnx'));
  for (const picture of testPictures(2).map((picture) => clip(picture))) {
    expect(shapeOf(picture).height).toBe(SIDE);
    writeFileSync(file('photo.png'), await png(picture));
    const said = execFileSync(process.execPath, ['inspect.mjs', 'bytes.onnx', 'photo.png'], { cwd: folder });
    const { data, dims } = toBytes(picture);
    const { score, defective } = await session.run({ image: new Tensor('uint8', data, dims) });
    const verdict = (defective.data as Uint8Array)[0] ? 'defective' : 'good';
    expect(said.toString()).toBe(`${verdict} ${(score.data as Float32Array)[0].toFixed(2)}\n`);
  }
  await session.release();
});
