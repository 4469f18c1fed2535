/** A search that the studio began at an earlier result, and the command of its manifest: without a browser, with the engine's own code. */
import { readFileSync, writeFileSync } from 'node:fs';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRuntime } from '../../src/runtime/node/index.ts';
import type { RestoreRequest } from '../../src/studio/engine.ts';
import { newItem } from '../../src/studio/page/restore/items.ts';
import { commandOf, latentsName } from '../../src/studio/page/restore/manifest.ts';
import { createGate } from '../../src/studio/worker/gate.ts';
import { latentsFile } from '../../src/studio/worker/latents.ts';
import { createModels } from '../../src/studio/worker/models.ts';
import { restorePicture } from '../../src/studio/worker/restoring.ts';
import { type Bench, makeBench } from '../cli/bench.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.remove());

test.each([
  ['g.onnx', 3],
  ['grey.onnx', 1],
])('with %s: rgi gives the picture of the studio, to the last bit', async (file, channels) => {
  const black = { create: { width: 3, height: 2, channels: 3 as const, background: 'black' } };
  const damaged = sharp(bench.file('a.png')).composite([{ input: black, left: 1, top: 4 }]);
  writeFileSync(bench.file('photo.png'), await damaged.png().toBuffer());
  const rgba = new Uint8ClampedArray(await sharp(bench.file('photo.png')).ensureAlpha().raw().toBuffer());
  const picture = { name: 'photo.png', width: 8, height: 8, rgba };
  writeFileSync(bench.file('generator.onnx'), readFileSync(bench.file(file)));

  const runtime = await createRuntime();
  const models = createModels(runtime);
  const { id } = await models.open([{ name: file, bytes: readFileSync(bench.file(file)) }]);
  const request: RestoreRequest = { model: id, picture, method: 'rgi', seed: 3, fit: 'contain', steps: 20 };
  const restored = (more: Partial<RestoreRequest>) =>
    restorePicture('', models.get(id), { ...request, ...more }, { runtime, gate: createGate(), tell: () => {} });
  const { latents } = await restored({});
  const result = await restored({ thresholdGrey: 30, latents });
  expect((await restored({ thresholdGrey: 30 })).latents).not.toEqual(result.latents);
  await runtime.dispose();

  const item = { ...newItem(1, picture, 'image/png'), used: { threshold: 30, strokes: [], latents } };
  writeFileSync(bench.file(latentsName(item)), latentsFile(models.get(id).opened.generator, latents!));
  const files = new Set(['photo.png', 'generator.onnx', 'photo.latents.npz', 'restored']);
  const words = commandOf(item, result.settings, { channels }, undefined).map((word) =>
    files.has(word) ? `@${word}` : word,
  );
  expect(words).toContain('--from-latents');
  expect(await bench.rgi([...words, '--overwrite'].join(' '))).toMatchObject({ code: 0 });
  const composite = await sharp(bench.file('restored/photo.composite.png')).ensureAlpha().raw().toBuffer();
  expect(Uint8ClampedArray.from(composite)).toEqual(result.composite.rgba);
});
