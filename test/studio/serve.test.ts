/** `rgi studio` as a server: what it answers, to whom, and what it says when it cannot. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { studioPages } from '../../src/studio/node/pages.ts';
import { type RunningStudio, serveStudio } from '../../src/studio/node/serve.ts';
import { writeSite } from '../../src/studio/node/site.ts';

let folder: string;
let site: string;
let studio: RunningStudio;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'rgi-studio-'));
  site = path.join(folder, 'site');
  mkdirSync(path.join(site, 'models'), { recursive: true });
  const files = { 'index.html': '<p>', 'a.js': '', 'a.mjs': '', 'a.css': '', 'a.wasm': '', 'a.webmanifest': '{}' };
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(site, name), text);
  writeFileSync(path.join(site, 'models', 'index.json'), '{}');
  studio = await serveStudio({ port: 0, site });
});

afterAll(async () => {
  await studio?.close();
  rmSync(folder, { recursive: true, force: true });
});

test.each([
  ['', 'text/html; charset=utf-8'],
  ['a.js', 'text/javascript; charset=utf-8'],
  ['a.mjs', 'text/javascript; charset=utf-8'],
  ['a.css', 'text/css; charset=utf-8'],
  ['a.wasm', 'application/wasm'],
  ['a.webmanifest', 'application/manifest+json'],
  ['models/index.json', 'application/json'],
  ['models/fashion-trousers/generator.onnx', 'application/octet-stream'],
  ['models/fashion-trousers/pictures/00097.png', 'image/png'],
])('/%s is %s', async (file, type) => {
  const answer = await fetch(studio.url + file);
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, type]);
  await answer.body?.cancel();
});

test('every answer isolates the page and forbids it to send anything, a missing file too', async () => {
  for (const file of ['', 'a.js', 'models/index.json', 'no-such-file']) {
    const { headers, body } = await fetch(studio.url + file);
    expect(headers.get('cross-origin-opener-policy')).toBe('same-origin');
    expect(headers.get('cross-origin-embedder-policy')).toBe('require-corp');
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self'; style-src 'self'; " +
        "img-src 'self' blob: data:; media-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    await body?.cancel();
  }
});

test('nothing is taken, and nothing outside of its two folders is given', async () => {
  const sent = await fetch(studio.url, { method: 'POST', body: 'a picture' });
  expect(sent.status).toBe(404);
  for (const file of ['../package.json', 'models/..%2f..%2fpackage.json', 'models/%2e%2e/package.json']) {
    expect((await fetch(studio.url + file)).status, file).toBe(404);
  }
});

test("the page learns of the service that it is a part of, which 'rgi studio' is not", async () => {
  const facts = async (answer: Response | Promise<Response> | undefined) => (await answer)?.json();
  expect(await facts(fetch(`${studio.url}server.json`))).toEqual({});
  const pages = studioPages(true, site);
  expect(await facts(pages?.(new Request('http://localhost/server.json')))).toEqual({
    service: { root: '../', hasTokens: true, methods: ['rgi', 'rrgi', 'invert'] },
  });
  expect(studioPages(true, path.join(folder, 'nothing'))).toBeUndefined();
});

test('it listens on loopback only', () => {
  expect(new URL(studio.url).hostname).toBe('127.0.0.1');
});

test('a port that is taken, and a site that is not built, are said', async () => {
  const port = Number(new URL(studio.url).port);
  await expect(serveStudio({ port, site })).rejects.toThrow(
    `Port ${port} cannot be listened on (another program uses it); choose another --port.`,
  );
  const empty = path.join(folder, 'empty');
  await expect(serveStudio({ port: 0, site: empty })).rejects.toThrow(
    `The studio is not built (no index.html in ${empty}); run 'npm run build' first.`,
  );
});

test('the site is written with the models beside it, and never over files', async () => {
  const models = path.join(folder, 'models');
  mkdirSync(path.join(models, 'faces'), { recursive: true });
  writeFileSync(path.join(models, 'faces', 'generator.onnx'), 'onnx');
  const out = path.join(folder, 'out');
  await writeSite(out, site, models);
  expect(readdirSync(out, { recursive: true, encoding: 'utf8' }).sort()).toEqual(
    expect.arrayContaining([
      'index.html',
      path.join('models', 'faces', 'generator.onnx'),
      path.join('models', 'index.json'),
    ]),
  );
  await expect(writeSite(out, site, models)).rejects.toThrow(
    `${out} holds files already; name a folder that is new or empty.`,
  );
  expect(readdirSync(folder).sort()).toEqual(['models', 'out', 'site']);
});
