/** `rgi theory` on a tiny generator: what it writes, resuming, interruption. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Theory } from '../../src/theory/record.ts';
import { type Bench, makeBench } from './bench.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.remove());

const SMALL = '--generator @g.onnx --count 2 --steps 3 --starts 2 --pool 25';
const theoryOf = (folder: string) => JSON.parse(readFileSync(bench.file(`${folder}/theory.json`), 'utf8')) as Theory;

describe('rgi theory', () => {
  test('leaves out pictures that cannot be read, and says which', async () => {
    const run = (folder: string) =>
      bench.rgi(`theory ${SMALL} --out @with-${folder} --experiments pictures --pictures @${folder}`);
    for (const folder of ['mixed', 'broken']) {
      mkdirSync(bench.file(folder));
      writeFileSync(bench.file(`${folder}/1.png`), 'broken');
    }
    copyFileSync(bench.file('a.png'), bench.file('mixed/2.png'));
    const said = await run('mixed');
    expect(said.code).toBe(0);
    expect(said.err).toMatch(/note: A picture is left out: .*1\.png is not a picture/);
    const none = await run('broken');
    expect(none.code).toBe(2);
    expect(none.err).toMatch(/^error: None of the 1 pictures of .*broken could be used: .*1\.png is not a picture/);
  });

  test('writes every number, the same as a table, and a page', async () => {
    const said = await bench.rgi(`theory ${SMALL} --out @t --experiments path,gap --json --quiet`);
    expect(said).toMatchObject({ code: 0, err: '' });
    const theory = theoryOf('t');
    expect(JSON.parse(said.out)).toEqual(theory);
    expect(theory.complete).toBe(true);
    // Three regions with two losses, and five gaps, which take a third of the latents.
    expect(theory.cells.map((cell) => cell.points.length)).toEqual(new Array(11).fill(8));
    const rows = readFileSync(bench.file('t/theory.csv'), 'utf8').trim().split('\n');
    expect(rows).toHaveLength(1 + 8 * 2 * (6 * 2 + 5));
    expect(new Set(rows.map((row) => row.split(',').length)).size).toBe(1);
    const page = readFileSync(bench.file('t/theory.html'), 'utf8');
    expect(page).toContain('Do the errors vanish as lambda falls to 0?');
    expect(page).toContain('What if the generator cannot make the picture?');
    // The page's own script speaks of NaN and undefined.
    expect(page.replace(/<script>[\s\S]*<\/script>/, '')).not.toMatch(/NaN|undefined|Infinity/);
    // A second run is the same, cell for cell.
    await bench.rgi(`theory ${SMALL} --out @again --experiments gap --quiet`);
    const gaps = theory.cells.filter((cell) => cell.experiment === 'gap');
    expect(theoryOf('again').cells).toEqual(gaps);
  });

  test('goes on from what is there with --resume, and then only', async () => {
    const before = theoryOf('t');
    // The first cell alone is there, and marked: were it computed again, the mark would be lost.
    const journal = bench.file('t/journal.jsonl');
    const [first] = readFileSync(journal, 'utf8').split('\n');
    const entry = JSON.parse(first);
    writeFileSync(journal, `${JSON.stringify({ ...entry, record: { ...entry.record, case: 'kept' } })}\n`);
    const refused = await bench.rgi(`theory ${SMALL} --out @t`);
    expect(refused.code).toBe(2);
    expect(refused.err).toContain(
      't already holds results (1 items): continue with --resume, use another --out, or replace what is there with --overwrite.',
    );
    expect(await bench.rgi(`theory ${SMALL} --out @t --experiments path --resume --quiet`)).toMatchObject({
      code: 0,
      err: '',
    });
    const cells = theoryOf('t').cells;
    expect(cells).toHaveLength(6);
    expect(cells[0].case).toBe('kept');
    expect(cells[1]).toEqual(before.cells[1]);
  });

  test('loses nothing of what is there: not to other settings, nor to an interruption', async () => {
    const before = theoryOf('again').cells;
    const other = await bench.rgi(`theory ${SMALL} --out @again --experiments gap --seed 5 --resume`);
    expect(other.code).toBe(2);
    expect(other.err).toContain(
      "again holds results of 'rgi theory' with other settings or networks: --resume continues with the same settings only; use another --out, or replace what is there with --overwrite.",
    );
    const stopped = await bench.rgi(
      `theory ${SMALL} --out @again --experiments path,gap --resume`,
      AbortSignal.abort(),
    );
    expect(stopped.code).toBe(3);
    expect(theoryOf('again')).toMatchObject({ complete: false, cells: before });
  });

  test('interrupted, it writes what is done, says how to go on, and exits with 3', async () => {
    const said = await bench.rgi(`theory ${SMALL} --out @stopped`, AbortSignal.abort());
    expect(said.code).toBe(3);
    expect(said.err).toContain('Interrupted. Run the same command with --resume to continue.');
    expect(theoryOf('stopped')).toMatchObject({ complete: false, cells: [] });
    expect(readFileSync(bench.file('stopped/theory.html'), 'utf8')).toContain('Not complete');
  });

  test('takes pictures of the domain', async () => {
    const said = await bench.rgi(`theory ${SMALL} --out @p --experiments pictures --pictures @pictures`);
    expect(said.code).toBe(0);
    const [cell] = theoryOf('p').cells;
    expect(cell.experiment).toBe('pictures');
    expect(cell.kind === 'path' && cell.points[0].search[0].z).toBeNull();
    expect(existsSync(bench.file('p/theory.csv'))).toBe(true);
  });
});
