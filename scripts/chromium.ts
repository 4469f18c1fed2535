/** Headless Chromium, where there is one: what pages look like, and what their scripts do. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

export const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

/** Opens a page with further flags (`--dump-dom`, `--screenshot=FILE`) and returns what is printed; `folder` takes its profile. */
export function browse(folder: string, page: string, ...flags: readonly string[]): string {
  if (!chromium) throw new Error('No Chromium was found.');
  const own = ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars'];
  const profile = `--user-data-dir=${path.join(folder, 'profile')}`;
  return execFileSync(chromium, [...own, profile, ...flags, pathToFileURL(page).href], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 50_000,
  });
}
