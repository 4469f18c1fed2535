/**
 * Do the tests notice when a constant changes? Every number in the code of some rooms is doubled and halved, one at a time, in a copy
 * of the tree, and the unit tests that import its file are run. A change that no test notices survives: either a test is missing,
 * or the exact value does not matter, which `mutation/reasons.ts` then says.
 *
 *   npm run bench -- mutation --out results.jsonl [--room optim,inversion,detect] [--file noise.ts] [--named] [--limit 100] [--again] [--slow]
 *     [--workers 2]
 *
 * Results are kept in --out, and a later run goes on from there. --named: only numbers that have a name (constants, options); --file: only
 * files whose path has this in it; --again: survivors without a stated reason are tried again, after tests were written; --slow: by all
 * related tests, also those that search for seconds.
 */
import { createHash } from 'node:crypto';
import { appendFile, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { type ChangedLiteral, instrumentedCopy, RECORDING } from './mutation/instrumented.ts';
import { changed, type Literal, literalsOf } from './mutation/literals.ts';
import { reasonFor } from './mutation/reasons.ts';
import { openRunner, type Runner } from './mutation/runner.ts';
import { directImports, sourcesIn } from './mutation/tests.ts';
import { argument, SHARED } from './trials.ts';

const ROOT = path.join(import.meta.dirname, '..');
const FACTORS = [2, 0.5];
const TESTED = ['inversion', 'optim', 'detect'].map((room) => `test/${room}`);

/** Seconds for tests of a change: so many, and so many times what they take without one. */
const [GRACE, LONGER] = [60, 8];
/** Seconds for one test file without a change. */
const LIMIT = 300;
/** Test files that take less processor time are unit tests, and run together. */
const FAST_SECONDS = 4;

interface Mutant extends Literal {
  readonly key: string;
  readonly file: string;
  readonly factor: number;
  /** Its name in the instrumented copy, and that of the first change of the same number. */
  readonly number: number;
  readonly readAs: number;
}

interface Result {
  readonly key: string;
  readonly file: string;
  readonly label: string;
  readonly line: number;
  readonly value: number;
  readonly factor: number;
  readonly outcome: 'noticed' | 'survived';
  /** The test that noticed, and what it said. */
  readonly by: string;
  readonly seconds: number;
}

export async function mutation(args: readonly string[]): Promise<void> {
  const out = argument(args, 'out', '');
  if (!out) throw new Error('Give --out FILE: results are kept there, and a later run goes on from them.');
  const rooms = argument(args, 'room', 'optim,inversion,detect').split(',');
  const [part, limit] = [argument(args, 'file', ''), Number(argument(args, 'limit', 'Infinity'))];
  const all = await mutantsOf(rooms);
  const wanted = all.filter(({ file, label }) => file.includes(part) && (label !== '' || !args.includes('--named')));
  const known = await readResults(out);
  const isDone = ({ key, file, label }: Mutant) =>
    known.has(key) &&
    !(args.includes('--again') && known.get(key)!.outcome === 'survived' && reasonFor(file, label) === undefined);
  const open = wanted.filter((mutant) => !isDone(mutant)).slice(0, limit);
  const options = { workers: Number(argument(args, 'workers', '2')), slow: args.includes('--slow') };
  if (open.length > 0) await tryAll(all, open, out, known, options);
  console.log(tableOf(wanted, known));
}

/** Named numbers first, file by file. */
async function mutantsOf(rooms: readonly string[]): Promise<Mutant[]> {
  const files = rooms.flatMap((room) => sourcesIn(ROOT, `src/${room}`));
  const mutants = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(path.join(ROOT, file), 'utf8');
      return literalsOf(text).flatMap((literal) =>
        FACTORS.map((factor) => ({ ...literal, key: keyOf(text, literal, factor), file, factor })),
      );
    }),
  );
  const sorted = mutants.flat().sort((a, b) => Number(a.label === '') - Number(b.label === ''));
  return sorted.map((mutant, i) => ({ ...mutant, number: i + 1, readAs: i + 1 - (i % FACTORS.length) }));
}

/** The same for the same number in the same code: a file may move. */
function keyOf(text: string, literal: Literal, factor: number): string {
  return createHash('sha256')
    .update(changed(text, literal, factor))
    .digest('hex')
    .slice(0, 16);
}

interface Trial {
  /** Test files, with the source files that each imports itself. */
  readonly tests: ReadonlyMap<string, readonly string[]>;
  readonly unchanged: ReadonlyMap<string, Unchanged>;
  readonly runner: Runner;
  /** Whether tests that search for seconds are run as well. */
  readonly slow: boolean;
}

async function tryAll(
  all: readonly Mutant[],
  open: readonly Mutant[],
  out: string,
  known: Map<string, Result>,
  options: { readonly workers: number; readonly slow: boolean },
): Promise<void> {
  const copy = await instrumentedCopy(ROOT, literalsByFile(all));
  const runners = Array.from({ length: options.workers }, () => openRunner(copy, SHARED));
  try {
    const tests = directImports(ROOT, TESTED);
    const unchanged = await measureUnchanged(runners, [...tests.keys()], path.join(copy, 'read-numbers'));
    let next = 0;
    const work = async (runner: Runner) => {
      for (let i = next++; i < open.length; i = next++) {
        const result = await tryOne(open[i], { tests, unchanged, runner, slow: options.slow });
        known.set(result.key, result);
        await appendFile(out, `${JSON.stringify(result)}\n`);
        const { file, line, label, value, factor, outcome } = result;
        console.log(`${i + 1}/${open.length} ${outcome}: ${file}:${line} ${label} ${value} -> ${factor * value}`);
      }
    };
    await Promise.all(runners.map(work));
  } finally {
    for (const runner of runners) runner.close();
    await rm(copy, { recursive: true, force: true });
  }
}

function literalsByFile(mutants: readonly Mutant[]): Map<string, ChangedLiteral[]> {
  const byFile = new Map<string, Map<number, ChangedLiteral>>();
  for (const { file, number, factor, ...literal } of mutants) {
    const inFile = byFile.get(file) ?? new Map<number, ChangedLiteral>();
    byFile.set(file, inFile);
    const changes = [...(inFile.get(literal.start)?.changes ?? []), { number, factor }];
    inFile.set(literal.start, { ...literal, changes });
  }
  return new Map([...byFile].map(([file, literals]) => [file, [...literals.values()]]));
}

/** Direct tests first, all others together, slow ones last: the first that fails decides. */
async function tryOne(mutant: Mutant, { tests, unchanged, runner, slow }: Trial): Promise<Result> {
  const { key, file, label, line, value, factor, number } = mutant;
  const began = performance.now();
  const secondsOf = (test: string) => unchanged.get(test)!.seconds;
  const readBy = [...unchanged.keys()]
    .filter((test) => unchanged.get(test)!.reads.has(mutant.readAs))
    .sort((a, b) => secondsOf(a) - secondsOf(b));
  const isFast = (test: string) => secondsOf(test) < FAST_SECONDS;
  const isDirect = (test: string) => tests.get(test)!.includes(file);
  const fast = readBy.filter(isFast);
  const slowOnes = readBy.filter((test) => !isFast(test));
  const parts = [
    fast.filter(isDirect),
    fast.filter((test) => !isDirect(test)),
    ...(slow ? slowOnes.map((test) => [test]) : []),
  ];
  let failure = '';
  for (const part of parts) {
    const limit = GRACE + LONGER * part.reduce((sum, test) => sum + secondsOf(test), 0);
    if (failure === '' && part.length > 0) ({ failure } = await runner.run({ number, files: part }, limit));
  }
  const outcome = failure === '' ? 'survived' : 'noticed';
  const by = failure.slice(0, 200);
  return { key, file, label, line, value, factor, outcome, by, seconds: (performance.now() - began) / 1000 };
}

/** What a test file does without a change. */
interface Unchanged {
  readonly seconds: number;
  /** The numbers that it reads, by the first of their changes. */
  readonly reads: ReadonlySet<number>;
}

/** Every test file once; all have to pass. `scratch`: a path for temporary files. */
async function measureUnchanged(
  runners: readonly Runner[],
  tests: readonly string[],
  scratch: string,
): Promise<Map<string, Unchanged>> {
  const found = new Map<string, Unchanged>();
  const open = [...tests];
  const measure = async (runner: Runner, i: number) => {
    const reads = `${scratch}${i}`;
    // The files are transformed when a process runs them for the first time.
    await runner.run({ number: 0, files: open.slice(0, 1), reads }, LIMIT);
    for (let test = open.shift(); test !== undefined; test = open.shift()) {
      const { failure, seconds } = await runner.run({ number: RECORDING, files: [test], reads }, LIMIT);
      if (failure !== '') throw new Error(`${test} does not pass on the tree as it is: ${failure}`);
      const numbers = JSON.parse(await readFile(reads, 'utf8')) as number[];
      found.set(test, { seconds, reads: new Set(numbers) });
    }
  };
  await Promise.all(runners.map(measure));
  return found;
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
