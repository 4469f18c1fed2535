/**
 * Every kind of page in Chromium, where there is one: axe-core has no finding in light and dark, nothing is fetched, nothing
 * sticks out of a phone, pictures enlarge, commands are copied.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AxeResults } from 'axe-core';
import { type Browser, type BrowserContextOptions, chromium as driver, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM_FLAGS, chromium } from '../../scripts/chromium.ts';
import { needs } from '../support/needs.ts';
import { madePages } from './kinds.ts';

const pages = await madePages();
const kinds = [...pages.keys()];
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WIDE = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

describe.skipIf(!chromium)(needs(chromium !== undefined, 'skipped: no Chromium was found', 'in Chromium'), () => {
  let folder: string;
  let browser: Browser;
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'rgi-pages-'));
    browser = await driver.launch({ executablePath: chromium, args: [...CHROMIUM_FLAGS] });
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Opens a page, hands it to `look`, and expects that it asked for nothing and that its policy was broken by nothing. */
  async function visit<T>(kind: string, options: BrowserContextOptions, look: (page: Page) => Promise<T>): Promise<T> {
    const file = path.join(folder, `${kind.replaceAll(' ', '-')}.html`);
    writeFileSync(file, pages.get(kind)!);
    const context = await browser.newContext({ viewport: WIDE, reducedMotion: 'reduce', ...options });
    try {
      const page = await context.newPage();
      const said: string[] = [];
      page.on('console', (message) => said.push(message.text()));
      page.on('pageerror', (error) => said.push(error.message));
      page.on('request', (request) => /^(file|data):/.test(request.url()) || said.push(request.url()));
      await page.goto(pathToFileURL(file).href);
      const result = await look(page);
      expect(said).toEqual([]);
      return result;
    } finally {
      await context.close();
    }
  }

  async function findings(page: Page): Promise<string[]> {
    await page.evaluate(axe);
    const { violations } = await page.evaluate<AxeResults>('axe.run(document, { resultTypes: ["violations"] })');
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`));
  }

  describe.each(kinds)('%s', (kind) => {
    test('axe finds nothing, light and dark', async () => {
      const found = await visit(kind, {}, async (page) => {
        await page.evaluate('for (const one of document.querySelectorAll("details")) one.open = true');
        const light = await findings(page);
        await page.emulateMedia({ colorScheme: 'dark' });
        return { light, dark: await findings(page) };
      });
      expect(found).toEqual({ light: [], dark: [] });
    });

    test('on a phone nothing sticks out', async () => {
      const width = await visit(kind, { viewport: PHONE }, (page) =>
        page.evaluate<number>('document.documentElement.scrollWidth'),
      );
      expect(width).toBe(PHONE.width);
    });
  });

  const seen = (page: Page) =>
    page.evaluate<{ open: boolean; alt: string; focus: string }>(`({
      open: document.querySelector('dialog')?.open ?? false,
      alt: document.querySelector('dialog img')?.alt ?? '',
      focus: document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent,
    })`);

  test('a picture enlarges by a key; arrows go on, Escape closes and gives the focus back; axe finds nothing', async () => {
    await visit('report of a run', {}, async (page) => {
      const [first, second] = ['b.png, input', 'b.png, found'];
      await page.getByRole('button', { name: `Enlarge: ${first}` }).focus();
      await page.keyboard.press('Enter');
      expect(await seen(page)).toEqual({ open: true, alt: first, focus: 'Close' });
      expect(await findings(page)).toEqual([]);
      await page.keyboard.press('ArrowRight');
      expect((await seen(page)).alt).toBe(second);
      await page.keyboard.press('ArrowLeft');
      await page.keyboard.press('ArrowLeft');
      expect((await seen(page)).alt).toBe('b.png, mask');
      await page.keyboard.press('Escape');
      expect(await seen(page)).toMatchObject({ open: false, focus: `Enlarge: ${first}` });
    });
  });

  test('every picture enlarges, on every kind of page that has some', async () => {
    for (const kind of kinds.filter((one) => one !== 'theory')) {
      const [pictures, buttons] = await visit(kind, {}, (page) =>
        page.evaluate<[number, number]>(
          `['main img:not(.split img, .scale img)', 'main button.enlarge > img'].map((one) => document.querySelectorAll(one).length)`,
        ),
      );
      expect(pictures, kind).toBeGreaterThan(0);
      expect(buttons, kind).toBe(pictures);
    }
  });

  test('a command is copied', async () => {
    await visit('theory', { permissions: ['clipboard-read', 'clipboard-write'] }, async (page) => {
      await page.getByRole('button', { name: 'Copy' }).click();
      await page.getByRole('status').filter({ hasText: 'Copied' }).waitFor({ state: 'attached' });
      const text = await page.locator('.command pre').textContent();
      expect(await page.evaluate('navigator.clipboard.readText()')).toBe(text);
    });
  });

  test('theory: each question with its answer and its figure fits a screen', async () => {
    const heights = await visit('theory', {}, (page) =>
      page.evaluate<number[]>(`[...document.querySelectorAll('.screen')].map((one) => one.offsetHeight)`),
    );
    expect(heights).toHaveLength(8);
    for (const height of heights) expect(height).toBeLessThanOrEqual(WIDE.height);
  });
});
