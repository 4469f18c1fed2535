/** Reasons why a changed constant may go unnoticed are of constants that there are. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { literalsOf } from '../../bench/mutation/literals.ts';
import { REASONS, reasonFor } from '../../bench/mutation/reasons.ts';
import { sourcesIn } from '../../bench/mutation/tests.ts';

const root = path.resolve(import.meta.dirname, '../..');
const files = ['optim', 'inversion', 'detect'].flatMap((room) => sourcesIn(root, `src/${room}`));

test('every reason names a file and a number in it', () => {
  const present = new Set(
    files.flatMap((file) =>
      literalsOf(readFileSync(path.join(root, file), 'utf8')).map(({ label }) => `${path.basename(file)} ${label}`),
    ),
  );
  expect(Object.keys(REASONS).filter((name) => !present.has(name))).toEqual([]);
});

test('a reason is found by the name of the file, wherever it lies', () => {
  expect(reasonFor('src/optim/lbfgs.ts', 'rate')).toBe(REASONS['lbfgs.ts rate']);
  expect(reasonFor('src/optim/lbfgs.ts', 'unknown')).toBeUndefined();
});
