/**
 * A copy of the tree that holds every change at once: each number of some rooms is doubled or halved when its change is the active one.
 * One copy, transformed once, then serves all changes.
 */
import { appendFile, cp, mkdtemp, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Literal } from './literals.ts';

/** The environment variable that names the active change; the variable of a source file that holds it. */
export const ACTIVE = 'RGI_ACTIVE_CHANGE';
const HELD = 'activeChange';

/** The active change of a run that makes no change and records which numbers are read; the variable that names the file for them. */
export const RECORDING = -1;
export const READS = 'RGI_READ_NUMBERS';

/** A number of a source file with its changes: each has a `number` of its own, from 1. */
export interface ChangedLiteral extends Literal {
  readonly changes: readonly { readonly number: number; readonly factor: number }[];
}

/** The text of a source file with all its changes; lines keep their numbers. */
function withChanges(text: string, literals: readonly ChangedLiteral[]): string {
  if (literals.length === 0) return text;
  const backwards = [...literals].sort((a, b) => b.start - a.start);
  const body = backwards.reduce((current, { start, end, value, changes }) => {
    const chosen = changes.reduceRight(
      (otherwise, { number, factor }) => `${HELD} === ${number} ? ${factor * value} : ${otherwise}`,
      `${HELD} === ${RECORDING} ? noteRead(${changes[0].number}, ${value}) : ${value}`,
    );
    return `${current.slice(0, start)}(${chosen})${current.slice(end)}`;
  }, text);
  return `const ${HELD} = Number(globalThis.process?.env.${ACTIVE}); ${body}`;
}

/** Added to the tests' setup: the numbers that a test file reads are written when it ends. */
const RECORDER = `
import { writeFileSync as writeReads } from 'node:fs';
import { afterAll as afterReads } from 'vitest';
const readNumbers = new Set();
globalThis.noteRead = (number, value) => (readNumbers.add(number), value);
afterReads(() => process.env.${READS} && writeReads(process.env.${READS}, JSON.stringify([...readNumbers])));
`;

/** Copies the tree at `root` to a temporary folder; with the changes of each source file. The caller removes it. */
export async function instrumentedCopy(
  root: string,
  literalsByFile: ReadonlyMap<string, readonly ChangedLiteral[]>,
): Promise<string> {
  const copy = await mkdtemp(path.join(os.tmpdir(), 'rgi-mutation-'));
  const copied = new Set(['src', 'test', 'package.json', 'tsconfig.json', 'vitest.config.ts', 'scripts']);
  for (const { name } of await readdir(root, { withFileTypes: true })) {
    if (copied.has(name)) await cp(path.join(root, name), path.join(copy, name), { recursive: true });
    else if (!name.startsWith('.') && name !== 'dist') await symlink(path.join(root, name), path.join(copy, name));
  }
  for (const [file, literals] of literalsByFile) {
    const text = await readFile(path.join(root, file), 'utf8');
    await writeFile(path.join(copy, file), withChanges(text, literals));
  }
  await appendFile(path.join(copy, 'test/support/setup.ts'), RECORDER);
  return copy;
}
