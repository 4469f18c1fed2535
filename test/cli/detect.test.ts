/** `rgi calibrate` and `rgi detect` on a tiny product: files, formats, resuming, interrupting, broken pictures. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readNpy, writeNpy } from '../../src/arrays/npy.ts';
import { fitLinear } from '../../src/gan/networks/linear.ts';
import { type Image, stackImages } from '../../src/images/image.ts';
import { readPicture } from '../../src/images/node/read.ts';
import { encodePng } from '../../src/images/node/write.ts';
import { resize } from '../../src/images/resize.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { goodPictures, withSquare } from '../detect/made.ts';
import { tinyFeatureFile } from '../features/tiny.ts';
import { runIn } from './bench.ts';

let folder: string;
const file = (name: string) => path.join(folder, name);

async function rgi(line: string, signal = new AbortController().signal) {
  // One thread each: several tests share the machine.
  const { code, out, err } = await runIn(folder, `${line} --threads 1`, signal);
  return { code, out, err: err.replaceAll(`${folder}${path.sep}`, '') };
}

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'rgi-detect-'));
  const runtime = await nodeRuntime({ threads: 1 });
  const good = await goodPictures(runtime, 22, 1);
  const linear = await fitLinear(stackImages(await goodPictures(runtime, 200, 2)), 40, runtime);
  await runtime.dispose();
  for (const name of ['good', 'new']) mkdirSync(file(name));
  const put = async (name: string, image: Image) => writeFileSync(file(name), await encodePng(image));
  for (const [i, image] of good.slice(0, 20).entries()) await put(`good/${i}.png`, image);
  await put('new/a.png', good[20]);
  await put('new/b.png', withSquare(good[21]));
  await put('new/wide.png', resize(withSquare(good[21]), { height: 40, width: 60 }));
  const companions = JSON.stringify({ encoder: { file: 'part.encoder.onnx' } });
  writeFileSync(file('part.onnx'), encodeModel(linear.generator, new Map([['rgi.companions', companions]])));
  writeFileSync(file('part.encoder.onnx'), encodeModel(linear.encoder));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('three commands', () => {
  test('detect refuses a model that is not calibrated', async () => {
    expect(await rgi('detect @new --generator @part.onnx --out @o')).toMatchObject({
      code: 2,
      err: "error: part.onnx is not calibrated: run 'rgi calibrate GOOD_FOLDER --generator part.onnx' first.\n",
    });
    expect(existsSync(file('o'))).toBe(false);
    // A name that every object of JavaScript has is no policy, either.
    expect((await rgi('detect @new --generator @part.onnx --policy toString --out @o')).err).toContain(
      'is not calibrated',
    );
  });

  test('an interrupted calibration stores nothing', async () => {
    const before = readFileSync(file('part.onnx'));
    const { code, err } = await rgi('calibrate @good --generator @part.onnx', AbortSignal.abort());
    expect({ code, err }).toEqual({ code: 3, err: 'Interrupted; nothing was stored.\n' });
    expect(readFileSync(file('part.onnx'))).toEqual(before);
  });

  test('calibrate stores a policy and says what it knows', async () => {
    const { code, err, out } = await rgi(
      'calibrate @good --generator @part.onnx --no-features --false-alarms 0.02 --json',
    );
    expect(code).toBe(0);
    const said = JSON.parse(out) as { form: string; thresholds: { pixel: number; image: number }; notes: string[] };
    expect(said.form).toBe('object');
    expect(said.thresholds.image).toBeGreaterThan(said.thresholds.pixel);
    expect(said.notes).toContain(
      'The model does not record its training pictures. If these are among them, thresholds will be too low; use other pictures.',
    );
    expect(err).toContain(
      'note: Thresholds are set on 20 good pictures only: no rate of false alarms below 5% can be known',
    );
    expect(statSync(file('part.policy.npz')).size).toBeGreaterThan(300);
  });

  test('calibrate compares the features of a network that is named, and refuses what is none', async () => {
    writeFileSync(file('tiny.onnx'), tinyFeatureFile(16));
    const line = 'calibrate @good --generator @part.onnx --name featured --steps 10 --json';
    const { code, out } = await rgi(`${line} --features @tiny.onnx`);
    expect(code).toBe(0);
    const said = JSON.parse(out) as { calibration: { spaces: string }; features?: { network: { file: string } } };
    expect(['both', 'pixels', 'features']).toContain(said.calibration.spaces);
    expect(said.features?.network.file).toBe(said.calibration.spaces === 'pixels' ? undefined : 'tiny.onnx');
    expect(await rgi(`${line} --features @part.onnx --quiet`)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^error: part\.onnx does not say which range of values its input takes: /),
    });
  });

  test('detect writes maps at the size of each picture, scores, and a manifest', async () => {
    const { code, err } = await rgi('detect @new --generator @part.onnx --out @o');
    expect({ code, last: err.trim().split('\n').at(-1) }).toEqual({
      code: 0,
      last: '2 of 3 pictures are defective; results in o',
    });
    expect(readdirSync(file('o')).sort()).toEqual([
      ...['a', 'b'].flatMap((name) =>
        ['map.npy', 'map.png', 'mask.png', 'overlay.png'].map((kind) => `${name}.${kind}`),
      ),
      'journal.jsonl',
      'manifest.json',
      'results.jsonl',
      'scores.csv',
      ...['map.npy', 'map.png', 'mask.png', 'overlay.png'].map((kind) => `wide.${kind}`),
    ]);
    expect(readNpy(readFileSync(file('o/b.map.npy'))).dims).toEqual([16, 16]);
    expect(readNpy(readFileSync(file('o/wide.map.npy'))).dims).toEqual([40, 60]);
    expect((await readPicture(file('o/wide.overlay.png'))).source).toMatchObject({ height: 40, width: 60 });
    const lines = readFileSync(file('o/results.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ name, defective }) => [name, defective])).toEqual([
      ['a', false],
      ['b', true],
      ['wide', true],
    ]);
    const [first] = lines[1].defects;
    expect(Math.abs(first.at.y - 6.5)).toBeLessThan(3);
    expect(Math.abs(first.at.x - 7.5)).toBeLessThan(3);
    expect(lines[2].message).toBe('33% of the picture, outside its central square, was not inspected.');
    const csv = readFileSync(file('o/scores.csv'), 'utf8').split('\n');
    expect(csv[0]).toBe('name,path,status,score,verdict,defects,marked_share,message');
    expect(csv[2]).toMatch(/^b,.*b\.png,done,[\d.]+,defective,/);
    const manifest = JSON.parse(readFileSync(file('o/manifest.json'), 'utf8'));
    expect(manifest).toMatchObject({
      kind: 'detect',
      complete: true,
      pictures: 3,
      defective: 2,
      policy: { name: 'default' },
    });
    // The scale belongs to the policy, whatever picture is drawn.
    expect(manifest.mapScale).toMatchObject({ black: 0, white: manifest.policy.displayHigh });
  });

  test('a resumed run does again only what is missing or changed', async () => {
    const time = (name: string) => statSync(file(`o/${name}`)).mtimeMs;
    const before = [time('a.map.npy'), time('b.map.npy')];
    rmSync(file('o/b.mask.png'));
    const { code, out } = await rgi('detect @new --generator @part.onnx --out @o --resume --json');
    expect(code).toBe(0);
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).name),
    ).toEqual(['a', 'b', 'wide']);
    expect(time('a.map.npy')).toBe(before[0]);
    expect(time('b.map.npy')).toBeGreaterThan(before[1]);
    expect(existsSync(file('o/b.mask.png'))).toBe(true);
    await rgi('calibrate @good --generator @part.onnx --name other');
    expect(await rgi('detect @new --generator @part.onnx --out @o --resume --policy other')).toMatchObject({
      code: 2,
      err: "error: o holds results of 'rgi detect' with other settings or networks: --resume continues with the same settings only; use another --out, or replace what is there with --overwrite.\n",
    });
  });

  test('a broken picture is told, the others are inspected, and the exit code says so', async () => {
    writeFileSync(file('new/c.png'), 'no picture');
    const { code, err } = await rgi('detect @new --generator @part.onnx --out @o2 --quiet');
    expect({ code, err }).toEqual({
      code: 4,
      err: 'error: new/c.png is not a picture (JPEG, PNG, WebP, TIFF, GIF, AVIF, BMP, PNM or .npy), or its beginning is damaged.\n',
    });
    expect(readFileSync(file('o2/scores.csv'), 'utf8')).toContain('c.png,failed');
    rmSync(file('new/c.png'));
  });

  test('an interrupted run exits 3 and can be resumed', async () => {
    const { code, err } = await rgi('detect @new --generator @part.onnx --out @o3', AbortSignal.abort());
    expect(code).toBe(3);
    expect(err).toContain('Run the same command with --resume to continue.');
    expect(JSON.parse(readFileSync(file('o3/manifest.json'), 'utf8')).complete).toBe(false);
    expect((await rgi('detect @new --generator @part.onnx --out @o3 --resume --quiet')).code).toBe(0);
  });

  test('of an array of several pictures, a resumed run does those that are missing', async () => {
    const good = file('new/a.png');
    const { image } = await readPicture(good);
    const stack = stackImages([image, withSquare(image), image]);
    writeFileSync(file('stack.npy'), writeNpy(stack));
    const line = 'detect @stack.npy --generator @part.onnx --out @o5 --quiet';
    expect((await rgi(line)).code).toBe(0);
    const results = file('o5/results.jsonl');
    const lines = readFileSync(results, 'utf8').trim().split('\n');
    expect(lines.map((one) => JSON.parse(one).name)).toEqual(['stack.0', 'stack.1', 'stack.2']);
    const time = () => statSync(file('o5/stack.0.map.npy')).mtimeMs;
    const before = time();
    // As if it had been killed after the first of the three.
    const journal = file('o5/journal.jsonl');
    writeFileSync(journal, `${readFileSync(journal, 'utf8').split('\n')[0]}\n`);
    expect((await rgi(`${line} --resume`)).code).toBe(0);
    const again = readFileSync(results, 'utf8').trim().split('\n');
    expect(again.map((one) => JSON.parse(one).name)).toEqual(['stack.0', 'stack.1', 'stack.2']);
    expect(time()).toBe(before);
  });

  test('by tiles, larger pictures are inspected whole, at their own size', async () => {
    const said = await rgi('calibrate @good --generator @part.onnx --form tiles --stride 12 --name tiles --quiet');
    expect(said).toMatchObject({ code: 0, err: '' });
    await rgi('detect @new/wide.png --generator @part.onnx --policy tiles --out @o4 --quiet');
    const [record] = readFileSync(file('o4/results.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(record).toMatchObject({ width: 60, height: 40, status: 'done' });
    expect(record.message).toBeUndefined();
    expect(readNpy(readFileSync(file('o4/wide.map.npy'))).dims).toEqual([40, 60]);
  });
});
