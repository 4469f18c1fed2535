/** From a folder to a page: the pictures are found and made small, what is missing or hostile is left out and said. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { compactPicture } from '../../src/images/node/compact.ts';
import { encodePng } from '../../src/images/node/write.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { embed } from '../../src/report/node/embed.ts';
import { readReport } from '../../src/report/node/read.ts';
import { madeResults, madeTrials } from './made.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'rgi-report-'));
  const trials = madeTrials();
  // A record of an earlier run of other settings, a torn line, and one that reaches out of the folder.
  const other = { ...trials[0], key: 'other', image: 'other.png' };
  const reaching = { ...trials[1], pictures: { ...trials[1].pictures!, restored: '../secret.png' } };
  writeFileSync(path.join(path.dirname(folder), 'secret.png'), await picture());
  const records = [other, trials[0], reaching, ...trials.slice(2)];
  writeFileSync(path.join(folder, 'records.jsonl'), `${records.map((one) => JSON.stringify(one)).join('\n')}\n{"key":`);
  writeFileSync(path.join(folder, 'results.json'), JSON.stringify(madeResults(trials)));
  for (const trial of trials) {
    for (const file of Object.values(trial.pictures!)) await put(String(file));
    for (const one of trial.snapshots ?? []) for (const file of [one.restored, one.mask]) await put(file);
  }
  writeFileSync(path.join(folder, trials[2].pictures!.composite!), 'no picture');
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  rmSync(path.join(path.dirname(folder), 'secret.png'), { force: true });
});

const picture = () =>
  encodePng(
    float32(
      randomFrom(1)
        .normals(3 * 64)
        .map((v) => v / 3),
      [1, 3, 8, 8],
    ),
  );
async function put(file: string) {
  mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
  writeFileSync(path.join(folder, file), await picture());
}

test('results, their trials alone, and their pictures are read', async () => {
  const report = await readReport(folder, { limit: 24e6 });
  expect(report.title).toBe('Restoration: faces');
  expect(report.trials).toHaveLength(18);
  expect(report.trials.map((trial) => trial.image)).not.toContain('other.png');
  expect(report.embedded.get('pictures/truth/0.png')).toMatch(/^data:image\/webp;base64,UklGR/);
});

test.runIf(process.platform !== 'win32')(
  'a symbolic link in the folder that leads out of it is not followed',
  async () => {
    const linked = path.join(folder, 'linked');
    mkdirSync(linked);
    writeFileSync(path.join(linked, 'own.png'), await picture());
    symlinkSync(path.join(linked, 'own.png'), path.join(linked, 'inner.png'));
    symlinkSync(path.join(path.dirname(folder), 'secret.png'), path.join(linked, 'outer.png'));
    const uses = ['own.png', 'inner.png', 'outer.png'].map((file) => ({ file }));
    expect([...(await embed(linked, uses, 1e6)).embedded.keys()]).toEqual(['own.png', 'inner.png']);
  },
);

test('a picture is shown upright, as its outputs are', async () => {
  const file = path.join(folder, 'turned.jpg');
  // Left half white, stored lying on its side.
  const data = Uint8Array.from({ length: 16 * 8 }, (_, i) => (i % 16 < 8 ? 255 : 0));
  await sharp(data, { raw: { width: 16, height: 8, channels: 1 } })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toFile(file);
  const { data: shown, info } = await sharp(await compactPicture(file, { lossless: true }))
    .greyscale()
    .raw()
    .toBuffer({ resolveWithObject: true });
  expect([info.width, info.height]).toEqual([8, 16]);
  expect([shown[0] > 200, shown[shown.length - 1] < 50]).toEqual([true, true]);
});

test('a picture outside of the folder and a file that is none are left out, and counted', async () => {
  const report = await readReport(folder, { limit: 24e6 });
  expect([...report.embedded.keys()]).not.toContain('../secret.png');
  expect(report.notes).toContain(
    '2 pictures are left out, to keep the page small or because their files are not there.',
  );
});

test('pictures of a bucket are left out, and counted by themselves', async () => {
  const uses = ['s3://archive/a.png', 's3://archive/b.png', 's3://archive/a.png'].map((file) => ({
    file,
    sha256: '0',
  }));
  expect(await embed(folder, uses, 1e6)).toEqual({
    embedded: new Map(),
    notes: ['2 pictures are left out, since they lie in a bucket.'],
  });
});

test('a symbolic link to a picture outside of the folder is not followed', async () => {
  const place = path.join(folder, 'pictures', 'truth', '1.png');
  const bytes = readFileSync(place);
  rmSync(place);
  symlinkSync(path.join(path.dirname(folder), 'secret.png'), place);
  try {
    const { embedded } = await readReport(folder, { limit: 24e6 });
    expect(embedded.has('pictures/truth/0.png')).toBe(true);
    expect(embedded.has('pictures/truth/1.png')).toBe(false);
  } finally {
    rmSync(place);
    writeFileSync(place, bytes);
  }
});

test('the pictures keep within the limit', async () => {
  const report = await readReport(folder, { limit: 3000 });
  const spent = [...report.embedded.values()].reduce((sum, url) => sum + url.length, 0);
  expect(report.embedded.size).toBeGreaterThan(2);
  expect(spent).toBeLessThanOrEqual(3000);
});

async function rgi(...argv: string[]) {
  let [out, err] = ['', ''];
  const io = {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    terminal: false,
    colour: false,
    signal: new AbortController().signal,
    worker: false,
  };
  return { code: await run(argv, io), out, err };
}

test('the command writes the page and says how large it is', async () => {
  const file = path.join(folder, 'page.html');
  const said = await rgi('report', folder, '--out', file, '--title', 'A <title>', '--json', '--quiet');
  expect(said).toMatchObject({ code: 0, err: '' });
  const page = readFileSync(file, 'utf8');
  expect(JSON.parse(said.out)).toMatchObject({ file, bytes: readFileSync(file).length });
  expect(page).toContain('<h1>A &lt;title&gt;</h1>');
});

test('a folder without an evaluation, or with a foreign one, is refused', async () => {
  const empty = path.join(folder, 'pictures');
  expect(await rgi('report', empty)).toMatchObject({
    code: 2,
    err: `error: ${empty} holds neither results.json nor manifest.json: name what 'rgi evaluate', 'rgi detect' or 'rgi restore' wrote (its --out).\n`,
  });
  writeFileSync(path.join(empty, 'results.json'), '{"format":1}');
  expect((await rgi('report', empty)).err).toContain('is not an evaluation of this version');
  writeFileSync(path.join(empty, 'manifest.json'), '{"format":2}');
  expect((await rgi('report', empty)).err).toContain(
    "is not a manifest of 'rgi detect' or 'rgi restore' of this version.",
  );
});

test('records and results with members of another kind are no part of the page', async () => {
  const damaged = mkdtempSync(path.join(tmpdir(), 'rgi-report-'));
  const trials = madeTrials();
  const [first, ...others] = trials;
  const history = { step: [0, 1], loss: [1], masked: [0, 0] };
  const broken = [
    { ...first, snapshots: [null] },
    { ...others[0], pictures: { input: true } },
    { ...others[1], score: 'high' },
    { ...others[2], history },
    { ...others[3], metrics: { psnr: [] } },
  ];
  const write = (results: unknown) => {
    const lines = [...broken, ...trials.slice(broken.length)].map((one) => JSON.stringify(one));
    writeFileSync(path.join(damaged, 'records.jsonl'), lines.join('\n'));
    writeFileSync(path.join(damaged, 'results.json'), JSON.stringify(results));
  };
  const results = madeResults(trials);
  write(results);
  const report = await readReport(damaged, { limit: 24e6 });
  expect(report.trials).toEqual(trials.slice(broken.length));
  expect(report.notes).toContain(
    "5 trials of results.json are not in the folder's journal: their pictures and curves are missing.",
  );
  const file = path.join(damaged, 'results.json');
  for (const change of [
    { curves: [{ kind: 'roc', x: 'text', y: [] }] },
    { metrics: { psnr: { n: 1, mean: 1, median: 1, medianInterval: 3 } } },
  ]) {
    write({ ...results, results: [{ ...results.results[0], ...change }] });
    await expect(readReport(damaged, { limit: 24e6 })).rejects.toThrow(
      `${file} is not an evaluation of this version; make it again with 'rgi evaluate'.`,
    );
  }
  // Nested deeper than anything we write.
  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
  writeFileSync(file, JSON.stringify({ ...results, settings: { deep: 0 } }).replace('"deep":0', `"deep":${deep}`));
  await expect(readReport(damaged, { limit: 24e6 })).rejects.toThrow(`${file} is not an evaluation of this version`);
  rmSync(damaged, { recursive: true });
});

test('an evaluation of an earlier version, which says told for maskGiven, makes the same page', async () => {
  const old = mkdtempSync(path.join(tmpdir(), 'rgi-report-older-'));
  try {
    for (const name of ['results.json', 'records.jsonl']) {
      const text = readFileSync(path.join(folder, name), 'utf8');
      expect(text).toContain('"maskGiven":true');
      writeFileSync(path.join(old, name), text.replaceAll('"maskGiven":', '"told":'));
    }
    const now = await readReport(folder, { limit: 24e6 });
    const then = await readReport(old, { limit: 24e6 });
    expect(then.results).toEqual(now.results);
    expect(then.trials).toEqual(now.trials);
  } finally {
    rmSync(old, { recursive: true, force: true });
  }
});
