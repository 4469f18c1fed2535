/** The studio's static site: the page bundled by Vite, an index of the shipped models with thumbnails, and the list of its files. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { build, defaultClientConditions, type Plugin } from 'vite';
import type { ShippedModel } from '../src/studio/page/models/shipped.ts';
import { STUDIO_POLICY } from '../src/studio/policy.ts';
import { SERVER_FILE, type ServerFacts } from '../src/studio/server.ts';

const root = path.resolve(import.meta.dirname, '..');
const page = path.join(root, 'src', 'studio', 'page');

/** Files of a model's folder that are opened together. */
const COMPANIONS = /^(generator\.onnx|encoder\.onnx|discriminator\.onnx|generator\.policy\.npz)$/;

/** Of `samples.png`: samples in a row, the gap around them in pixels, and how many are shown. */
const SHEET = { columns: 8, gap: 2 };
const SHOWN = { columns: 3, rows: 2 };
const THUMBNAIL_WIDTH = 390;

export interface SiteOptions {
  readonly out: string;
  /** Module that exports `createEngine`, instead of the real one: for tests of the page alone. */
  readonly engine?: string;
}

/** Builds the site into an empty folder. */
export async function buildSite({ out, engine }: SiteOptions): Promise<void> {
  await build({
    configFile: false,
    root: page,
    base: './',
    publicDir: path.join(page, 'public'),
    logLevel: 'warn',
    // The package's bundle would start its threads from our own worker's script.
    resolve: { conditions: ['onnxruntime-web-use-extern-wasm', ...defaultClientConditions] },
    plugins: [policyPlugin(), ...(engine ? [enginePlugin(engine)] : [])],
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    worker: { format: 'es' },
    build: {
      outDir: out,
      emptyOutDir: true,
      target: 'es2022',
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      chunkSizeWarningLimit: 2000,
      rolldownOptions: {
        input: { index: path.join(page, 'index.html'), 'service-worker': path.join(page, 'service-worker.ts') },
        output: {
          // The service worker's address says what it controls, and stays the same.
          entryFileNames: ({ name }) => (name === 'service-worker' ? '[name].js' : 'assets/[name]-[hash].js'),
        },
      },
    },
  });
  await writeModels(path.join(out, 'models'));
  writeFileSync(path.join(out, SERVER_FILE), JSON.stringify({} satisfies ServerFacts));
  writeFileList(out);
}

/** The policy in the page itself, so that it holds on any web server. */
function policyPlugin(): Plugin {
  return {
    name: 'studio-policy',
    transformIndexHtml: (html) => html.replace('STUDIO_POLICY', STUDIO_POLICY),
  };
}

function enginePlugin(engine: string): Plugin {
  return {
    name: 'studio-engine',
    enforce: 'pre',
    load: (id) => (id === path.join(page, 'engine-client.ts') ? `export * from ${JSON.stringify(engine)};` : undefined),
  };
}

/** `index.json`, and a thumbnail of each model. */
async function writeModels(out: string): Promise<void> {
  const models = path.join(root, 'models');
  const shipped: ShippedModel[] = [];
  for (const folder of readdirSync(models)) {
    const own = path.join(models, folder);
    if (!existsSync(path.join(own, 'generator.onnx'))) continue;
    const files = readdirSync(own).filter((file) => COMPANIONS.test(file));
    const pictures = path.join(own, 'pictures');
    mkdirSync(path.join(out, folder), { recursive: true });
    const sheet = sharp(path.join(own, 'samples.png'));
    const pitch = ((await sheet.metadata()).width - SHEET.gap) / SHEET.columns;
    await sheet
      .extract({ left: 0, top: 0, width: pitch * SHOWN.columns, height: pitch * SHOWN.rows })
      .resize(THUMBNAIL_WIDTH)
      .webp({ quality: 85 })
      .toFile(path.join(out, folder, 'thumbnail.webp'));
    shipped.push({
      id: folder,
      ...cardOf(readFileSync(path.join(own, 'README.md'), 'utf8')),
      files,
      bytes: files.reduce((sum, file) => sum + statSync(path.join(own, file)).size, 0),
      pictures: existsSync(pictures) ? readdirSync(pictures).filter((file) => file.endsWith('.png')) : [],
    });
  }
  // First those with pictures to try: the page opens the first one.
  shipped.sort((a, b) => Number(b.pictures.length > 0) - Number(a.pictures.length > 0));
  const features = readdirSync(path.join(models, 'features')).filter((file) => file.endsWith('.onnx'));
  writeFileSync(path.join(out, 'index.json'), JSON.stringify({ models: shipped, features }));
}

/** Title, size and licence of a model's card. */
function cardOf(card: string): Pick<ShippedModel, 'title' | 'about' | 'inspects'> {
  const title = /^# (.*)$/m.exec(card)?.[1];
  const pictures = /^\| pictures \| (.*) \|$/m.exec(card)?.[1];
  if (!title || !pictures) throw new Error('A model card has no title or no row of its pictures.');
  return { title, about: pictures.replace(' x ', ' × '), inspects: card.includes("| policy '") };
}

/** What the service worker stores for use offline: every file but the models, which are stored when they are opened. */
function writeFileList(out: string): void {
  const files = readdirSync(out, { recursive: true, encoding: 'utf8' })
    .map((file) => file.split(path.sep).join('/'))
    .filter((file) => statSync(path.join(out, file)).isFile() && file !== 'service-worker.js')
    .sort();
  const hash = createHash('sha256');
  for (const file of files) hash.update(file).update(readFileSync(path.join(out, file)));
  writeFileSync(path.join(out, 'files.json'), JSON.stringify({ version: hash.digest('hex').slice(0, 16), files }));
}
