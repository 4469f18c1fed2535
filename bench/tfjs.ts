/**
 * Steps of an inversion in a browser, by rgi and by TensorFlow.js. Both search latents of the shipped trousers' generator by Adam on the squared
 * error, in one page of headless Chromium, on WebAssembly with the same number of threads. TensorFlow.js is no dependency of the project:
 *
 *   npm install --prefix FOLDER @tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0
 *   npm run bench -- tfjs --tfjs FOLDER [--steps 40]
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { chromium } from '../scripts/chromium.ts';
import { MODELS_FOLDER } from '../src/studio/node/serve.ts';
import { webSite } from '../test/web/site.ts';
import type { Compared } from './tfjs-page.ts';
import { argument } from './trials.ts';

/** Pictures that are searched together. */
const BATCHES = [1, 8];

export async function tfjs(args: readonly string[]): Promise<void> {
  const packages = path.resolve(argument(args, 'tfjs', '.'), 'node_modules', '@tensorflow');
  const wasm = path.join(packages, 'tfjs-backend-wasm', 'dist');
  if (!existsSync(wasm)) {
    console.log(
      `skipped: TensorFlow.js is not installed in ${packages}; the head of bench/tfjs.ts says how to install it.`,
    );
    return;
  }
  if (!chromium) throw new Error('No Chromium was found; name one with RGI_CHROMIUM.');
  const steps = Number(argument(args, 'steps', '40'));
  const files = readdirSync(wasm).filter((name) => name.endsWith('.wasm'));
  const site = await webSite(pageScript(packages), {
    ...Object.fromEntries(files.map((name) => [name, new Uint8Array(readFileSync(path.join(wasm, name)))])),
    'generator.onnx': new Uint8Array(readFileSync(path.join(MODELS_FOLDER, 'fashion-trousers', 'generator.onnx'))),
  });
  try {
    const page = await site.open();
    const [version, threads] = await page.evaluate<[string, number]>('[window.version, window.threads]');
    console.log(`rgi and TensorFlow.js ${version}, WebAssembly, ${threads} threads each`);
    for (const batch of BATCHES) {
      const { ours, theirs, difference } = await page.evaluate<Compared>(`window.compare(${batch}, ${steps})`);
      console.log(
        `${batch} ${batch === 1 ? 'picture' : 'pictures'}: ${(1000 / ours).toFixed(1)} and ${(1000 / theirs).toFixed(1)} steps a second, ` +
          `ratio ${(theirs / ours).toFixed(2)}; the generators differ by ${difference.toExponential(1)} at most`,
      );
    }
  } finally {
    await site.close();
  }
}

function pageScript(packages: string): string {
  const own = JSON.stringify(path.join(import.meta.dirname, 'tfjs-page.ts'));
  const theirs = (file: string) => JSON.stringify(path.join(packages, file));
  return `
import mjs from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import * as tf from ${theirs('tfjs-core/dist/index.js')};
import ${theirs('tfjs-core/dist/register_all_gradients.js')};
import { setThreadsCount, setWasmPaths } from ${theirs('tfjs-backend-wasm/dist/index.js')};
import { webRuntime } from 'rgi/web';
import { compare } from ${own};
const at = (name) => new URL(name, location.href).href;
const runtime = await webRuntime({ wasmPaths: { mjs: at(mjs), wasm: at(wasm) } });
setThreadsCount(runtime.threads);
setWasmPaths(at(''));
await tf.setBackend('wasm');
await tf.ready();
const model = new Uint8Array(await (await fetch('generator.onnx')).arrayBuffer());
Object.assign(window, {
  version: tf.version_core,
  threads: runtime.threads,
  compare: (batch, steps) => compare(model, tf, runtime, batch, steps),
  ready: true,
});
`;
}
