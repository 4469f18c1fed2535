/** The demo on models made here, small enough for seconds: what it computes, says and writes. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DemoPlan, runDemo } from '../../demo/run.ts';
import type { Io } from '../../src/cli/io.ts';
import { exportNetwork } from '../../src/gan/export.ts';
import { clip, type Image, imagesOf } from '../../src/images/image.ts';
import { writePicture } from '../../src/images/node/write.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { tinyGenerator } from '../support/tiny.ts';

const SIZE = 16;
const LATENT = 4;
let folder: string;
let plan: DemoPlan;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'rgi-demo-'));
  for (const [name, channels] of [
    ['colour', 3],
    ['grey', 1],
  ] as const) {
    const place = path.join(folder, 'models', name);
    mkdirSync(path.join(place, 'pictures'), { recursive: true });
    const graph = tinyGenerator(channels, SIZE, LATENT);
    const licence = { name: 'CC BY 4.0', attribution: 'Drawn by <nobody>' };
    const facts = { channels, size: SIZE, latent: LATENT, training: {}, licence };
    const bytes = exportNetwork(graph, 'generator', facts);
    writeFileSync(path.join(place, 'generator.onnx'), bytes);
    const session = await nodeRuntime().session(bytes);
    const z = float32(randomFrom(9).normals(3 * LATENT), [3, LATENT]);
    const made = (await session.run(new Map([['z', z]]))).get('image') as Image;
    await session.dispose();
    for (const [i, image] of imagesOf(clip(made)).entries())
      await writePicture(path.join(place, 'pictures', `${i}.png`), image);
  }
  plan = {
    models: path.join(folder, 'models'),
    sets: [
      { model: 'colour', title: 'Colour & co', cases: ['block', 'random', 'scratches'] },
      { model: 'grey', title: 'Grey', cases: ['irregular', 'strips'] },
    ],
    search: { index: 1, frames: 3 },
    seed: 1,
    out: path.join(folder, 'out'),
  };
});

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
  for (const value of Object.values(figures!)) expect(value).toSatisfy(Number.isFinite);
  // 8 bits of the truth are 59 dB; what was given is far from it.
  expect(figures!.restored).toBeGreaterThan(35);
  expect(figures!.before).toBeLessThan(25);
  expect(figures!.iou).toBeGreaterThan(0.9);
  expect(said.join('')).toContain(`Open ${file}\n`);
  const again = await runDemo(plan, quietIo().io);
  const { seconds: _, secondsPerPicture: __, ...same } = figures!;
  expect(again.figures).toMatchObject(same);
});

test('the page needs nothing from elsewhere, runs no script, and names every picture', () => {
  const page = readFileSync(path.join(plan.out, 'index.html'), 'utf8');
  const sources = [...page.matchAll(/<img[^>]* src="([^"]*)"/g)].map(([, source]) => source);
  // Five pictures in the top row twice, six of each in its card; the search: what was given and three frames of two.
  expect(sources.length).toBeGreaterThan(30);
  expect(sources.filter((source) => !source.startsWith('data:image/png;base64,'))).toEqual([]);
  const fetched = [...page.matchAll(/url\(["']?([^"')]*)/g)].map(([, source]) => source);
  expect(fetched.filter((source) => !source.startsWith('data:'))).toEqual([]);
  expect(page.match(/<script|<link|@import|<iframe/)).toBe(null);
  expect(page.includes("script-src 'none'")).toBe(true);
  expect([...page.matchAll(/<img(?![^>]* alt=)[^>]*>/g)]).toEqual([]);
  expect(page.includes('Colour &amp; co')).toBe(true);
  expect(page.includes('Drawn by &lt;nobody&gt;. CC BY 4.0')).toBe(true);
  expect(page.includes('NaN')).toBe(false);
});

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
