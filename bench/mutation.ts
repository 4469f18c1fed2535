/**
 * Do the tests notice when a constant changes? Every number in the code of some rooms is doubled and halved, one at a time, in a copy
 * of the tree, and the unit tests that import its file are run. A change that no test notices survives: either a test is missing,
 * or the exact value does not matter, which `mutation/reasons.ts` then says.
 *
 *   npm run bench -- mutation --out results.jsonl [--room optim,inversion,detect] [--file noise.ts] [--named] [--limit 100] [--again] [--slow]
 *     [--workers 2]
 *
 * Results are kept in --out, and a later run goes on from there. --named: only numbers that have a name (constants, options); --file: only
 * files whose path has this in it; --again: survivors are tried again, after tests were written; --slow: by all related tests, also those that
 * search for seconds (which are run in any case where there are no others).
 */
import { createHash } from 'node:crypto';
import { appendFile, cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { changed, type Literal, literalsOf } from './mutation/literals.ts';
import { reasonFor } from './mutation/reasons.ts';
import { importsOfTests, runTests, sourcesIn, type TestOptions } from './mutation/tests.ts';
import { argument, SHARED } from './trials.ts';

const ROOT = path.join(import.meta.dirname, '..');
const FACTORS = [2, 0.5];

/** Seconds for the tests of one change that are run together; unchanged they take fewer than 30. */
const LIMIT = 90;
/** Test files that take less are unit tests, and run together. */
const FAST_SECONDS = 4;

interface Mutant extends Literal {
  readonly key: string;
  readonly file: string;
  readonly factor: number;
}

interface Result {
  readonly key: string;
  readonly file: string;
  readonly label: string;
  readonly line: number;
  readonly value: number;
  readonly factor: number;
  readonly outcome: 'noticed' | 'survived';
  readonly seconds: number;
}

export async function mutation(args: readonly string[]): Promise<void> {
  const out = argument(args, 'out', '');
  if (!out) throw new Error('Give --out FILE: results are kept there, and a later run goes on from them.');
  const rooms = argument(args, 'room', 'optim,inversion,detect').split(',');
  const [part, limit] = [argument(args, 'file', ''), Number(argument(args, 'limit', 'Infinity'))];
  const all = await mutantsOf(rooms, (file) => file.includes(part));
  const wanted = args.includes('--named') ? all.filter(({ label }) => label !== '') : all;
  const known = await readResults(out);
  const isDone = ({ key }: Mutant) =>
    known.has(key) && !(args.includes('--again') && known.get(key)!.outcome === 'survived');
  const open = wanted.filter((mutant) => !isDone(mutant)).slice(0, limit);
  const tests = importsOfTests(
    ROOT,
    ['inversion', 'optim', 'detect'].map((room) => `test/${room}`),
  );
  const options = {
    shared: SHARED,
    workers: argument(args, 'workers', '2'),
    limit: LIMIT,
    slow: args.includes('--slow'),
  };
  if (open.length > 0) await tryAll(open, tests, out, known, options);
  console.log(tableOf(wanted, known));
}

/** Named numbers first, file by file. */
async function mutantsOf(rooms: readonly string[], isWanted: (file: string) => boolean): Promise<Mutant[]> {
  const files = rooms.flatMap((room) => sourcesIn(ROOT, `src/${room}`)).filter(isWanted);
  const mutants = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(path.join(ROOT, file), 'utf8');
      return literalsOf(text).flatMap((literal) =>
        FACTORS.map((factor) => ({ ...literal, key: keyOf(text, literal, factor), file, factor })),
      );
    }),
  );
  return mutants.flat().sort((a, b) => Number(a.label === '') - Number(b.label === ''));
}

/** The same for the same number in the same code: a file may move. */
function keyOf(text: string, literal: Literal, factor: number): string {
  return createHash('sha256')
    .update(changed(text, literal, factor))
    .digest('hex')
    .slice(0, 16);
}

async function tryAll(
  mutants: readonly Mutant[],
  tests: ReadonlyMap<string, ReadonlySet<string>>,
  out: string,
  known: Map<string, Result>,
  options: TestOptions & { readonly slow: boolean },
): Promise<void> {
  const copy = await copyOfTree();
  try {
    const seconds = await baseline(copy, [...tests.keys()], `${out}.times.json`, options);
    for (const [i, mutant] of mutants.entries()) {
      const { key, file, label, line, value, factor } = mutant;
      const related = [...tests].flatMap(([test, imports]) => (imports.has(file) ? [test] : []));
      const fast = related.filter((test) => seconds[test] < FAST_SECONDS);
      const slow = related
        .filter((test) => options.slow && !fast.includes(test))
        .sort((a, b) => seconds[a] - seconds[b]);
      const place = path.join(copy, file);
      const text = await readFile(place, 'utf8');
      await writeFile(place, changed(text, mutant, factor));
      const began = performance.now();
      let passes = true;
      for (const part of [fast, ...slow.map((test) => [test])]) {
        if (passes && part.length > 0) passes = (await runTests(copy, part, options)).outcome === 'passed';
      }
      await writeFile(place, text);
      const outcome = passes ? 'survived' : 'noticed';
      const result: Result = {
        key,
        file,
        label,
        line,
        value,
        factor,
        outcome,
        seconds: (performance.now() - began) / 1000,
      };
      known.set(key, result);
      await appendFile(out, `${JSON.stringify(result)}\n`);
      console.log(`${i + 1}/${mutants.length} ${outcome}: ${file}:${line} ${label} ${value} -> ${factor * value}`);
    }
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

async function copyOfTree(): Promise<string> {
  const copy = await mkdtemp(path.join(os.tmpdir(), 'rgi-mutation-'));
  const copied = new Set(['src', 'test', 'package.json', 'tsconfig.json', 'vitest.config.ts', 'scripts']);
  for (const { name } of await readdir(ROOT, { withFileTypes: true })) {
    if (copied.has(name)) await cp(path.join(ROOT, name), path.join(copy, name), { recursive: true });
    else if (!name.startsWith('.') && name !== 'dist') await symlink(path.join(ROOT, name), path.join(copy, name));
  }
  return copy;
}

/** Seconds of each test file, all of which have to pass on the tree as it is; kept in `file`. */
async function baseline(
  copy: string,
  tests: readonly string[],
  file: string,
  options: TestOptions,
): Promise<Record<string, number>> {
  const text = await readFile(file, 'utf8').catch(() => '{}');
  const seconds = JSON.parse(text) as Record<string, number>;
  for (const test of tests.filter((one) => seconds[one] === undefined)) {
    const run = await runTests(copy, [test], options);
    if (run.outcome !== 'passed') throw new Error(`${test} does not pass on the tree as it is`);
    seconds[test] = run.seconds;
    await writeFile(file, JSON.stringify(seconds, null, 1));
  }
  return seconds;
}

async function readResults(file: string): Promise<Map<string, Result>> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const results = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Result);
  return new Map(results.map((result) => [result.key, result]));
}

function tableOf(wanted: readonly Mutant[], known: ReadonlyMap<string, Result>): string {
  const rows = wanted.map((mutant) => ({ ...mutant, outcome: known.get(mutant.key)?.outcome }));
  const tried = rows.filter(({ outcome }) => outcome !== undefined);
  const survivors = tried.filter(({ outcome }) => outcome === 'survived');
  const reasons = survivors.map((mutant) => ({ ...mutant, reason: reasonFor(mutant.file, mutant.label) }));
  const open = reasons.filter(({ reason }) => reason === undefined);
  const lineOf = ({ file, line, label, value, factor }: Mutant) =>
    `${file}:${line}  ${label || '(amid code)'}  ${value} -> ${factor * value}`;
  return [
    `${rows.length} changes, ${tried.length} tried: ${tried.length - survivors.length} noticed, ${survivors.length} survived, of which ${survivors.length - open.length} for a stated reason`,
    ...reasons.filter(({ reason }) => reason !== undefined).map((one) => `with reason  ${lineOf(one)}: ${one.reason}`),
    ...open.map((one) => `survived     ${lineOf(one)}`),
  ].join('\n');
}
