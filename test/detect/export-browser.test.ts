/** A detector file in headless Chromium: onnxruntime-web's WebAssembly and a page, no network, none of this code. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { chromium as driver } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM_FLAGS, chromium } from '../../scripts/chromium.ts';
import { exportDetector } from '../../src/detect/export/detector-file.ts';
import { openInspector } from '../../src/detect/inspector.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { tinyFeatures } from '../features/tiny.ts';
import { needs } from '../support/needs.ts';
import { encoderGraph, searchGenerator, searchPolicy, testPictures } from './exported.ts';
import { SIDE } from './made.ts';

const ORIGIN = 'https://detector.invalid';
const web = path.dirname(createRequire(import.meta.url).resolve('onnxruntime-web'));

/** What a page does with a detector. */
const PAGE = `<!doctype html><script type="module">
import * as ort from './ort.wasm.min.mjs';
ort.env.wasm.wasmPaths = '${ORIGIN}/';
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create('./detector.onnx', { executionProviders: ['wasm'] });
window.inspect = async (data, dims) => {
  const made = await session.run({ image: new ort.Tensor('float32', Float32Array.from(data), dims) });
  return { map: [...made.map.data], score: made.score.data[0], defective: Boolean(made.defective.data[0]) };
};
window.ready = true;
</script>`;

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.onnx': 'application/octet-stream',
};

describe.skipIf(!chromium)(needs(chromium !== undefined, 'skipped: no Chromium was found', 'in Chromium'), () => {
  let runtime: Runtime;

  beforeAll(() => {
    runtime = nodeRuntime({ threads: 1 });
  });
  afterAll(() => runtime.dispose());

  test('has the maps and verdicts of the inspection', { timeout: 60_000 }, async () => {
    const features = await tinyFeatures(runtime, SIDE);
    const generator = await searchGenerator(runtime);
    const options = { generator, encoder: encoderGraph(), features, policy: searchPolicy(features) };
    const detector = await exportDetector(options, runtime);
    const inspector = await openInspector({ ...options, batch: 1 }, runtime);
    const browser = await driver.launch({ executablePath: chromium, args: [...CHROMIUM_FLAGS] });
    try {
      const page = await browser.newPage();
      // Every request is answered here: nothing reaches a network.
      await page.route('**/*', (route) => {
        const name = path.basename(new URL(route.request().url()).pathname);
        const own: Readonly<Record<string, () => Buffer>> = {
          'index.html': () => Buffer.from(PAGE),
          'detector.onnx': () => Buffer.from(detector),
        };
        const body =
          own[name] ??
          (/^ort[.-][\w.-]+\.(mjs|wasm)$/.test(name) ? () => readFileSync(path.join(web, name)) : undefined);
        return body
          ? route.fulfill({ body: body(), contentType: TYPES[path.extname(name)] })
          : route.abort('internetdisconnected');
      });
      await page.goto(`${ORIGIN}/index.html`);
      await page.waitForFunction('window.ready');
      for (const picture of testPictures(6)) {
        const [found] = await inspector.inspect([picture]);
        const call = `inspect(${JSON.stringify([...picture.data])}, ${JSON.stringify(picture.dims)})`;
        const made = (await page.evaluate(call)) as { map: number[]; score: number; defective: boolean };
        const difference = made.map.reduce((most, v, i) => Math.max(most, Math.abs(v - found.map.data[i])), 0);
        expect(difference).toBeLessThan(1e-4);
        expect(made.score).toBeCloseTo(found.score, 4);
        expect(made.defective).toBe(found.defective);
      }
    } finally {
      await browser.close();
      await inspector.dispose();
    }
  });
});
