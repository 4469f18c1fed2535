/** Headless Chromium, where there is one: what pages look like, and what their scripts do. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

/** The browser's file: RGI_CHROMIUM, or where Debian and others put it; undefined where there is none. */
export const chromium = [
  process.env.RGI_CHROMIUM ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((file) => file !== '' && existsSync(file));

/** Works as root and without a GPU, and asks nothing of the network. */
export const CHROMIUM_FLAGS: readonly string[] = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** WebGPU, computed by the processor: slow, but there is one on every machine. */
export const SOFTWARE_WEBGPU_FLAGS: readonly string[] = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

/** Opens a page with further flags (`--dump-dom`, `--screenshot=FILE`) and returns what is printed; `folder` takes its profile. */
export function browse(folder: string, page: string, ...flags: readonly string[]): string {
  if (!chromium) throw new Error('No Chromium was found.');
  const own = ['--headless', '--hide-scrollbars', ...CHROMIUM_FLAGS];
  const profile = `--user-data-dir=${path.join(folder, 'profile')}`;
  return execFileSync(chromium, [...own, profile, ...flags, pathToFileURL(page).href], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 50_000,
  });
}
