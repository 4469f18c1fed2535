/** The example of docs/web.md, as it stands there: built by Vite, and run in headless Chromium. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { chromium } from '../../scripts/chromium.ts';
import { needs } from '../support/needs.ts';
import { webSite } from './site.ts';

const root = path.resolve(import.meta.dirname, '../..');
const trousers = path.join(root, 'models/fashion-trousers');

test.skipIf(!chromium)(
  needs(chromium !== undefined, 'skipped: no Chromium was found', 'the example of docs/web.md restores a picture'),
  async () => {
    const text = readFileSync(path.join(root, 'docs/web.md'), 'utf8');
    const [worker, page] = [...text.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, code]) => code);
    const said = 'console.log(data.code, data.composite.dims);';
    expect(page).toContain(said);
    const script = page.replace(
      said,
      'Object.assign(window, { said: [data.code, data.composite.dims], ready: true });',
    );
    const files = {
      'generator.onnx': readFileSync(path.join(trousers, 'generator.onnx')),
      'damaged.png': readFileSync(path.join(trousers, 'pictures/00097.png')),
    };
    const site = await webSite(script, files, { 'worker.js': worker });
    try {
      const opened = await site.open();
      expect(await opened.evaluate('said')).toEqual([expect.stringMatching(/^[a-z-]+$/), [1, 1, 32, 32]]);
    } finally {
      await site.close();
    }
  },
);
