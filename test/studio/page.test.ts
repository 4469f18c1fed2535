/** The studio's page in Chromium, with a scripted engine: what can be done, said and reached, on a screen and on a phone. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import type { BrowserContextOptions, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromium } from '../../scripts/chromium.ts';
import { needs } from '../support/needs.ts';
import {
  findings,
  openExample,
  openStudio,
  overflow,
  PHONE,
  restoreExample,
  restoreOffline,
  type StudioUnderTest,
  tintedShare,
} from './browser.ts';

/** What the page may weigh, compressed, before the runtime and the models. */
const FIRST_LOAD = 250_000;

const ENGINE = path.join(import.meta.dirname, 'fake-engine.ts');

const png = (svg: string) =>
  sharp(Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64">${svg}</svg>`))
    .png()
    .toBuffer();
const plain = (grey: number) => `<rect width="64" height="64" fill="rgb(${grey},${grey},${grey})"/>`;
const file = (name: string, buffer: Buffer, mimeType = 'image/png') => ({ name, buffer, mimeType });

describe.skipIf(!chromium)(needs(chromium !== undefined, 'skipped: no Chromium was found', 'in Chromium'), () => {
  let studio: StudioUnderTest;
  let folder: string;
  let good: string;
  let mixed: string;
  beforeAll(async () => {
    studio = await openStudio(ENGINE);
    folder = mkdtempSync(path.join(tmpdir(), 'rgi-parts-'));
    good = await folderOf('good', parts(12, false));
    mixed = await folderOf('mixed', parts(9, true));
  });
  afterAll(async () => {
    await studio?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function folderOf(name: string, files: ReturnType<typeof parts>): Promise<string> {
    const own = path.join(folder, name);
    mkdirSync(own);
    for (const { name: each, buffer } of await files) writeFileSync(path.join(own, each), buffer);
    // What is no picture is passed over.
    writeFileSync(path.join(own, 'notes.txt'), 'notes');
    return own;
  }

  /** Good parts, of which every third of those to inspect has a black mark that grows. */
  async function parts(count: number, marked: boolean) {
    const made = Array.from({ length: count }, async (_, i) => {
      const mark = marked && i % 3 === 0 ? `<rect x="8" y="8" width="${16 + 2 * i}" height="24"/>` : '';
      return file(`part-${i}.png`, await png(plain(140 + i) + mark));
    });
    return Promise.all(made);
  }

  async function inspected(page: Page): Promise<void> {
    await page.getByLabel('Choose a folder of good pictures').setInputFiles(good);
    await page.getByRole('button', { name: 'Learn' }).click();
    await page.getByText('is ready.').waitFor();
    await page.getByLabel('Choose a folder', { exact: true }).setInputFiles(mixed);
    await page.getByText('3 defective, 6 good.').waitFor();
  }

  test('a picture is restored with one button, and it is seen happening', async () => {
    await studio.visit(async (page) => {
      await openExample(page);
      await page.getByRole('button', { name: 'Restore', exact: true }).click();
      await page.getByText(/^Step \d+ of 20$/).waitFor();
      await page.getByText(/^\d\.\d.s left$/).waitFor();
      for (const pane of ['Found so far', "The model's picture", 'Difference']) await page.getByText(pane).waitFor();
      await page.locator('.chart canvas').waitFor();
      await page.getByRole('button', { name: 'Save the picture (PNG)' }).waitFor();
      await page.getByText(/^\d\.\d.% found damaged, 20 steps, 0\.8.s\.$/).waitFor();
    });
  });

  test('a search is paused, resumed and stopped', async () => {
    await studio.visit(async (page) => {
      await openExample(page);
      await page.getByRole('button', { name: 'Restore', exact: true }).click();
      await page.getByRole('button', { name: 'Pause' }).click();
      const step = page.locator('.meter-head span').first();
      await page.waitForTimeout(150);
      const before = await step.textContent();
      await page.waitForTimeout(200);
      expect(await step.textContent()).toBe(before);
      await page.getByRole('button', { name: 'Resume' }).click();
      await step.filter({ hasNotText: before ?? '' }).waitFor();
      await page.getByRole('button', { name: 'Stop' }).click();
      await page.getByRole('button', { name: 'Restore', exact: true }).waitFor();
    });
  });

  test('the mask follows the threshold at once, without a search', async () => {
    await studio.visit(async (page) => {
      await restoreExample(page);
      await page.getByRole('radio', { name: 'Found' }).check({ force: true });
      const automatic = await tintedShare(page);
      const threshold = page.getByRole('slider', { name: 'What counts as damage' });
      await threshold.fill('20');
      const more = await tintedShare(page);
      await threshold.fill('120');
      const less = await tintedShare(page);
      expect(more).toBeGreaterThan(automatic);
      expect(less).toBeLessThan(automatic);
      await page.getByRole('button', { name: 'Restore again with this' }).waitFor();
      await page.getByRole('button', { name: 'Back to automatic' }).click();
      expect(await tintedShare(page)).toBe(automatic);
    });
  });

  test('a mask is corrected by the brush and by keys, undone and redone, and the search goes on from there', async () => {
    await studio.visit(async (page) => {
      await restoreExample(page);
      await page.getByRole('radio', { name: 'Found' }).check({ force: true });
      const before = await tintedShare(page);
      const surface = page.getByRole('application');
      const box = (await surface.boundingBox())!;
      await page.mouse.move(box.x + 0.1 * box.width, box.y + 0.9 * box.height);
      await page.mouse.down();
      await page.mouse.move(box.x + 0.4 * box.width, box.y + 0.9 * box.height, { steps: 5 });
      await page.mouse.up();
      const drawn = await tintedShare(page);
      expect(drawn).toBeGreaterThan(before);
      await page.getByRole('button', { name: 'Undo' }).click();
      expect(await tintedShare(page)).toBe(before);
      await page.getByRole('button', { name: 'Redo' }).click();
      expect(await tintedShare(page)).toBe(drawn);
      await surface.focus();
      for (let i = 0; i < 9; i++) await page.keyboard.press('ArrowLeft');
      await page.keyboard.press('Space');
      expect(await tintedShare(page)).toBeGreaterThan(drawn);
      const asked = await tintedShare(page);
      await page.getByRole('button', { name: 'Restore again with this' }).click();
      await page.getByRole('button', { name: 'Save the picture (PNG)' }).waitFor();
      await page.getByRole('radio', { name: 'Found' }).check({ force: true });
      expect(await tintedShare(page)).toBeCloseTo(asked, 2);
      await page.getByText('found damaged, 10 steps,').waitFor();
      await page.getByRole('button', { name: 'Run again' }).click();
      await page.getByText('found damaged, 20 steps,').waitFor();
    });
  });

  test('the picture is saved in its own format, and the manifest with the command that repeats it', async () => {
    await studio.visit(async (page) => {
      const jpeg = await sharp(await png(plain(150)))
        .jpeg()
        .toBuffer();
      await page.getByLabel('Choose pictures').setInputFiles([file('photo.jpg', jpeg, 'image/jpeg')]);
      await page.getByRole('button', { name: 'Restore', exact: true }).click();
      const [saved] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'Save the picture (JPEG)' }).click(),
      ]);
      expect(saved.suggestedFilename()).toBe('photo.restored.jpg');
      expect((await sharp(await saved.path()).metadata()).format).toBe('jpeg');
      const [manifest] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'Manifest' }).click(),
      ]);
      expect(JSON.parse(readFileSync(await manifest.path(), 'utf8')).command.join(' ')).toBe(
        'rgi restore photo.jpg --generator models/cartoon-faces/generator.onnx --method rgi --seed 0 --fit contain --out restored',
      );
    });
  });

  test.each([
    ['empty.png', Buffer.alloc(0), 'empty.png is empty: no bytes are in it. Choose another file.'],
    [
      'notes.png',
      Buffer.from('not a picture'),
      'notes.png is not a picture that browsers read. Use PNG, JPEG, WebP, GIF, BMP or AVIF.',
    ],
    [
      'scan.tif',
      Buffer.from('II*\0 and more'),
      'scan.tif is a TIFF file, which browsers do not read. Save it as PNG, JPEG or WebP first.',
    ],
    [
      'cut.png',
      Buffer.from('\x89PNG\r\n\x1a\n and nothing else', 'latin1'),
      'cut.png is damaged or cut short, and cannot be decoded. Choose another copy.',
    ],
  ])('%s is refused in words, and the page goes on', async (name, buffer, sentence) => {
    await studio.visit(async (page) => {
      await page.getByLabel('Choose pictures').setInputFiles([file(name, buffer)]);
      await page.getByRole('alert').filter({ hasText: sentence }).waitFor();
      await page.getByRole('button', { name: 'Dismiss' }).click();
      await restoreExample(page);
    });
  });

  test('a bad model is refused where models are chosen', async () => {
    await studio.visit(async (page) => {
      await page.locator('.models input').setInputFiles([file('bad.onnx', Buffer.from('no model'))]);
      await page
        .getByRole('alert')
        .filter({ hasText: 'bad.onnx is not an ONNX model: it ends after 8 bytes.' })
        .waitFor();
    });
  });

  test('several pictures are restored one after another', async () => {
    await studio.visit(async (page) => {
      const some = await parts(3, true);
      await page.getByLabel('Choose pictures').setInputFiles(some);
      await page.getByRole('button', { name: 'Restore all' }).click();
      for (const { name } of some) await page.getByRole('button', { name: `${name}, restored` }).waitFor();
    });
  });

  test('good pictures are learned from, others inspected, the limit moved, a verdict overruled, the list saved', async () => {
    await studio.visit(
      async (page) => {
        await inspected(page);
        const limit = page.getByRole('slider', { name: 'Limit' });
        await limit.fill('400');
        await page.getByText('0 defective, 3 marked under the limit, 6 good.').waitFor();
        await page.getByRole('radio', { name: 'Marked 3' }).check({ force: true });
        expect(await page.locator('.tile').count()).toBe(3);
        await page.getByRole('radio', { name: 'All 9' }).check({ force: true });
        await page.getByRole('button', { name: 'Back to the calibrated limit' }).click();
        await page.getByRole('button', { name: 'Good: mixed/part-6.png' }).click();
        await page.getByText('2 defective, 7 good.').waitFor();
        const [list] = await Promise.all([
          page.waitForEvent('download'),
          page.getByRole('button', { name: 'List (CSV)' }).click(),
        ]);
        const lines = readFileSync(await list.path(), 'utf8')
          .trim()
          .split('\n');
        expect(lines).toHaveLength(10);
        expect(lines[1].trim()).toMatch(/^mixed\/part-6\.png,.*,good,person,1,$/);
        const [report] = await Promise.all([
          page.waitForEvent('download'),
          page.getByRole('button', { name: 'Report' }).click(),
        ]);
        expect(readFileSync(await report.path(), 'utf8')).toContain('part-6.png');
      },
      { view: 'inspect' },
    );
  });

  test('a trained model is kept in the browser, is there after a reload, and is erased', async () => {
    await studio.visit(
      async (page) => {
        await inspected(page);
        await page.getByRole('button', { name: 'Keep in this browser' }).click();
        await page.getByText('Kept in this browser').waitFor({ state: 'attached' });
        await page.reload();
        const erase = page.getByRole('button', { name: /^Erase .* from this browser$/ });
        await erase.click();
        await erase.waitFor({ state: 'detached' });
        await page.reload();
        await page.locator('.card').first().waitFor();
        expect(await erase.count()).toBe(0);
      },
      { view: 'inspect' },
    );
  });

  test('a reload in the middle of a search begins anew', async () => {
    await studio.visit(async (page) => {
      page.on('dialog', (dialog) => void dialog.accept());
      await openExample(page);
      await page.getByRole('button', { name: 'Restore', exact: true }).click();
      await page.getByText(/^Step \d+ of 20$/).waitFor();
      await page.reload();
      await restoreExample(page);
    });
  });

  test('once loaded, it works without the server', async () => {
    await studio.visit(restoreOffline);
  });

  test('samples, what lies between two, a walk, and the nearest picture to one of one’s own', async () => {
    await studio.visit(
      async (page) => {
        await page.getByRole('button', { name: 'Sample 3' }).click();
        expect(await page.locator('.samples .chosen').count()).toBe(2);
        await page.getByRole('img', { name: 'The picture between the two chosen samples' }).waitFor();
        await page.getByRole('slider', { name: 'Its value' }).fill('2');
        await page.getByRole('img', { name: 'The first chosen sample with one latent changed' }).waitFor();
        await page.getByLabel('Choose a picture').setInputFiles(await parts(1, true));
        await page.getByRole('img', { name: "The model's nearest" }).waitFor();
      },
      { view: 'explore' },
    );
  });

  const views: [string, BrowserContextOptions][] = [
    ['wide and light', { colorScheme: 'light' }],
    ['on a phone and dark', { viewport: PHONE, hasTouch: true, colorScheme: 'dark' }],
  ];
  test.each(views)('%s, axe finds nothing, and nothing sticks out', async (_, options) => {
    const found: string[] = [];
    const look = async (page: Page, state: string) => {
      found.push(...(await findings(page)).map((finding) => `${state}: ${finding}`));
      const over = await overflow(page);
      if (over > 0) found.push(`${state}: sticks out by ${over} pixels`);
    };
    await studio.visit(async (page) => {
      await page.getByRole('button', { name: 'Damaged example 1' }).waitFor();
      await look(page, 'start');
      await openExample(page);
      await look(page, 'ready');
      await page.getByRole('button', { name: 'Restore', exact: true }).click();
      await page.getByRole('button', { name: 'Pause' }).click();
      await look(page, 'paused');
      await page.getByRole('button', { name: 'Resume' }).click();
      await page.getByRole('button', { name: 'Save the picture (PNG)' }).waitFor();
      for (const each of ['Before / after', 'Found', 'Difference', 'Certainty', 'Steps', 'Methods']) {
        await page.getByRole('radio', { name: each }).check({ force: true });
        await look(page, each);
      }
      for (const summary of ['Settings', 'Nothing leaves this tab']) {
        await page.locator('summary', { hasText: summary }).click();
        await look(page, summary);
      }
    }, options);
    await studio.visit(
      async (page) => {
        await page.locator('.card').first().waitFor();
        await look(page, 'inspect');
        await inspected(page);
        await look(page, 'gallery');
        await page.locator('.tile-picture').first().click();
        await look(page, 'detail');
      },
      { ...options, view: 'inspect' },
    );
    await studio.visit(
      async (page) => {
        await page.getByRole('img', { name: 'The picture between the two chosen samples' }).waitFor();
        await look(page, 'explore');
      },
      { ...options, view: 'explore' },
    );
    expect(found).toEqual([]);
  });

  test('the first load is small', () => {
    const assets = path.join(studio.site, 'assets');
    const first = readdirSync(assets).filter((name) => /^index-.*\.(js|css)$/.test(name));
    const bytes = [path.join(studio.site, 'index.html'), ...first.map((name) => path.join(assets, name))]
      .map((name) => gzipSync(readFileSync(name)).length)
      .reduce((sum, size) => sum + size, 0);
    console.log(`the studio's first load: ${bytes} bytes, compressed`);
    expect(bytes).toBeLessThan(FIRST_LOAD);
  });
});
