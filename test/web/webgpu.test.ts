/** WebGPU in Chromium, computed by the processor (SwiftShader): the suite of runtimes, equal results, and what happens where it is lost. */
import path from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, describe, expect, test } from 'vitest';
import { chromium } from '../../scripts/chromium.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { tinyGenerator } from '../support/tiny.ts';
import { webSite } from './site.ts';

const root = path.resolve(import.meta.dirname, '../..');

const SCRIPT = `
import mjs from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import gpuMjs from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url';
import gpuWasm from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url';
import { webRuntime } from 'rgi/web';
import { conformance } from '${root}/test/runtime/conformance.ts';
import { search } from '${root}/test/web/search.ts';
import { runAll } from '${root}/test/web/vitest-in-page.ts';
const at = (name) => new URL(name, location.href).href;
const open = (device) => webRuntime({ device, wasmPaths: { mjs: at(mjs), wasm: at(wasm) }, webgpuPaths: { mjs: at(gpuMjs), wasm: at(gpuWasm) } });
window.hasAdapter = (await navigator.gpu?.requestAdapter()) != null;
window.suite = async () => { conformance(() => open('webgpu'), { namesNodes: false }); return runAll(); };
window.open = open;
window.search = search;
window.ready = true;
`;

/** A small generator, for a software GPU takes minutes for a large one; a picture that it does not make. */
const SEARCHES = `
const model = new Uint8Array(await (await fetch('tiny.onnx')).arrayBuffer());
const picture = Float32Array.from({ length: 192 }, (_, i) => 0.7 * Math.sin(i / 37) * Math.cos((i % 8) / 3));
const after = 5;
const of = async (device, options) => {
  const runtime = await open(device);
  const began = performance.now();
  const { state } = await search(model, picture, { method: 'rgi', seed: 1, pool: 16, ...options }, runtime, after);
  return { device: runtime.device, note: runtime.note, state: [...state], seconds: (performance.now() - began) / 1000 };
};
`;

if (!chromium) test.skip('WebGPU: no Chromium was found', () => {});
else {
  const site = await webSite(SCRIPT, { 'tiny.onnx': encodeModel(tinyGenerator()) });
  afterAll(() => site.close());
  const page: Page = await site.open();
  const run = <T>(body: string, on = page) => on.evaluate<T>(`(async () => { ${body} })()`);
  if (!(await run<boolean>('return hasAdapter;')))
    test.skip('WebGPU: Chromium gives no adapter, not even of software', () => {});
  else {
    const results = await run<readonly { readonly name: string; readonly failure?: string }[]>('return suite();');
    describe('web, WebGPU in software', () => {
      test('all of the suite was run', () => expect(results.length).toBeGreaterThanOrEqual(25));
      for (const { name, failure } of results) test(name, () => expect(failure).toBeUndefined());
    });

    test.each(['fast'])('%s: the pictures after 5 steps are those of WebAssembly', async (preset) => {
      const own = await site.open();
      const [gpu, cpu] = await run<{ device: string; note: string; state: number[]; seconds: number }[]>(
        `${SEARCHES} const options = { preset: '${preset}', steps: 5 }; return [await of('webgpu', options), await of('wasm', options)];`,
        own,
      );
      expect([gpu.device, gpu.note, cpu.device]).toEqual(['webgpu', '', 'cpu']);
      const error = gpu.state.reduce((sum, value, i) => sum + (value - cpu.state[i]) ** 2, 0) / gpu.state.length;
      const decibels = 10 * Math.log10(4 / error);
      console.log(
        `${preset}: WebGPU in software and WebAssembly agree to ${decibels.toFixed(1)} dB after 5 steps, ${gpu.seconds.toFixed(1)} and ${cpu.seconds.toFixed(1)} s`,
      );
      expect(decibels).toBeGreaterThan(70);
    });

    test("'auto' takes no GPU that the processor computes", async () => {
      expect(await run("return (await open('auto')).device;")).toBe('cpu');
    });
  }
}
