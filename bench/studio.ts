/**
 * The studio in headless Chromium, as the rows of a table: times of restorations for each shipped model, of a large picture and painting on it,
 * of training; with each the longest time that the page's thread was blocked, and the memory of the tab.
 *
 *   npm run bench -- studio [--count 20] [--large 8192x6144] [--good 200] [--only restore,large,train]
 *   npm run bench -- studio --model generator.onnx --picture damaged.png     # another model instead
 *   npm run bench -- studio --lighthouse FOLDER     # scores of Lighthouse, which `npm install --prefix FOLDER lighthouse@12.8.2` puts there
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Browser, chromium as driver, type Page } from 'playwright-core';
import sharp from 'sharp';
import { CHROMIUM_FLAGS, chromium } from '../scripts/chromium.ts';
import { buildSite } from '../scripts/studio-site.ts';
import { MODELS_FOLDER, serveStudio } from '../src/studio/node/serve.ts';
import { lighthouse } from './studio-lighthouse.ts';
import { argument, median } from './trials.ts';

interface Bench {
  readonly browser: Browser;
  readonly url: string;
  /** For pictures that are made. */
  readonly folder: string;
}

export async function studio(args: readonly string[]): Promise<void> {
  if (!chromium) throw new Error('No Chromium was found; name one with RGI_CHROMIUM.');
  const folder = mkdtempSync(path.join(tmpdir(), 'rgi-bench-studio-'));
  const site = path.join(folder, 'site');
  await buildSite({ out: site });
  const served = await serveStudio({ port: 0, site });
  const installed = argument(args, 'lighthouse', '');
  try {
    if (installed) await lighthouse(installed, served.url);
    else await measured(args, served.url, folder);
  } finally {
    await served.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measured(args: readonly string[], url: string, folder: string): Promise<void> {
  const only = argument(args, 'only', 'restore,large,train').split(',');
  const count = Number(argument(args, 'count', '20'));
  const browser = await driver.launch({ executablePath: chromium, args: [...CHROMIUM_FLAGS] });
  const bench = { browser, url, folder };
  row('', 'time', "longest block of the page's thread", 'memory of the tab');
  row('---', '---', '---', '---');
  const own = argument(args, 'model', '');
  try {
    if (own) return await restoring(bench, { files: [own], picture: argument(args, 'picture', '') }, count);
    if (only.includes('restore')) {
      for (const id of shippedModels()) await restoring(bench, { id, picture: await damagedSample(bench, id) }, count);
    }
    if (only.includes('large')) await large(bench, argument(args, 'large', '8192x6144').split('x').map(Number));
    if (only.includes('train')) await training(bench, Number(argument(args, 'good', '200')));
  } finally {
    await browser.close();
  }
}

/** A row of the table. */
function row(...cells: readonly string[]): void {
  console.log(`| ${cells.join(' | ')} |`);
}

/** Blocks of the page's thread of at least 50 ms, the shortest that a browser reports. */
const WATCH = `window.blocks = [];
new PerformanceObserver((list) => window.blocks.push(...list.getEntries().map(({ duration }) => duration)))
  .observe({ type: 'longtask', buffered: true });`;

/** The longest that anything here takes. */
const MAX_WAIT_MS = 600_000;

async function open({ browser, url }: Bench, view: string): Promise<Page> {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 860 } })).newPage();
  await page.addInitScript(WATCH);
  page.setDefaultTimeout(MAX_WAIT_MS);
  await page.goto(`${url}#${view}`);
  await page.locator('.card img').first().waitFor();
  return page;
}

/** Milliseconds of the longest block since the last call, as words. */
async function longestBlock(page: Page): Promise<string> {
  const longest = await page.evaluate<number>('Math.max(0, ...window.blocks.splice(0))');
  return longest === 0 ? 'under 50 ms' : `${longest.toFixed(0)} ms`;
}

function shippedModels(): string[] {
  return readdirSync(MODELS_FOLDER).filter((id) => existsSync(path.join(MODELS_FOLDER, id, 'generator.onnx')));
}

/** A shipped model or files of another, and a picture to restore with it. */
type Subject = ({ readonly id: string } | { readonly files: readonly string[] }) & { readonly picture: string };

/** How long a user takes from the choice of a model to the click, about. */
const PREPARING_MS = 10_000;

async function restoring(bench: Bench, subject: Subject, count: number): Promise<void> {
  const page = await open(bench, 'restore');
  if ('id' in subject) await page.locator(`.card:has(img[src*="${subject.id}/"])`).click();
  else await page.getByLabel('Your own model').setInputFiles([...subject.files]);
  await page.getByLabel('Choose pictures').setInputFiles(subject.picture);
  const button = page.getByRole('button', { name: 'Restore', exact: true });
  await button.and(page.locator(':enabled')).waitFor();
  // What is prepared once a model is open is made meanwhile.
  await page.waitForTimeout(PREPARING_MS);
  const name = 'id' in subject ? subject.id : path.basename(subject.files[0]);
  const restored = async (isFirst: boolean) => {
    const began = performance.now();
    await (isFirst ? button : page.getByRole('button', { name: 'Run again' })).click();
    if (!isFirst) await page.getByRole('button', { name: 'Stop' }).waitFor();
    await page.getByRole('button', { name: 'Save the picture (PNG)' }).waitFor();
    return (performance.now() - began) / 1000;
  };
  await longestBlock(page);
  const first = await restored(true);
  row(`${name}, first restoration`, inSeconds(first), await longestBlock(page), await memoryOf(bench.browser, page));
  const later: number[] = [];
  for (let i = 1; i < count; i++) later.push(await restored(false));
  if (later.length > 0)
    row(
      `${name}, median of ${later.length} more`,
      inSeconds(median(later)),
      await longestBlock(page),
      await memoryOf(bench.browser, page),
    );
  await page.context().close();
}

const inSeconds = (value: number) => (value < 10 ? `${value.toFixed(1)} s` : `${value.toFixed(0)} s`);

/** The first of the model's samples with a part of it black, as a file. */
async function damagedSample({ folder }: Bench, id: string): Promise<string> {
  const sheet = path.join(MODELS_FOLDER, id, 'samples.png');
  // Samples stand eight in a row, two pixels apart.
  const side = ((await sharp(sheet).metadata()).width - 2) / 8 - 2;
  const black = { create: { width: side >> 2, height: side >> 2, channels: 3 as const, background: 'black' } };
  const file = path.join(folder, `${id}.png`);
  await sharp(await sharp(sheet).extract({ left: 2, top: 2, width: side, height: side }).png().toBuffer())
    .composite([{ input: black, left: side >> 1, top: side >> 2 }])
    .toFile(file);
  return file;
}

/** Resident memory of the tab's process, its workers' and their WebAssembly's included; and the page's own heap. */
async function memoryOf(browser: Browser, page: Page): Promise<string> {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  await session.detach();
  const whole = await browser.newBrowserCDPSession();
  const { processInfo } = await whole.send('SystemInfo.getProcessInfo');
  await whole.detach();
  const resident = processInfo
    .filter(({ type }) => type === 'renderer')
    .map(({ id }) => Number(/^VmRSS:\s+(\d+) kB$/m.exec(statusOf(id))?.[1] ?? 0) / 1024);
  return `${Math.max(0, ...resident).toFixed(0)} MiB (page ${(usedSize / 2 ** 20).toFixed(0)} MiB)`;
}

function statusOf(process: number): string {
  const file = `/proc/${process}/status`;
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

async function large(bench: Bench, [width, height]: readonly number[]): Promise<void> {
  const page = await open(bench, 'restore');
  const file = await largePicture(bench, width, height);
  const name = `${width} x ${height} pixels`;
  await page.locator('.card.chosen').waitFor();
  const timed = async (what: string, act: () => Promise<void>) => {
    await longestBlock(page);
    const began = performance.now();
    await act();
    const seconds = (performance.now() - began) / 1000;
    row(`${name}, ${what}`, inSeconds(seconds), await longestBlock(page), await memoryOf(bench.browser, page));
  };
  const button = page.getByRole('button', { name: 'Restore', exact: true });
  const again = page.getByRole('button', { name: 'Restore again with this' });
  await timed('shown', async () => {
    await page.getByLabel('Choose pictures').setInputFiles(file);
    await button.waitFor();
  });
  await timed('restored', async () => {
    await button.click();
    await page.getByRole('button', { name: 'Save the picture (JPEG)' }).waitFor();
  });
  await page.getByRole('radio', { name: 'Found' }).check({ force: true });
  const box = (await page.getByRole('application').boundingBox())!;
  const at = (x: number, y: number) => [box.x + x * box.width, box.y + y * box.height] as const;
  await timed('a stroke of the brush', async () => {
    await page.mouse.move(...at(0.1, 0.1));
    await page.mouse.down();
    await page.mouse.move(...at(0.3, 0.2), { steps: 20 });
    await page.mouse.up();
    await again.waitFor();
  });
  await timed('restored again with it', async () => {
    await again.click();
    await again.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Save the picture (JPEG)' }).waitFor();
  });
  await page.context().close();
}

/** A face with a black part, as a file. */
async function largePicture({ folder }: Bench, width: number, height: number): Promise<string> {
  const file = path.join(folder, 'large.jpg');
  const face = path.join(MODELS_FOLDER, 'cartoon-faces', 'pictures', 'test-0012.png');
  const black = { create: { width: width >> 3, height: height >> 3, channels: 3 as const, background: 'black' } };
  const whole = await sharp(face).removeAlpha().resize(width, height, { fit: 'cover' }).raw().toBuffer();
  await sharp(whole, { raw: { width, height, channels: 3 } })
    .composite([{ input: black, left: width >> 1, top: height >> 2 }])
    .jpeg()
    .toFile(file);
  return file;
}

async function training(bench: Bench, count: number): Promise<void> {
  const page = await open(bench, 'inspect');
  await page.getByLabel('Choose a folder of good pictures').setInputFiles(await goodParts(bench, count));
  await longestBlock(page);
  const began = performance.now();
  await page.getByRole('button', { name: 'Learn' }).click();
  await page.getByText('is ready.').waitFor();
  const seconds = (performance.now() - began) / 1000;
  row(
    `${count} good pictures of 128 x 128, learned from with features and calibrated`,
    inSeconds(seconds),
    await longestBlock(page),
    await memoryOf(bench.browser, page),
  );
  await page.context().close();
}

/** Parts on a ground whose brightness, place and turn vary. */
async function goodParts({ folder }: Bench, count: number): Promise<string> {
  const own = path.join(folder, 'good');
  mkdirSync(own);
  for (let i = 0; i < count; i++) {
    const [grey, x, y, turn] = [
      150 + 20 * Math.sin(i),
      64 + 3 * Math.sin(7 * i),
      64 + 3 * Math.cos(5 * i),
      8 * Math.sin(3 * i),
    ];
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="128" height="128"><rect width="128" height="128" fill="rgb(${grey},${grey},${grey})"/>
      <g transform="rotate(${turn} 64 64)"><circle cx="${x}" cy="${y}" r="44" fill="#c9b27c"/><circle cx="${x}" cy="${y}" r="16" fill="#6b5f45"/></g></svg>`;
    const noise = await sharp({
      create: {
        width: 128,
        height: 128,
        channels: 3,
        background: 'black',
        noise: { type: 'gaussian', mean: 20, sigma: 6 },
      },
    })
      .png()
      .toBuffer();
    const drawn = sharp(Buffer.from(svg)).composite([{ input: noise, blend: 'add' }]);
    writeFileSync(path.join(own, `part-${String(i).padStart(4, '0')}.png`), await drawn.png().toBuffer());
  }
  return own;
}
