/**
 * The studio in headless Chromium: time from the click to the restored picture for each shipped model, memory after many restorations in one
 * tab, and the longest time that the page's thread was blocked while restoring, training, and taking in a large picture.
 *
 *   npm run bench -- studio [--count 20] [--large 8192x6144] [--good 200] [--only restore,large,train]
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Browser, chromium as driver, type Page } from 'playwright-core';
import sharp from 'sharp';
import { CHROMIUM_FLAGS, chromium } from '../scripts/chromium.ts';
import { buildSite } from '../scripts/studio-site.ts';
import { MODELS_FOLDER, serveStudio } from '../src/studio/node/serve.ts';
import { argument, median } from './trials.ts';

interface Bench {
  readonly browser: Browser;
  readonly url: string;
  /** For pictures that are made. */
  readonly folder: string;
}

export async function studio(args: readonly string[]): Promise<void> {
  if (!chromium) throw new Error('No Chromium was found; name one with RGI_CHROMIUM.');
  const only = argument(args, 'only', 'restore,large,train').split(',');
  const folder = mkdtempSync(path.join(tmpdir(), 'rgi-bench-studio-'));
  const site = path.join(folder, 'site');
  await buildSite({ out: site });
  const served = await serveStudio({ port: 0, site });
  const browser = await driver.launch({ executablePath: chromium, args: [...CHROMIUM_FLAGS] });
  const bench = { browser, url: served.url, folder };
  try {
    if (only.includes('restore')) await restoring(bench, Number(argument(args, 'count', '20')));
    if (only.includes('large')) await large(bench, argument(args, 'large', '8192x6144').split('x').map(Number));
    if (only.includes('train')) await training(bench, Number(argument(args, 'good', '200')));
  } finally {
    await browser.close();
    await served.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Blocks of the page's thread of at least 50 ms, the shortest that a browser reports. */
const WATCH = `window.blocks = [];
new PerformanceObserver((list) => window.blocks.push(...list.getEntries().map(({ duration }) => duration)))
  .observe({ type: 'longtask', buffered: true });`;

async function open({ browser, url }: Bench, view: string): Promise<Page> {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 860 } })).newPage();
  await page.addInitScript(WATCH);
  await page.goto(`${url}#${view}`);
  await page.locator('.card img').first().waitFor();
  return page;
}

/** Milliseconds of the longest block since the last call, as words. */
async function longestBlock(page: Page): Promise<string> {
  const longest = await page.evaluate<number>('Math.max(0, ...window.blocks.splice(0))');
  return longest === 0 ? 'below 50 ms' : `${longest.toFixed(0)} ms`;
}

/** How long a user takes from the choice of a model to the click, about. */
const PREPARING_MS = 10_000;

async function restoring(bench: Bench, count: number): Promise<void> {
  for (const id of readdirSync(MODELS_FOLDER)) {
    if (!existsSync(path.join(MODELS_FOLDER, id, 'generator.onnx'))) continue;
    const page = await open(bench, 'restore');
    await page.locator(`.card:has(img[src*="${id}/"])`).click();
    await page.getByLabel('Choose pictures').setInputFiles(await damagedSample(bench, id));
    const button = page.getByRole('button', { name: 'Restore', exact: true });
    await button.waitFor();
    await page.waitForFunction('!document.querySelector("button.primary.large").disabled');
    // What is prepared once a model is open is made meanwhile.
    await page.waitForTimeout(PREPARING_MS);
    await longestBlock(page);
    const seconds: number[] = [];
    const memory: string[] = [];
    for (let i = 0; i < count; i++) {
      const began = performance.now();
      await (i === 0 ? button : page.getByRole('button', { name: 'Run again' })).click();
      if (i > 0) await page.getByRole('button', { name: 'Stop' }).waitFor();
      await page.getByRole('button', { name: 'Save the picture (PNG)' }).waitFor();
      seconds.push((performance.now() - began) / 1000);
      if (i === 0 || i === count - 1) memory.push(await memoryOf(bench.browser, page));
    }
    const [first, ...later] = seconds;
    console.log(
      `${id}: restored in ${first.toFixed(2)} s the first time, then ${median(later).toFixed(2)} s (median of ${later.length}); ` +
        `memory ${memory.join(`, after ${count} `)}; longest block ${await longestBlock(page)}`,
    );
    await page.context().close();
  }
}

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

/** Resident memory of the tab's process, its workers' and their WebAssembly's included, and the page's own heap. */
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
  return `${Math.max(0, ...resident).toFixed(0)} MiB (heap ${(usedSize / 2 ** 20).toFixed(0)} MiB)`;
}

function statusOf(process: number): string {
  const file = `/proc/${process}/status`;
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

async function large(bench: Bench, [width, height]: readonly number[]): Promise<void> {
  const page = await open(bench, 'restore');
  const file = path.join(bench.folder, 'large.jpg');
  const face = path.join(MODELS_FOLDER, 'cartoon-faces', 'pictures', 'test-0012.png');
  const black = { create: { width: width >> 3, height: height >> 3, channels: 3 as const, background: 'black' } };
  const whole = await sharp(face).removeAlpha().resize(width, height, { fit: 'cover' }).raw().toBuffer();
  await sharp(whole, { raw: { width, height, channels: 3 } })
    .composite([{ input: black, left: width >> 1, top: height >> 2 }])
    .jpeg()
    .toFile(file);
  await page.waitForFunction('document.querySelector(".card.chosen")');
  await longestBlock(page);
  let began = performance.now();
  await page.getByLabel('Choose pictures').setInputFiles(file);
  const button = page.getByRole('button', { name: 'Restore', exact: true });
  await button.waitFor();
  const opened = (performance.now() - began) / 1000;
  const opening = await longestBlock(page);
  began = performance.now();
  await button.click();
  await page.getByRole('button', { name: 'Save the picture (JPEG)' }).waitFor({ timeout: 300_000 });
  const restored = (performance.now() - began) / 1000;
  console.log(
    `a picture of ${width} x ${height}: shown after ${opened.toFixed(1)} s, longest block ${opening}; restored in ${restored.toFixed(1)} s, ` +
      `longest block ${await longestBlock(page)}; memory ${await memoryOf(bench.browser, page)}`,
  );
  await page.context().close();
}

async function training(bench: Bench, count: number): Promise<void> {
  const page = await open(bench, 'inspect');
  await page.getByLabel('Choose a folder of good pictures').setInputFiles(await goodParts(bench, count));
  await longestBlock(page);
  const began = performance.now();
  await page.getByRole('button', { name: 'Learn' }).click();
  await page.getByText('is ready.').waitFor({ timeout: 600_000 });
  console.log(
    `${count} pictures of 128 x 128, features included: learned from and calibrated in ${((performance.now() - began) / 1000).toFixed(1)} s, ` +
      `longest block ${await longestBlock(page)}; memory ${await memoryOf(bench.browser, page)}`,
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
