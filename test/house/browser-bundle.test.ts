/** The core as a browser would load it: bundled by esbuild, with nothing of Node in it, and not too large. */

import { isBuiltin } from 'node:module';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');

/** What a page downloads for the core; ONNX Runtime's own wasm comes on top of it. Raise it knowingly: the last 1 kB are changes of low rank. */
const LIMIT_GZIPPED = 160_000;

const bundle = (entry: string) =>
  build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    minify: true,
    metafile: true,
    write: false,
    logLevel: 'silent',
  });

test('the core bundles for a browser, without a module of Node and within its size', async () => {
  const { outputFiles, metafile, warnings } = await bundle('src/index.ts');
  expect(warnings).toEqual([]);
  const modules = Object.keys(metafile.inputs);
  const imported = Object.values(metafile.inputs).flatMap((input) => input.imports.map((each) => each.path));
  expect([...modules, ...imported].filter((name) => isBuiltin(name))).toEqual([]);
  expect(modules.filter((name) => /onnxruntime-node|sharp|commander|listr2/.test(name))).toEqual([]);
  const size = gzipSync(outputFiles[0].contents).length;
  console.log(`browser bundle of the core: ${outputFiles[0].contents.length} bytes, ${size} gzipped`);
  expect(size).toBeLessThan(LIMIT_GZIPPED);
});

test('the core loads where there is no process and no Buffer', async () => {
  const { outputFiles } = await bundle('src/index.ts');
  const code = outputFiles[0].text.replace(/export\s*\{[\s\S]*\};?\s*$/, '');
  const hidden = ['process', 'Buffer', 'require', 'module', '__dirname', 'window'];
  // Compiled as a function whose parameters hide Node's globals: loading must not touch them.
  expect(() => new Function(...hidden, `"use strict";${code}`)()).not.toThrow();
});

test('what needs Node does not bundle for a browser (so that the first test can fail)', async () => {
  await expect(bundle('src/node.ts')).rejects.toThrow(/node:/);
});

test('one metric alone bundles to less than 2 kB: the modules that are not used have no side effects', async () => {
  const { outputFiles } = await build({
    absWorkingDir: root,
    stdin: { contents: "export { psnr } from './src/index.ts';", resolveDir: root },
    bundle: true,
    platform: 'browser',
    format: 'esm',
    minify: true,
    write: false,
    logLevel: 'silent',
  });
  expect(outputFiles[0].contents.length).toBeLessThan(2000);
});
