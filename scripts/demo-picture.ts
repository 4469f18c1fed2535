/** Makes docs/demo.png, the top of the demo's page, with Chromium: npm run demo && npx tsx scripts/demo-picture.ts */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { writeFileAtomic } from '../src/images/node/write.ts';
import { browse } from './chromium.ts';

const root = path.resolve(import.meta.dirname, '..');
const page = path.join(root, 'demo-output', 'index.html');
if (!existsSync(page)) throw new Error(`${page} does not exist: npm run demo.`);
const folder = mkdtempSync(path.join(tmpdir(), 'rgi-picture-'));
try {
  const shot = path.join(folder, 'demo.png');
  browse(folder, page, '--force-prefers-reduced-motion', '--window-size=1200,550', `--screenshot=${shot}`);
  const small = await sharp(readFileSync(shot)).png({ palette: true, colours: 256, effort: 10 }).toBuffer();
  await writeFileAtomic(path.join(root, 'docs', 'demo.png'), small);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
