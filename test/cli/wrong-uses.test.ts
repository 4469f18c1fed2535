import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { wrongUsesTable } from '../../scripts/wrong-uses.ts';
import { type Bench, makeBench } from './bench.ts';
import { WRONG_USES } from './wrong-uses.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.remove());

describe('every wrong use is refused with one line that says what is wrong', () => {
  test.each(WRONG_USES)('$title: rgi $line', async ({ line, code, says }) => {
    const said = await bench.rgi(line);
    const told = said.err
      .replaceAll(`${bench.folder}${path.sep}`, '')
      // Other machines have more.
      .replace(/Available here: .*\./, 'Available here: cpu.');
    expect({ code: said.code, says: told }).toEqual({ code, says: `${says}\n` });
    expect(existsSync(bench.file('o'))).toBe(false);
    if (!line.includes('--json')) expect(said.out).toBe('');
    else expect(JSON.parse(said.out)).toMatchObject({ exitCode: code, error: { code: 'input' } });
  });
});

test('docs/wrong-uses.md is the table of these (npx tsx scripts/wrong-uses.ts writes it)', () => {
  expect(readFileSync('docs/wrong-uses.md', 'utf8')).toBe(wrongUsesTable());
});
