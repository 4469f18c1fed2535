/** The demo on models made here, small enough for seconds: what it computes, says and writes. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DemoPlan, runDemo } from '../../demo/run.ts';
import { browse, chromium } from '../../scripts/chromium.ts';
import type { Io } from '../../src/cli/io.ts';
import { writePolicy } from '../../src/detect/node/policy-files.ts';
import type { Policy } from '../../src/detect/policy.ts';
import { exportNetwork } from '../../src/gan/export.ts';
import { clip, type Image, imagesOf } from '../../src/images/image.ts';
import { writePicture } from '../../src/images/node/write.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { needs } from '../support/needs.ts';
import { tinyGenerator } from '../support/tiny.ts';

const LATENT = 4;
let folder: string;
let plan: DemoPlan;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'rgi-demo-'));
  await makeModel('colour', 3, 16, 3);
  await makeModel('grey', 1, 16, 3);
  await makeModel('product', 3, 32, 0);
  await writePolicy(path.join(folder, 'models', 'product', 'generator.onnx'), POLICY);
  plan = {
    models: path.join(folder, 'models'),
    sets: [
      { model: 'colour', title: 'Colour & co', cases: ['block', 'random', 'scratches'] },
      { model: 'grey', title: 'Grey', cases: ['irregular', 'strips'] },
    ],
    search: { index: 1, frames: 3 },
    inspection: { model: 'product', defective: 4, good: 2 },
    seed: 1,
    out: path.join(folder, 'out'),
  };
});

/** A tiny generator, and some of its own pictures. */
async function makeModel(name: string, channels: number, size: number, pictures: number): Promise<void> {
  const place = path.join(folder, 'models', name);
  mkdirSync(path.join(place, 'pictures'), { recursive: true });
  const graph = tinyGenerator(channels, size, LATENT);
  const licence = { name: 'CC BY 4.0', attribution: 'Drawn by <nobody>' };
  const bytes = exportNetwork(graph, 'generator', { channels, size, latent: LATENT, training: {}, licence });
  writeFileSync(path.join(place, 'generator.onnx'), bytes);
  if (pictures === 0) return;
  const session = await nodeRuntime().session(bytes);
  const z = float32(randomFrom(9).normals(pictures * LATENT), [pictures, LATENT]);
  const made = (await session.run(new Map([['z', z]]))).get('image') as Image;
  await session.dispose();
  for (const [i, image] of imagesOf(clip(made)).entries())
    await writePicture(path.join(place, 'pictures', `${i}.png`), image);
}

/** Residuals are counted in pairs of grey levels: the noise that the demo adds has one, a defect four and more. */
const POLICY: Policy = {
  name: 'default',
  format: 1,
  form: 'object',
  scale: 1,
  stride: 16,
  inversion: { thresholdGrey: 25, prior: 0, steps: 100, starts: 4 },
  evidence: { blur: 0, smoothing: 0 },
  thresholds: { pixel: 6, image: 8 },
  falseAlarms: { pixel: 0.01, image: 0.01 },
  leastArea: 1,
  scorePixels: 1,
  displayHigh: 12,
  calibration: { pictures: 10, unseen: 10 },
  statistics: {
    location: float32(new Float32Array(3), [1, 3, 1, 1]),
    // The identity's lower triangle, in units of two grey levels.
    whitening: float32(
      [1, 0, 1, 0, 0, 1].map((v) => (v * 127.5) / 2),
      [1, 6, 1, 1],
    ),
  },
};

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function quietIo(signal = new AbortController().signal) {
  const said: string[] = [];
  const io: Io = {
    out: () => {},
    err: (text) => said.push(text),
    terminal: false,
    colour: false,
    signal,
    worker: false,
  };
  return { io, said };
}

test('pictures of the generator come back, without a mask; the figures say so, and are the same in a second run', async () => {
  const { io, said } = quietIo();
  const { exitCode, figures, file } = await runDemo(plan, io);
  expect(exitCode).toBe(0);
  expect(figures!.pictures).toBe(5);
  const { inspection, ...numbers } = figures!;
  for (const value of Object.values(numbers)) expect(value).toSatisfy(Number.isFinite);
  expect(inspection).toEqual({ pixelAuroc: expect.any(Number), defects: 4, marked: 4, found: 4, good: 2, passed: 2 });
  expect(inspection!.pixelAuroc).toBeGreaterThan(0.95);
  // 8 bits of the truth are 59 dB; what was given is far from it.
  expect(figures!.restored).toBeGreaterThan(35);
  expect(figures!.before).toBeLessThan(25);
  expect(figures!.iou).toBeGreaterThan(0.9);
  expect(said.join('')).toContain(`Open ${file}\n`);
  const again = await runDemo(plan, quietIo().io);
  const { seconds: _, secondsPerPicture: __, ...same } = figures!;
  expect(again.figures).toMatchObject(same);
}, 300_000);

test('the page needs nothing from elsewhere and names every picture', () => {
  const page = readFileSync(path.join(plan.out, 'index.html'), 'utf8');
  const sources = [...page.matchAll(/<img[^>]* src="([^"]*)"/g)].map(([, source]) => source);
  // Five pictures in the top row twice, six of each in its card; the search: what was given and three frames of two.
  expect(sources.length).toBeGreaterThan(30);
  expect(sources.filter((source) => !source.startsWith('data:image/png;base64,'))).toEqual([]);
  const fetched = [...page.matchAll(/url\(["']?([^"')]*)/g)].map(([, source]) => source);
  expect(fetched.filter((source) => !source.startsWith('data:'))).toEqual([]);
  expect(page.match(/<script [^>]|<link|@import|<iframe/)).toBe(null);
  expect([...page.matchAll(/<img(?![^>]* alt=)[^>]*>/g)]).toEqual([]);
  expect(page.includes('Colour &amp; co')).toBe(true);
  expect(page.includes('Drawn by &lt;nobody&gt;. CC BY 4.0')).toBe(true);
  // The page's own script speaks of NaN.
  expect(page.replace(/<script>[\s\S]*<\/script>/, '').includes('NaN')).toBe(false);
});

test.skipIf(!chromium)(
  needs(chromium !== undefined, 'skipped: no Chromium was found', 'on a phone nothing sticks out'),
  () => {
    const frame = `<!doctype html><title>-</title><iframe width="375" height="3000" src="out/index.html"></iframe>
<script>onload = () => { document.title = document.querySelector('iframe').contentDocument.documentElement.scrollWidth; };</script>`;
    const outer = path.join(folder, 'outer.html');
    writeFileSync(outer, frame);
    const dom = browse(folder, outer, '--dump-dom', '--allow-file-access-from-files', '--virtual-time-budget=3000');
    expect(Number(dom.match(/<title>(.*?)<\/title>/)![1])).toBe(375);
  },
);

test('interrupted, it says so, exits with 3 and leaves no page', async () => {
  const interrupted = new AbortController();
  const { io, said } = quietIo(interrupted.signal);
  const out = path.join(folder, 'interrupted');
  const err = (text: string) => {
    if (text.startsWith('Restoring')) interrupted.abort();
    io.err(text);
  };
  expect(await runDemo({ ...plan, out }, { ...io, err })).toEqual({ exitCode: 3 });
  expect(said.at(-1)).toBe('Interrupted; nothing was written.\n');
  expect(existsSync(out)).toBe(false);
});

test('a model that is not there is named', async () => {
  const sets = [{ model: 'none', title: 'None', cases: ['block'] }];
  const file = path.join(plan.models, 'none', 'generator.onnx');
  await expect(runDemo({ ...plan, sets }, quietIo().io)).rejects.toThrow(
    `${file} does not exist: the models come with the repository; check it out anew.`,
  );
});
