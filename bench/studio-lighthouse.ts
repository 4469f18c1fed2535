/** Lighthouse on the views of the studio: its scores of accessibility and best practices, and every audit that is not passed. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium as driver } from 'playwright-core';
import { CHROMIUM_FLAGS, chromium } from '../scripts/chromium.ts';

/** What is used of the package, which is not installed where types are checked. */
interface Lighthouse {
  default(
    url: string,
    flags: { readonly port: number; readonly logLevel: 'error'; readonly onlyCategories: readonly string[] },
    config: { readonly extends: 'lighthouse:default'; readonly settings?: Readonly<Record<string, unknown>> },
  ): Promise<
    | {
        readonly lhr: {
          readonly lighthouseVersion: string;
          readonly categories: Readonly<Record<string, { readonly title: string; readonly score: number | null }>>;
          readonly audits: Readonly<Record<string, { readonly title: string; readonly score: number | null }>>;
        };
      }
    | undefined
  >;
}

const VIEWS = ['restore', 'inspect', 'explore'];
const CATEGORIES = ['accessibility', 'best-practices'];
const SCREENS = {
  phone: {},
  desktop: {
    formFactor: 'desktop',
    screenEmulation: { mobile: false, width: 1280, height: 860, deviceScaleFactor: 1, disabled: false },
  },
} as const;

/** @param folder Where the user installed the package. */
export async function lighthouse(folder: string, url: string): Promise<void> {
  const from = createRequire(path.join(path.resolve(folder), 'package.json'));
  if (!existsSync(path.join(path.resolve(folder), 'node_modules', 'lighthouse'))) {
    console.log(
      `skipped: Lighthouse is not installed in ${folder}; the head of bench/studio.ts says how to install it.`,
    );
    return;
  }
  const { default: run } = (await import(pathToFileURL(from.resolve('lighthouse')).href)) as Lighthouse;
  const port = await freePort();
  const args = [...CHROMIUM_FLAGS, `--remote-debugging-port=${port}`];
  const browser = await driver.launch({ executablePath: chromium, args });
  try {
    for (const [screen, settings] of Object.entries(SCREENS)) {
      for (const view of VIEWS) {
        const flags = { port, logLevel: 'error' as const, onlyCategories: CATEGORIES };
        const found = await run(`${url}#${view}`, flags, { extends: 'lighthouse:default', settings });
        if (!found) throw new Error(`Lighthouse has no result of ${view}.`);
        const { categories, audits, lighthouseVersion } = found.lhr;
        const scores = Object.values(categories).map(
          ({ title, score }) => `${title} ${Math.round(100 * (score ?? 0))}`,
        );
        console.log(`${view}, ${screen}: ${scores.join(', ')} (Lighthouse ${lighthouseVersion})`);
        for (const [id, { title, score }] of Object.entries(audits))
          if (score !== null && score < 1) console.log(`  ${id}: ${title}`);
      }
    }
  } finally {
    await browser.close();
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
