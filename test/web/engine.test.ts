/**
 * The studio's engine in headless Chromium, called as the page calls it: what it restores, trains and refuses, and what happens when its
 * worker dies.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromium } from '../../scripts/chromium.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { readModel } from '../../src/onnx/read.ts';
import type { EngineFailure, InspectResult, OpenedModel, RestoreResult, TrainResult } from '../../src/studio/engine.ts';
import { needs } from '../support/needs.ts';
import { type WebSite, webSite } from './site.ts';

const root = path.resolve(import.meta.dirname, '../..');
const face = path.join(root, 'models/cartoon-faces');

const SCRIPT = `
import { createEngine } from '${root}/src/studio/page/engine-client.ts';
const engine = createEngine();
const bytesOf = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer());
const pictureOf = async (name) => {
  const bitmap = await createImageBitmap(await (await fetch(name)).blob(), { colorSpaceConversion: 'none' });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d');
  context.drawImage(bitmap, 0, 0);
  return { name, width, height, rgba: context.getImageData(0, 0, width, height).data };
};
/** Stripes whose place and slope vary a little; with a spot on bad ones. */
const stripes = (seed, spot) => {
  const side = 32;
  const rgba = new Uint8ClampedArray(4 * side * side).fill(255);
  for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) {
    const isSpot = spot && Math.hypot(x - 20, y - 12) < 4;
    const value = isSpot ? 20 : 140 + 60 * Math.sin(x / 3 + Math.sin(seed)) + 20 * Math.cos(y / 4 + 2 * Math.sin(7 * seed)) + 4 * Math.sin(1e4 * Math.sin(seed + 31 * x + 57 * y));
    rgba.fill(value, 4 * (side * y + x), 4 * (side * y + x) + 3);
  }
  return { name: (spot ? 'bad' : 'good') + seed, width: side, height: side, rgba };
};
/** Waves whose phase is any: pixels vary too much to be compared. A spot on bad ones. */
const waves = (seed, spot) => {
  const side = 64;
  const rgba = new Uint8ClampedArray(4 * side * side).fill(255);
  for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) {
    const isSpot = spot && Math.hypot(x - 40, y - 24) < 7;
    const value = isSpot ? 128 : 128 + 70 * Math.sin(x / 2 + 40 * Math.sin(seed)) * Math.cos(y / 3 + 90 * Math.sin(3 * seed));
    rgba.fill(value, 4 * (side * y + x), 4 * (side * y + x) + 3);
  }
  return { name: (spot ? 'bad' : 'good') + seed, width: side, height: side, rgba };
};
const settled = (promise) => promise.then((value) => ({ value }), (failure) => ({ failure }));
Object.assign(window, { engine, bytesOf, pictureOf, stripes, waves, settled, ready: true });
`;

const OPEN = `engine.open([{ name: 'generator.onnx', bytes: await bytesOf('generator.onnx') }, { name: 'encoder.onnx', bytes: await bytesOf('encoder.onnx') }])`;

/** The shipped feature network, which is given pictures of `side` pixels and of which two layers are used: less to compute. */
function smallerFeatures(side: number): Uint8Array {
  const { graph, metadata } = readModel(readFileSync(path.join(root, 'models/features/mobilenet_v2_block10.onnx')));
  const features = { ...JSON.parse(metadata.get('rgi.features')!), size: side, layers: ['block_2_add', 'block_5_add'] };
  return encodeModel(graph, new Map([...metadata, ['rgi.features', JSON.stringify(features)]]));
}

describe.skipIf(!chromium)(
  needs(chromium !== undefined, 'skipped: no Chromium was found', 'the engine in Chromium'),
  () => {
    let site: WebSite;
    let page: Page;
    const run = <T>(body: string, on = page) => on.evaluate<T>(`(async () => { ${body} })()`);

    beforeAll(async () => {
      const pictures = path.join(face, 'pictures');
      const picture = readdirSync(pictures).find((file) => file.endsWith('.png'))!;
      site = await webSite(SCRIPT, {
        'generator.onnx': readFileSync(path.join(face, 'generator.onnx')),
        'encoder.onnx': readFileSync(path.join(face, 'encoder.onnx')),
        'features.onnx': smallerFeatures(64),
        'trousers.onnx': readFileSync(path.join(root, 'models/fashion-trousers/generator.onnx')),
        'trousers.png': readFileSync(path.join(root, 'models/fashion-trousers/pictures/00334.png')),
        'damaged.png': await sharp(path.join(pictures, picture))
          .composite([
            { input: { create: { width: 14, height: 10, channels: 3, background: '#00d0a0' } }, left: 24, top: 30 },
          ])
          .png()
          .toBuffer(),
      });
      page = await site.open();
    });
    afterAll(() => site.close());

    test('opens a shipped generator, and says what it is', async () => {
      const model = await run<OpenedModel>(`window.model = await ${OPEN}; return model;`);
      expect(model).toMatchObject({ name: expect.any(String), width: 64, height: 64, channels: 3 });
    });

    test('restores a damaged face, seen as it happens; what was not found is untouched', async () => {
      const { result, frames, same } = await run<{ result: RestoreResult; frames: number; same: boolean }>(`
      window.picture = await pictureOf('damaged.png');
      let frames = 0;
      const work = engine.restore({ model: model.id, picture, method: 'rgi', seed: 1, fit: 'contain' }, ({ frame }) => { frames += frame ? 1 : 0; });
      const result = await work.result;
      const { composite, mask } = result;
      const same = mask.data.every((on, i) => on || near(i, mask) || [0, 1, 2].every((c) => composite.rgba[4 * i + c] === picture.rgba[4 * i + c]));
      function near(i, { data, width }) { return [-2, -1, 0, 1, 2].some((y) => [-2, -1, 0, 1, 2].some((x) => data[i + y * width + x])); }
      return { result: { code: result.code, maskedShare: result.maskedShare, misfitGrey: result.misfitGrey }, frames, same };`);
      expect(result.code).toBe('solved');
      expect(result.maskedShare).toBeGreaterThan(0.02);
      expect(result.maskedShare).toBeLessThan(0.6);
      expect(frames).toBeGreaterThan(0);
      expect(same).toBe(true);
    });

    test('painted pixels count: none of those to keep is in the mask, all of those to hide are', async () => {
      const { kept, hidden } = await run<{ kept: number; hidden: number }>(`
      const { width, height } = picture;
      const half = (left) => ({ width, height, data: Uint8Array.from({ length: width * height }, (_, i) => (i % width < width / 4 ? left : i % width >= (3 * width) / 4 ? 255 - left : 0)) });
      const keep = half(255), hide = half(0);
      const { mask } = await engine.restore({ model: model.id, picture, method: 'rgi', seed: 1, steps: 20, fit: 'contain', keep, hide }, () => {}).result;
      const share = (of) => mask.data.filter((on, i) => on && of.data[i]).length / of.data.filter(Boolean).length;
      return { kept: share(keep), hidden: share(hide) };`);
      expect({ kept, hidden }).toEqual({ kept: 0, hidden: 1 });
    });

    test('a search goes on from the latents of a result, in fewer steps', async () => {
      const [first, again] = await run<{ steps: number; misfitGrey: number }[]>(`
      const { id } = await engine.open([{ name: 'trousers.onnx', bytes: await bytesOf('trousers.onnx') }]);
      const own = await pictureOf('trousers.png');
      const request = { model: id, picture: own, method: 'rgi', seed: 1, fit: 'contain' };
      const first = await engine.restore(request, () => {}).result;
      const again = await engine.restore({ ...request, latents: first.latents }, () => {}).result;
      return [first, again].map(({ steps, misfitGrey }) => ({ steps, misfitGrey }));`);
      expect(again.steps).toBeLessThan(0.75 * first.steps);
      expect(again.misfitGrey).toBeLessThan(first.misfitGrey + 0.5);
    });

    test.each([
      ['at once', 0],
      ['amid the search', 1],
    ])('a search that is stopped %s ends as stopped, and the engine goes on', async (_, frame) => {
      const { failure, pictures } = await run<{ failure: EngineFailure; pictures: number }>(`
      let work;
      work = engine.restore({ model: model.id, picture, method: 'rgi', seed: 1, fit: 'contain' }, () => ${frame} && work.stop());
      if (!${frame}) work.stop();
      const { failure } = await settled(work.result);
      const pictures = await engine.sample(model.id, await engine.draw(model.id, 2, 3));
      return { failure, pictures: pictures.length };`);
      expect(failure).toMatchObject({ code: 'stopped', message: expect.stringMatching(/\.$/) });
      expect(pictures).toBe(2);
    });

    test('a paused search takes no step until it goes on', async () => {
      const { during, after } = await run<{ during: number; after: number }>(`
      let told = 0, paused;
      const work = engine.restore({ model: model.id, picture, method: 'rgi', seed: 1, fit: 'contain' }, () => { told++; if (told === 1) { work.pause(); paused = new Promise((resolve) => setTimeout(resolve, 400)); } });
      while (!paused) await new Promise((resolve) => setTimeout(resolve, 20));
      await paused;
      const before = told;
      await new Promise((resolve) => setTimeout(resolve, 800));
      const during = told - before;
      work.resume();
      await work.result;
      return { during, after: told - before };`);
      expect(during).toBe(0);
      expect(after).toBeGreaterThan(0);
    });

    test.each([
      ['without a word', 'self.close()'],
      ['of an error', 'setTimeout(() => { throw new Error("out of memory"); })'],
    ])('a worker that dies %s fails its work as lost; the next call opens the models again', async (_, kill) => {
      // Paused, so that it does not end before its worker does.
      await run(`window.began = false;
        const work = engine.restore({ model: model.id, picture, method: 'rgi', seed: 1, fit: 'contain' }, () => { work.pause(); window.began = true; });
        window.lost = settled(work.result);
        while (!window.began) await new Promise((resolve) => setTimeout(resolve, 20));`);
      // Its threads are workers too, and wait. One that has died may still be listed.
      const entries = page.workers().filter((worker) => worker.url().includes('entry'));
      await Promise.all(entries.map((entry) => entry.evaluate(kill).catch(() => {})));
      const { failure } = await run<{ failure: EngineFailure }>('return lost;');
      expect(failure.code).toBe('lost');
      expect(await run<number>('return (await engine.draw(model.id, 3, 1)).length;')).toBe(3);
    });

    test.each([
      ['no model', 'new Uint8Array(200).fill(7)', /broken\.onnx.*not an ONNX model.*\.$/],
      ['nothing', 'new Uint8Array(0)', /broken\.onnx.*\.$/],
      ['half a model', "(await bytesOf('generator.onnx')).subarray(0, 5000)", /broken\.onnx.*\.$/],
    ])('refuses a file that is %s, in a sentence', async (_, bytes, message) => {
      const { failure } = await run<{ failure: EngineFailure }>(
        `return settled(engine.open([{ name: 'broken.onnx', bytes: ${bytes} }]));`,
      );
      expect(failure).toMatchObject({ code: 'model', message: expect.stringMatching(message) });
    });

    test('trains and calibrates on good pictures, and tells a spot from them', async () => {
      const { trained, good, bad, detector } = await run<{
        trained: TrainResult;
        good: InspectResult;
        bad: InspectResult;
        detector: number;
      }>(`
      const pictures = Array.from({ length: 48 }, (_, i) => stripes(i, false));
      const trained = await engine.train({ name: 'stripes', pictures, size: 32, purpose: 'inspect', seed: 1 }, () => {}).result;
      const policy = trained.model.policies[0];
      const on = (picture) => engine.inspect({ model: trained.model.id, policy, picture });
      const [good, bad] = [await on(stripes(100.5, false)), await on(stripes(101.5, true))];
      const { bytes } = await engine.exportDetector(trained.model.id, policy);
      return { trained: { ...trained, files: trained.files.map(({ name }) => ({ name })) }, good, bad, detector: bytes.length };`);
      expect(trained.model).toMatchObject({ channels: 1, width: 32, isLinear: true });
      expect(trained.files.map(({ name }) => name)).toEqual(['stripes.onnx', 'stripes.policy.npz']);
      expect(trained.good!.length).toBeGreaterThan(0);
      expect(good.score).toBeLessThan(bad.score);
      expect(bad.verdict).toBe('defective');
      const [{ x, y, width, height }] = bad.regions;
      expect(x <= 20 && 20 < x + width && y <= 12 && 12 < y + height).toBe(true);
      expect(detector).toBeGreaterThan(1000);
    });

    test('calibrates with a feature network, and inspects by its features', { timeout: 300_000 }, async () => {
      const { files, policies, good, bad, detector } = await run<{
        files: string[];
        policies: string[];
        good: InspectResult;
        bad: InspectResult;
        detector: number;
      }>(`
      const pictures = Array.from({ length: 24 }, (_, i) => waves(i, false));
      const features = { name: 'features.onnx', bytes: await bytesOf('features.onnx') };
      const { model, files } = await engine.train({ name: 'stripes', pictures, size: 64, purpose: 'inspect', seed: 1, features }, () => {}).result;
      const on = (picture) => engine.inspect({ model: model.id, policy: model.policies[0], picture });
      const [good, bad] = [await on(waves(100.5, false)), await on(waves(101.5, true))];
      const { bytes } = await engine.exportDetector(model.id, model.policies[0]);
      return { files: files.map(({ name }) => name), policies: model.policies, good, bad, detector: bytes.length };`);
      expect(files).toEqual(['stripes.onnx', 'stripes.policy.npz', 'features.onnx']);
      expect(policies).toHaveLength(1);
      expect(good.score).toBeLessThan(bad.score);
      expect(bad.verdict).toBe('defective');
      // The network itself is in the detector.
      expect(detector).toBeGreaterThan(500_000);
    });

    test('without isolation it computes with one thread, says so, and restores', async () => {
      const other = await site.open({ isIsolated: false });
      const { backend, code } = await run<{ backend: { threads: number; note: string }; code: string }>(
        `const model = await ${OPEN};
       const { code } = await engine.restore({ model: model.id, picture: await pictureOf('damaged.png'), method: 'rgi', seed: 1, fit: 'contain' }, () => {}).result;
       return { backend: await engine.backend, code };`,
        other,
      );
      expect(backend.threads).toBe(1);
      expect(code).toBe('solved');
      await other.context().close();
    });
  },
);
