/** The studio as it is shipped, in Chromium: the real engine restores, is corrected, trains, calibrates and inspects; nothing is sent. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Download, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromium } from '../../scripts/chromium.ts';
import { studioPages } from '../../src/studio/node/pages.ts';
import { MODELS, startService } from '../service/support.ts';
import { needs } from '../support/needs.ts';
import {
  findings,
  openExample,
  openStudio,
  restoreExample,
  restoreOffline,
  type StudioUnderTest,
  tintedShare,
} from './browser.ts';

const FACES = path.resolve(import.meta.dirname, '../../models/cartoon-faces/pictures');

describe.skipIf(!chromium)(needs(chromium !== undefined, 'skipped: no Chromium was found', 'in Chromium'), () => {
  let studio: StudioUnderTest;
  let folder: string;
  beforeAll(async () => {
    studio = await openStudio();
    folder = mkdtempSync(path.join(tmpdir(), 'rgi-studio-parts-'));
  });
  afterAll(async () => {
    await studio?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A disc on a plain ground, its brightness and place a little different each time; with a mark on every third. */
  async function parts(name: string, count: number, marked: boolean): Promise<string> {
    const own = path.join(folder, name);
    mkdirSync(own);
    for (let i = 0; i < count; i++) {
      const grey = 120 + ((7 * i) % 40);
      const mark = marked && i % 3 === 0 ? `<rect x="${20 + i}" y="26" width="14" height="10" fill="#111"/>` : '';
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="64" height="64" fill="rgb(${grey},${grey},${grey})"/><circle cx="${31 + (i % 3)}" cy="32" r="20" fill="#c9b27c"/>${mark}</svg>`;
      writeFileSync(path.join(own, `part-${i}.png`), await sharp(Buffer.from(svg)).png().toBuffer());
    }
    return own;
  }

  async function saved(page: Page): Promise<Buffer> {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Save the picture (PNG)' }).click(),
    ]);
    return sharp(await download.path())
      .removeAlpha()
      .raw()
      .toBuffer();
  }

  const psnr = (a: Buffer, b: Buffer) => {
    const error = a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / a.length;
    return 10 * Math.log10(255 ** 2 / error);
  };

  test('a damaged face is restored to what it was; then its mask is corrected by hand', async () => {
    await studio.visit(async (page) => {
      await restoreExample(page);
      const clean = await sharp(path.join(FACES, 'test-0012.png')).removeAlpha().raw().toBuffer();
      expect(psnr(await saved(page), clean)).toBeGreaterThan(25);
      await page.getByRole('radio', { name: 'Found' }).check({ force: true });
      const found = await tintedShare(page);
      expect(found).toBeGreaterThan(0.03);
      expect(found).toBeLessThan(0.12);
      // A corner that is known to be damaged.
      const box = (await page.getByRole('application').boundingBox())!;
      await page.mouse.click(box.x + 0.06 * box.width, box.y + 0.06 * box.height);
      await page.getByRole('button', { name: 'Restore again with this' }).click();
      await page.getByRole('button', { name: 'Restore again with this' }).waitFor({ state: 'detached' });
      await page.getByRole('radio', { name: 'Found' }).check({ force: true });
      expect(await tintedShare(page)).toBeGreaterThan(found);
      await page.getByRole('radio', { name: 'Steps' }).check({ force: true });
      await page.getByRole('slider', { name: 'Recorded pictures of the search' }).waitFor();
    });
  });

  test("the manifest's command, run by rgi, gives the picture that was saved", async () => {
    const black = { create: { width: 18, height: 12, channels: 3 as const, background: 'black' } };
    const face = sharp(path.join(FACES, 'test-0037.png')).removeAlpha();
    writeFileSync(
      path.join(folder, 'face.png'),
      await face
        .composite([{ input: black, left: 30, top: 20 }])
        .png()
        .toBuffer(),
    );
    await studio.visit(async (page) => {
      const again = page.getByRole('button', { name: 'Restore again with this' });
      await page.getByLabel('Choose pictures').setInputFiles(path.join(folder, 'face.png'));
      await page.getByRole('button', { name: 'Restore', exact: true }).click();
      await page.getByRole('button', { name: 'Save the picture (PNG)' }).waitFor();
      await page.getByRole('slider', { name: 'What counts as damage' }).fill('40');
      const box = (await page.getByRole('application').boundingBox())!;
      await page.mouse.click(box.x + 0.06 * box.width, box.y + 0.06 * box.height);
      await again.click();
      await again.waitFor({ state: 'detached' });
      await page.getByRole('button', { name: 'Save the picture (PNG)' }).waitFor();
      const picture = await saved(page);
      const downloads: Download[] = [];
      page.on('download', (download) => downloads.push(download));
      await page.getByRole('button', { name: 'Manifest' }).click();
      await expect.poll(() => downloads.length).toBe(2);
      for (const download of downloads) await download.saveAs(path.join(folder, download.suggestedFilename()));
      const { command } = JSON.parse(readFileSync(path.join(folder, 'face.manifest.json'), 'utf8'));
      symlinkSync(path.resolve(FACES, '../..'), path.join(folder, 'models'));
      const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
      const words = ['--import', tsx, path.resolve(FACES, '../../../src/cli/main.ts'), ...command.slice(1), '--quiet'];
      execFileSync('node', words, { cwd: folder, stdio: 'pipe' });
      const repeated = await sharp(path.join(folder, 'restored', 'face.composite.png'))
        .removeAlpha()
        .raw()
        .toBuffer();
      expect(psnr(repeated, picture)).toBe(Number.POSITIVE_INFINITY);
    });
  });

  test('good parts are learned from in the tab, and the marked ones among others are found', {
    timeout: 300_000,
  }, async () => {
    const good = await parts('good', 16, false);
    const mixed = await parts('mixed', 9, true);
    await studio.visit(
      async (page) => {
        await page.getByLabel('Choose a folder of good pictures').setInputFiles(good);
        await page.getByRole('radio', { name: '64' }).check({ force: true });
        await page.getByRole('button', { name: 'Learn' }).click();
        await page.getByText('is ready.').waitFor({ timeout: 240_000 });
        await page.getByLabel('Choose a folder', { exact: true }).setInputFiles(mixed);
        await page.getByText(/^\d+ defective, .*\d+ good\.$/).waitFor();
        const [list] = await Promise.all([
          page.waitForEvent('download'),
          page.getByRole('button', { name: 'List (CSV)' }).click(),
        ]);
        const first = readFileSync(await list.path(), 'utf8')
          .trim()
          .split('\n')
          .slice(1, 4);
        expect(first.map((line) => line.split(',')[0]).sort()).toEqual([0, 3, 6].map((i) => `mixed/part-${i}.png`));
        expect(first.every((line) => line.includes(',defective,'))).toBe(true);
      },
      { view: 'inspect' },
    );
  });

  test('a picture of 50 megapixels is restored and saved at its own size', async () => {
    const [width, height] = [8192, 6144];
    const face = sharp(path.join(FACES, 'test-0012.png')).removeAlpha();
    const whole = await face.resize(width, height, { fit: 'cover' }).raw().toBuffer();
    const black = { create: { width: 1024, height: 768, channels: 3 as const, background: 'black' } };
    const file = path.join(folder, 'large.jpg');
    await sharp(whole, { raw: { width, height, channels: 3 } })
      .composite([{ input: black, left: 4096, top: 1536 }])
      .jpeg()
      .toFile(file);
    await studio.visit(async (page) => {
      await page.getByRole('button', { name: 'Damaged example 1' }).waitFor();
      await page.getByLabel('Choose pictures').setInputFiles(file);
      await page.getByRole('button', { name: 'Restore', exact: true }).click();
      const save = page.getByRole('button', { name: 'Save the picture (JPEG)' });
      await save.waitFor();
      const [download] = await Promise.all([page.waitForEvent('download'), save.click()]);
      const restored = await sharp(await download.path())
        .extract({ left: 4300, top: 1700, width: 600, height: 400 })
        .raw()
        .toBuffer();
      const { info } = await sharp(await download.path()).toBuffer({ resolveWithObject: true });
      expect([info.width, info.height]).toEqual([width, height]);
      expect(restored.reduce((sum, value) => sum + value, 0) / restored.length).toBeGreaterThan(40);
    });
  });

  test('a picture that no tab can hold is refused in a sentence', async () => {
    const file = path.join(folder, 'too-large.png');
    const size = { width: 10_000, height: 8200, channels: 3 as const, background: 'white' };
    await sharp({ create: size, limitInputPixels: false }).png({ compressionLevel: 1 }).toFile(file);
    await studio.visit(async (page) => {
      await page.getByLabel('Choose pictures').setInputFiles(file);
      const sentence = page.getByRole('alert').filter({ hasText: 'too-large.png' });
      await sentence.waitFor();
      expect(await sentence.textContent()).toContain(
        "too-large.png has 10,000 × 8,200 pixels; a tab can hold at most 80 million. Make it smaller, or use 'rgi restore'.",
      );
    });
  });

  test('once a model was opened, it restores without the server', async () => {
    await studio.visit(restoreOffline);
  });

  test('a worker that is killed in the middle is said, and the next search is made by another', async () => {
    await studio.visit(async (page) => {
      await openExample(page);
      await page.getByRole('button', { name: 'Restore', exact: true }).click();
      const [worker] = page.workers().filter((each) => each.url().includes('entry'));
      await worker.evaluate('self.close()').catch(() => {});
      await page.getByText('What was computed there is lost; try again.').waitFor();
      await page.getByRole('button', { name: 'Restore', exact: true }).click();
      await page.getByRole('button', { name: 'Save the picture (PNG)' }).waitFor();
    });
  });

  test('of rgi serve: pictures go to the server once that is switched on, and not before', async () => {
    const token = 'a-token-of-this-test';
    const service = await startService(
      {},
      { tokens: [{ name: 'studio', token }], studio: studioPages(true, studio.site) },
    );
    const trousers = sharp(path.join(MODELS, 'fashion-trousers/pictures/00097.png'));
    const black = { create: { width: 6, height: 5, channels: 3 as const, background: 'black' } };
    const file = path.join(folder, 'trousers.png');
    writeFileSync(
      file,
      await trousers
        .composite([{ input: black, left: 12, top: 8 }])
        .png()
        .toBuffer(),
    );
    const act = async (page: Page) => {
      page.setDefaultTimeout(120_000);
      const sent: string[] = [];
      page.on('request', (request) => {
        const asked = request.url().slice(service.url.length);
        if (!asked.startsWith('/studio/'))
          sent.push(`${request.method()} ${asked.replace(/[?].*|[0-9a-f-]{36}.*/, '')}`);
      });
      const toServer = page.getByRole('switch', { name: 'Compute on this server' });
      await page.getByText('Nothing leaves this tab').waitFor();
      await toServer.waitFor();
      // The first model of the package is open in the tab.
      await page.getByRole('button', { name: 'Damaged example 1' }).waitFor();
      expect(sent.filter((one) => one !== 'GET /healthz')).toEqual([]);
      await toServer.check();
      await page.getByText(`Pictures go to ${new URL(service.url).host}`).waitFor();
      await page.getByText(`they are sent to ${new URL(service.url).host}.`).waitFor();
      await page.getByLabel('Token of this server').fill(token);
      expect(await findings(page)).toEqual([]);
      await page.getByRole('button', { name: 'Use the token' }).click();
      await page.getByRole('button', { name: 'fashion-trousers' }).click();
      await page.getByLabel('Choose pictures').setInputFiles(file);
      const setSteps = async (steps: number) => {
        await page.getByText('Settings').click();
        await page.getByRole('spinbutton', { name: 'Steps' }).fill(String(steps));
        await page.getByText('Settings').click();
      };
      await setSteps(8);
      sent.length = 0;
      await page.getByRole('button', { name: 'Restore', exact: true }).click();
      await page.getByRole('button', { name: 'Save the picture (PNG)' }).waitFor();
      expect(new Set(sent)).toEqual(new Set(['POST /v1/models/fashion-trousers/restore/jobs', 'GET /v1/jobs/']));
      const answer = await service.post(
        '/v1/models/fashion-trousers/restore?steps=8&fit=contain&answer=composite.png',
        new Uint8Array(readFileSync(file)),
        { 'content-type': 'image/png', authorization: `Bearer ${token}` },
      );
      const composite = sharp(new Uint8Array(await answer.arrayBuffer()))
        .toColourspace('srgb')
        .removeAlpha();
      expect(psnr(await saved(page), await composite.raw().toBuffer())).toBe(Number.POSITIVE_INFINITY);
      await setSteps(2000);
      await page.getByRole('button', { name: 'Run again' }).click();
      await page.getByText(/^Step [\d,]+ of [\d,]+$/).waitFor();
      await page.getByRole('button', { name: 'Stop' }).click();
      await page.getByRole('button', { name: 'Save the picture (PNG)' }).waitFor();
      expect(sent).toContain('DELETE /v1/jobs/');
    };
    try {
      await studio.visit(act, { service: service.url });
      expect((await service.get('/v1/models')).status).toBe(401);
    } finally {
      await service.close();
    }
  });

  test('a file that is no model is refused in the words of the core', async () => {
    await studio.visit(async (page) => {
      await page.locator('.models input').setInputFiles([
        {
          name: 'notes.onnx',
          mimeType: 'application/octet-stream',
          buffer: Buffer.from('these are notes, and no model'),
        },
      ]);
      await page.getByRole('alert').filter({ hasText: 'notes.onnx' }).waitFor();
    });
  });

  test('samples are drawn, and the nearest picture to a given one is found', async () => {
    await studio.visit(
      async (page) => {
        await page.getByRole('button', { name: 'Sample 12' }).waitFor();
        await page.getByLabel('Choose a picture').setInputFiles(path.join(FACES, 'test-0037.png'));
        await page.getByRole('img', { name: "The model's nearest" }).waitFor();
      },
      { view: 'explore' },
    );
  });
});
