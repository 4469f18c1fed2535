/** The engine that the page computes with: its worker, and where the files of onnxruntime-web lie in the site. */
import mjs from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import { engineOf } from '../client/index.ts';
import type { Engine } from '../engine.ts';

export function createEngine(): Engine {
  const absolute = (address: string) => new URL(address, document.baseURI).href;
  return engineOf({
    createWorker: () => new Worker(new URL('../worker/entry.ts', import.meta.url), { type: 'module' }),
    wasm: { mjs: absolute(mjs), wasm: absolute(wasm) },
  });
}
