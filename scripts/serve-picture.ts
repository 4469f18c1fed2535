/** Makes docs/serve-page.png, the top of a service's documentation page, with Chromium: npx tsx scripts/serve-picture.ts */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { writeFileAtomic } from '../src/images/node/write.ts';
import { serve } from '../src/service/node/serve.ts';
import { browse } from './chromium.ts';

const root = path.resolve(import.meta.dirname, '..');
const folder = mkdtempSync(path.join(tmpdir(), 'rgi-picture-'));
const service = await serve({ models: path.join(root, 'models'), port: 0 });
try {
  // As it is at the usual address; the page needs nothing but itself.
  const html = (await (await fetch(service.url)).text()).replaceAll(service.url, 'http://127.0.0.1:8080');
  const page = path.join(folder, 'page.html');
  writeFileSync(page, html);
  const shot = path.join(folder, 'page.png');
  browse(folder, page, '--force-prefers-reduced-motion', '--window-size=1000,900', `--screenshot=${shot}`);
  const small = await sharp(readFileSync(shot)).png({ palette: true, colours: 64, effort: 10 }).toBuffer();
  await writeFileAtomic(path.join(root, 'docs', 'serve-page.png'), small);
} finally {
  await service.close();
  rmSync(folder, { recursive: true, force: true });
}
