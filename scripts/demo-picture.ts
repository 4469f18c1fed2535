/** Makes docs/demo.png, the top of the demo's page, with Chromium: npm run demo && npx tsx scripts/demo-picture.ts */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { writeFileAtomic } from '../src/images/node/write.ts';

const root = path.resolve(import.meta.dirname, '..');
const page = path.join(root, 'demo-output', 'index.html');
const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
if (!chromium) throw new Error('No Chromium was found.');
if (!existsSync(page)) throw new Error(`${page} does not exist: npm run demo.`);
const folder = mkdtempSync(path.join(tmpdir(), 'rgi-picture-'));
try {
  const shot = path.join(folder, 'demo.png');
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--virtual-time-budget=4000'];
  const profile = `--user-data-dir=${path.join(folder, 'profile')}`;
  execFileSync(
    chromium,
    [...flags, profile, '--window-size=1200,1140', `--screenshot=${shot}`, pathToFileURL(page).href],
    { stdio: 'ignore' },
  );
  const small = await sharp(readFileSync(shot)).png({ palette: true, colours: 256, effort: 10 }).toBuffer();
  await writeFileAtomic(path.join(root, 'docs', 'demo.png'), small);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
