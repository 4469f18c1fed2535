/**
 * Pages in headless Chromium that run our own modules: bundled by Vite as a user's app would be, served on loopback with or without
 * cross-origin isolation.
 */
import { createReadStream, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { type Browser, chromium as driver, type Page } from 'playwright-core';
import { build, defaultClientConditions } from 'vite';
import { CHROMIUM_FLAGS, chromium, SOFTWARE_WEBGPU_FLAGS } from '../../scripts/chromium.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.onnx': 'application/octet-stream',
};

export interface WebSite {
  /** Opens the page once its script has set `window.ready`; a script that fails rejects with its message. */
  open(options?: { readonly isIsolated?: boolean; readonly query?: string }): Promise<Page>;
  close(): Promise<void>;
}

/**
 * @param script Source of the page's module; it imports our modules by absolute paths, and ends with `window.ready = true`.
 * @param files More that is served, by name.
 * @param modules Source of further modules, which lie beside it.
 */
export async function webSite(
  script: string,
  files: Readonly<Record<string, Uint8Array>> = {},
  modules: Readonly<Record<string, string>> = {},
): Promise<WebSite> {
  // Inside the repository, so that packages are found.
  const folder = mkdtempSync(path.join(import.meta.dirname, '.built-'));
  const out = path.join(folder, 'out');
  writeFileSync(path.join(folder, 'index.html'), '<!doctype html><script type="module" src="./page.ts"></script>');
  writeFileSync(path.join(folder, 'page.ts'), script);
  for (const [name, source] of Object.entries(modules)) writeFileSync(path.join(folder, name), source);
  await build({
    configFile: false,
    root: folder,
    base: './',
    logLevel: 'error',
    resolve: {
      alias: {
        'rgi/web': path.join(import.meta.dirname, '../../src/web.ts'),
        vitest: path.join(import.meta.dirname, 'vitest-in-page.ts'),
      },
      conditions: ['onnxruntime-web-use-extern-wasm', ...defaultClientConditions],
    },
    worker: { format: 'es' },
    build: { outDir: out, target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 5000, minify: false },
  });
  const servers = [serve(out, files, true), serve(out, files, false)];
  const browser: Browser = await driver.launch({
    executablePath: chromium,
    args: [...CHROMIUM_FLAGS, ...SOFTWARE_WEBGPU_FLAGS],
  });
  return {
    async open({ isIsolated = true, query = '' } = {}) {
      const server = servers[isIsolated ? 0 : 1];
      if (!server.listening) await new Promise((resolve) => server.once('listening', resolve));
      const page = await (await browser.newContext()).newPage();
      const failed = new Promise<never>((_, reject) => page.on('pageerror', reject));
      failed.catch(() => {});
      await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/${query}`);
      await Promise.race([failed, page.waitForFunction('window.ready', undefined, { timeout: 110_000 })]);
      return page;
    },
    async close() {
      await browser.close();
      for (const server of servers) server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function serve(folder: string, files: Readonly<Record<string, Uint8Array>>, isIsolated: boolean) {
  const isolating = isIsolated
    ? { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }
    : {};
  const server = createServer((request, response) => {
    const name = path.normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname));
    const file = path.join(folder, name === '/' ? 'index.html' : name);
    const headers = { 'Content-Type': TYPES[path.extname(file)] ?? 'application/octet-stream', ...isolating };
    const given = files[name.slice(1)];
    if (given) response.writeHead(200, headers).end(given);
    else if (existsSync(file)) createReadStream(file).pipe(response.writeHead(200, headers));
    else response.writeHead(404, headers).end();
  });
  return server.listen(0, '127.0.0.1');
}
