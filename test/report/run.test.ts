/** Pages of `rgi detect` and `rgi restore` runs: what their folders hold, in order, and nothing else. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { encodePng } from '../../src/images/node/write.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { readRun } from '../../src/report/node/read-run.ts';
import { runPage } from '../../src/report/run-page.ts';
import { tinyGenerator } from '../support/tiny.ts';
import { HOSTILE } from './made.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), 'rgi-run-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const picture = (seed: number) =>
  encodePng(
    float32(
      randomFrom(seed)
        .normals(3 * 64)
        .map((v) => v / 3),
      [1, 3, 8, 8],
    ),
  );
const LIMIT = { limit: 24e6 };
const listed = (page: string) => [...page.matchAll(/<tr><th scope="row">(.*?)<\/th>/g)].map((row) => row[1]);

describe('rgi detect', () => {
  const policy = {
    name: 'default',
    thresholds: { pixel: 3.1, image: 4.2 },
    falseAlarms: { pixel: 0.002, image: 0.01 },
  };
  const manifest = {
    format: 1,
    kind: 'detect',
    complete: true,
    policy,
    generator: { file: 'part.onnx', sha256: '0' },
    versions: { rgi: '0' },
    device: 'cpu',
    mapScale: { black: 0, white: 9 },
    notes: ['A note.'],
  };

  async function detected(name: string, given: Partial<typeof manifest> = {}) {
    const folder = path.join(root, name);
    mkdirSync(folder);
    const lines = [];
    for (const [i, score] of [2, 9, 5].entries()) {
      const input = path.join(folder, `given${i}.png`);
      writeFileSync(input, await picture(i));
      const files = ['map.npy', 'map.png', 'mask.png', 'overlay.png'].map((kind) => `p${i}.${kind}`);
      for (const file of files.slice(1)) writeFileSync(path.join(folder, file), await picture(10 + i));
      const sha256 = createHash('sha256').update(readFileSync(input)).digest('hex');
      const defects =
        score > 4.2 ? [{ area: 9, top: 1, left: 2, height: 3, width: 3, peak: score, at: { y: 2, x: 3 } }] : [];
      const found = { score, defective: score > 4.2, defects, markedShare: 0.01, seconds: 1, files };
      lines.push({ name: `p${i}`, path: input, sha256, status: 'done', ...found });
    }
    // One whose bytes are not those that were inspected, and one that could not be read.
    writeFileSync(lines[2].path, await picture(99));
    const failed = { name: 'x', path: HOSTILE, status: 'failed', message: 'It is <empty>.' };
    const text = [...lines, failed].map((line) => `${JSON.stringify(line)}\n`).join('');
    writeFileSync(path.join(folder, 'results.jsonl'), `${text}{"name":`);
    writeFileSync(path.join(folder, 'manifest.json'), JSON.stringify({ ...manifest, ...given }));
    return { folder, lines };
  }

  test('the oddest picture first, with its verdict; failures and the threshold are said', async () => {
    const { folder, lines } = await detected('found');
    const report = (await readRun(folder, LIMIT))!;
    expect(report.pictures.map(({ name, state }) => [name, state])).toEqual([
      ['p1', 'defective'],
      ['p2', 'defective'],
      ['p0', 'good'],
    ]);
    expect(report.facts[0]).toEqual(['What', '2 of 3 pictures are defective']);
    expect(report.failed).toEqual([{ file: HOSTILE, reason: 'It is <empty>.' }]);
    expect(report.charts[0]).toMatchObject({ reference: { y: 4.2 } });
    // Inputs lie anywhere: one is shown only if its bytes are those that were inspected.
    expect(report.embedded.has(lines[0].path)).toBe(true);
    expect(report.embedded.has(lines[2].path)).toBe(false);
    expect(report.embedded.has('p2.overlay.png')).toBe(true);
    const page = await runPage(report);
    expect(listed(page).slice(0, 3)).toEqual(['p1', 'p2', 'p0']);
    expect(page).toContain('<h1>Detection: found</h1>');
    expect(page).not.toContain('<script>alert');
    expect(page).not.toContain('Not complete');
  });

  test('one that was interrupted says so; a page that would be too large keeps the oddest', async () => {
    const { folder } = await detected('partly', { complete: false });
    const whole = (await readRun(folder, LIMIT))!;
    expect(await runPage(whole)).toContain('Not complete');
    const first = [...whole.embedded.keys()].slice(0, 3);
    const limit = first.reduce((sum, file) => sum + whole.embedded.get(file)!.length, 0);
    const small = (await readRun(folder, { limit }))!;
    expect([...small.embedded.keys()]).toEqual(first);
    expect(small.embedded.has('p1.map.png')).toBe(true);
  });
});

test('rgi restore: what it wrote, with the trajectories of its searches', async () => {
  const place = (name: string) => path.join(root, name);
  writeFileSync(place('g.onnx'), encodeModel(tinyGenerator()));
  for (const i of [1, 2]) writeFileSync(place(`${i}.png`), await picture(i));
  const said = { out: '', err: '' };
  const io = {
    out: (text: string) => {
      said.out += text;
    },
    err: (text: string) => {
      said.err += text;
    },
    terminal: false,
    colour: false,
    signal: new AbortController().signal,
    worker: false,
  };
  const out = place('restored');
  const common = ['--generator', place('g.onnx'), '--out', out, '--threads', '1', '--quiet'];
  const given = ['restore', place('1.png'), place('2.png'), '--method', 'invert', '--steps', '6'];
  expect(await run([...given, ...common], io)).toBe(0);
  expect(await run(['report', out, '--quiet'], io)).toBe(0);
  const page = readFileSync(path.join(out, 'report.html'), 'utf8');
  expect(listed(page)).toEqual(expect.arrayContaining(['1', '2']));
  for (const text of ['Loss along the search', '<figcaption>composite', '<figcaption>input', 'Options'])
    expect(page).toContain(text);
});
