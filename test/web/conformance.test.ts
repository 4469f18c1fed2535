/** The runtime of browsers, by the same tests as those of Node, run within a page: isolated with threads, and not isolated. */
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { chromium } from '../../scripts/chromium.ts';
import { type WebSite, webSite } from './site.ts';

const root = path.resolve(import.meta.dirname, '../..');

const SCRIPT = `
import mjs from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import { webRuntime } from '${root}/src/web.ts';
import { conformance } from '${root}/test/runtime/conformance.ts';
import { runAll } from '${root}/test/web/vitest-in-page.ts';
const at = (name) => new URL(name, location.href).href;
const create = () => webRuntime({ wasmPaths: { mjs: at(mjs), wasm: at(wasm) } });
conformance(create, { namesNodes: false });
const { device, threads, note } = await create();
window.where = { device, threads, note, cores: navigator.hardwareConcurrency };
window.results = await runAll();
window.ready = true;
`;

if (!chromium) test.skip('the web runtime in Chromium: no Chromium was found', () => {});
else {
  const site: WebSite = await webSite(SCRIPT);
  afterAll(() => site.close());
  for (const isIsolated of [true, false]) {
    const page = await site.open({ isIsolated });
    const { where, results } = await page.evaluate<{
      readonly where: {
        readonly device: string;
        readonly threads: number;
        readonly note: string;
        readonly cores: number;
      };
      readonly results: readonly { readonly name: string; readonly failure?: string }[];
    }>('({ where, results })');
    describe(`web, wasm, ${isIsolated ? 'isolated' : 'not isolated'}`, () => {
      test('has as many threads as the page may have, and says why not more', () => {
        expect(where).toMatchObject(
          isIsolated
            ? { device: 'cpu', threads: Math.min(4, where.cores), note: '' }
            : {
                threads: 1,
                note:
                  where.cores === 1
                    ? ''
                    : 'One thread: the page is not isolated from other origins (headers Cross-Origin-Opener-Policy and Cross-Origin-Embedder-Policy).',
              },
        );
      });
      test('all of the suite was run', () => expect(results.length).toBeGreaterThanOrEqual(25));
      for (const { name, failure } of results) test(name, () => expect(failure).toBeUndefined());
    });
  }
}
