/** The studio in headless Chromium, for tests: a built site, a page that is watched for anything it should not say or ask for. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { AxeResults } from 'axe-core';
import { type Browser, type BrowserContextOptions, chromium as driver, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { CHROMIUM_FLAGS, chromium } from '../../scripts/chromium.ts';
import { buildSite } from '../../scripts/studio-site.ts';
import { type RunningStudio, serveStudio } from '../../src/studio/node/serve.ts';

export const WIDE = { width: 1280, height: 860 };
export const PHONE = { width: 390, height: 844 };

/** How long a state of the page is waited for: other tests may need the cores. Below the time of a test, so that what was missing is named. */
const PATIENCE_MS = 100_000;

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export interface StudioUnderTest {
  readonly url: string;
  /** The built site. */
  readonly site: string;
  /**
   * Opens the page, hands it to `act`, and expects no request to anywhere else, no error, no broken rule of the policy. `service`: the address of
   * a service whose pages it is one of, to which it may send.
   */
  visit(
    act: (page: Page) => Promise<void>,
    options?: BrowserContextOptions & { readonly view?: string; readonly service?: string },
  ): Promise<void>;
  close(): Promise<void>;
}

/** @param engine Module of a scripted engine; absent: the real one. */
export async function openStudio(engine?: string): Promise<StudioUnderTest> {
  const folder = mkdtempSync(path.join(tmpdir(), 'rgi-studio-'));
  const site = path.join(folder, 'site');
  await buildSite({ out: site, ...(engine ? { engine } : {}) });
  const studio: RunningStudio = await serveStudio({ port: 0, site });
  const browser: Browser = await driver.launch({ executablePath: chromium, args: [...CHROMIUM_FLAGS] });
  return {
    url: studio.url,
    site,
    async visit(act, { view = 'restore', service, ...options } = {}) {
      const context = await browser.newContext({ viewport: WIDE, reducedMotion: 'reduce', ...options });
      context.setDefaultTimeout(PATIENCE_MS);
      try {
        const page = await context.newPage();
        const said: string[] = [];
        page.on('console', (message) => said.push(message.text()));
        page.on('pageerror', (error) => said.push(error.message));
        page.on('request', (request) => {
          const isOwn = request.url().startsWith(service ?? studio.url) || /^(blob|data):/.test(request.url());
          if (!isOwn || (!service && request.method() !== 'GET')) said.push(`${request.method()} ${request.url()}`);
        });
        await page.goto(`${service ? `${service}/studio/` : studio.url}#${view}`);
        await act(page);
        expect(said).toEqual([]);
      } finally {
        await context.close();
      }
    },
    async close() {
      await browser.close();
      await studio.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What axe-core finds wrong with the page as it is now. */
export async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const { violations } = await page.evaluate<AxeResults>('axe.run(document, { resultTypes: ["violations"] })');
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`));
}

/** Without the server, after it was loaded and a model was opened, the page restores as before. */
export async function restoreOffline(page: Page): Promise<void> {
  await page.evaluate('navigator.serviceWorker.ready.then(() => undefined)');
  await page.reload();
  await restoreExample(page);
  await page.context().setOffline(true);
  await page.reload();
  await restoreExample(page);
}

/** Does the page stick out of the window on the right? */
export async function overflow(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
}

/** The first example that the page offers, opened. */
export async function openExample(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Damaged example 1' }).click();
  await page.getByRole('button', { name: 'Restore', exact: true }).waitFor();
}

/** The same, restored. */
export async function restoreExample(page: Page): Promise<void> {
  await openExample(page);
  await page.getByRole('button', { name: 'Restore', exact: true }).click();
  await page.getByRole('button', { name: 'Save the picture (PNG)' }).waitFor();
}

/** Pixels of the tint over the picture that are drawn, as a share. */
export function tintedShare(page: Page): Promise<number> {
  return page.evaluate<number>(`(() => {
    const canvas = document.querySelectorAll('.editor canvas')[1];
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    return data.filter((value, i) => i % 4 === 3 && value > 0).length / (canvas.width * canvas.height);
  })()`);
}
