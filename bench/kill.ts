/**
 * Nothing is lost and nothing done twice: every command that runs over many items is killed at random moments (SIGKILL), resumed each
 * time, and compared with a run that nobody disturbed; the same with SIGTERM; and two processes at once. The program itself is run,
 * as processes, on tiny inputs that the benchmark makes.
 *
 *   npm run bench -- kill [--kills 30] [--terms 10] [--seed 1] [--only restore,detect]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { type Random, randomFrom } from '../src/random.ts';
import { type Case, casesIn } from './kill-cases.ts';
import { argument } from './trials.ts';

const PROGRAM = path.join(import.meta.dirname, '../src/cli/main.ts');

/** What became of one command. */
interface Row {
  readonly command: string;
  readonly signal: string;
  readonly kills: number;
  /** Items that were finished by a killed process and done again by a later one, and items that are missing in the end. */
  readonly lost: number;
  readonly twice: number;
  /** Files that differ from those of the undisturbed run, times aside; files that should not be there. */
  readonly different: number;
  readonly leftovers: number;
  readonly second: string;
}

export async function kill(args: readonly string[]): Promise<void> {
  const random = randomFrom(Number(argument(args, 'seed', '1')));
  const only = argument(args, 'only', '').split(',').filter(Boolean);
  const counts = { SIGKILL: Number(argument(args, 'kills', '30')), SIGTERM: Number(argument(args, 'terms', '10')) };
  const root = await mkdtemp(path.join(os.tmpdir(), 'rgi-kill-'));
  try {
    const rows: Row[] = [];
    for (const one of await casesIn(root)) {
      if (only.length > 0 && !only.includes(one.name)) continue;
      for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
        if (counts[signal] > 0) rows.push(await tried(one, root, signal, counts[signal], random));
        console.log(JSON.stringify(rows.at(-1)));
      }
    }
    print(rows);
    if (rows.some((row) => row.lost + row.twice + row.different + row.leftovers > 0 || row.second !== 'refused'))
      process.exitCode = 1;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** Runs a command undisturbed, then killed and resumed until it was killed so many times, then twice at once. */
async function tried(
  one: Case,
  root: string,
  signal: 'SIGKILL' | 'SIGTERM',
  kills: number,
  random: Random,
): Promise<Row> {
  const folder = (name: string) => path.join(root, `${one.name.replaceAll(' ', '-')}-${name}`);
  const whole = folder('whole');
  await fresh(one, whole);
  const began = performance.now();
  await ended(start(one, whole, false), signal, `${one.name}, undisturbed`);
  let duration = performance.now() - began;
  const result = { lost: 0, twice: 0, different: 0, leftovers: 0 };
  let killed = 0;
  for (let run = 0; killed < kills; run++) {
    const place = folder(`${signal}-${run}`);
    await fresh(one, place);
    let before = 0;
    for (let isDone = false; !isDone; ) {
      const started = performance.now();
      const child = start(one, place, true);
      const timer =
        killed < kills ? setTimeout(() => child.kill(signal), duration * (0.15 + 0.85 * random.uniform())) : undefined;
      isDone = (await ended(child, signal, `${one.name}, resumed after ${killed} times ${signal}`)) === 'done';
      clearTimeout(timer);
      if (!isDone) killed++;
      // A run on a machine that had more to do took longer than those after it.
      else duration = Math.min(duration, performance.now() - started);
      const now = await one.progress(place);
      // What was there is there.
      if (now < before) result.lost += before - now;
      before = now;
      await one.check?.(place);
    }
    result.lost += Math.max(0, (await one.progress(whole)) - (await one.progress(place)));
    result.twice += await one.twice(place);
    const compared = await compare(one, whole, place);
    result.different += compared.different.length;
    result.leftovers += compared.leftovers.length;
    for (const file of [...compared.different, ...compared.leftovers]) console.log(`  ${one.name}: ${file}`);
    await rm(place, { recursive: true, force: true });
  }
  const second = await twoAtOnce(one, folder(`${signal}-two`), signal);
  await rm(whole, { recursive: true, force: true });
  return { command: one.name, signal, kills: killed, ...result, second };
}

async function fresh(one: Case, place: string): Promise<void> {
  await rm(place, { recursive: true, force: true });
  await mkdir(place, { recursive: true });
  for (const file of one.given ?? []) await cp(file, path.join(place, path.basename(file)));
}

function start(one: Case, place: string, resume: boolean): ChildProcess {
  const words = one.words(place);
  return spawn(
    process.execPath,
    [...process.execArgv, PROGRAM, ...words, ...(resume ? one.resume : []), '--threads', '1'],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
}

/** Throws where the process ended otherwise than by our signal or with success. */
async function ended(child: ChildProcess, signal: NodeJS.Signals, what: string): Promise<'done' | 'killed'> {
  const said: string[] = [];
  child.stderr?.on('data', (text) => said.push(String(text)));
  const [code, by] = (await once(child, 'close')) as [number | null, string | null];
  // Before the program has begun, a signal ends it as any other.
  if (by === signal || (signal === 'SIGTERM' && code === 3)) return 'killed';
  if (code !== 0) throw new Error(`${what} ended with code ${code} ${by ?? ''}: ${said.join('')}`);
  return 'done';
}

/** The second process is refused while the first is at work, and the first ends well. */
async function twoAtOnce(one: Case, place: string, signal: NodeJS.Signals): Promise<string> {
  await fresh(one, place);
  const first = start(one, place, false);
  const finished = ended(first, signal, `${one.name}, the first of two`);
  const isLocked = async () =>
    (await readdir(place, { recursive: true })).some((file) => /(^|[\\/])\.[^\\/]*lock$/.test(String(file)));
  while (first.exitCode === null && !(await isLocked())) await later(2);
  // Held, so that it is still at work when the second comes.
  first.kill('SIGSTOP');
  const second = start(one, place, true);
  const said: string[] = [];
  second.stderr?.on('data', (text) => said.push(String(text)));
  const [code] = (await once(second, 'close')) as [number | null];
  first.kill('SIGCONT');
  await finished;
  await rm(place, { recursive: true, force: true });
  return code === 2 && said.join('').includes('is in use by process')
    ? 'refused'
    : `code ${code}: ${said.join('').trim()}`;
}

/** Files of the disturbed run that differ, and those that the undisturbed has not. */
async function compare(one: Case, whole: string, place: string): Promise<{ different: string[]; leftovers: string[] }> {
  const list = async (folder: string) => {
    const all = await readdir(folder, { recursive: true });
    const files: string[] = [];
    for (const file of all.map(String)) if ((await stat(path.join(folder, file))).isFile()) files.push(file);
    return files.sort();
  };
  const [expected, found] = [await list(whole), await list(place)];
  const different: string[] = [];
  for (const file of expected) {
    const text = async (folder: string) => {
      const bytes = await readFile(path.join(folder, file)).catch(() => Buffer.from('missing'));
      return one.timeless(file, bytes).replaceAll(folder, '');
    };
    if ((await text(whole)) !== (await text(place))) different.push(`${file} differs`);
  }
  return { different, leftovers: found.filter((file) => !expected.includes(file)).map((file) => `${file} is left`) };
}

function print(rows: readonly Row[]): void {
  console.log('| command | signal | times | lost | done twice | files that differ | left over | a second process |');
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const row of rows) console.log(`| ${Object.values(row).join(' | ')} |`);
}
