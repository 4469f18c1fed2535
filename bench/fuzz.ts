/**
 * Do the readers of the product stand whatever a file or a command line holds? Small valid inputs are changed (bits, lengths, headers,
 * members of messages and JSON, names), and each has to be taken or refused with a clean error: no other exception, no process that
 * hangs for ten seconds, dies, or takes a GiB. The readers run in processes of their own.
 *
 *   npm run bench -- fuzz [--seed 1] [--count 100000] [--kind models,pictures,arrays,policies,journals,options] [--only INDEX] [--workers 2]
 *
 * --count is of all kinds together. Inputs that fail are saved, by kind, seed and index; --only reads one again and prints what happens.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { inputOf, KINDS, type KindName, type Outcome, runSlice } from './fuzz/slice.ts';
import { argument } from './trials.ts';

const SLICE = 1000;
const MAX_SECONDS = 10;
const MAX_BYTES = 2 ** 30;
/** Failures that are printed of each kind, one for each place they come from. */
const SHOWN = 12;

const FAILURES = ['exception', 'hang', 'crash', 'memory'] as const;

interface Failure {
  readonly index: number;
  readonly outcome: (typeof FAILURES)[number];
  readonly message: string;
}

interface Tally {
  accepted: number;
  refused: number;
  readonly failures: Failure[];
}

export async function fuzz(args: readonly string[]): Promise<void> {
  const seed = Number(argument(args, 'seed', '1'));
  const kinds = argument(args, 'kind', KINDS.join(',')).split(',') as KindName[];
  const only = argument(args, 'only', '');
  if (only) {
    for (const kind of kinds) await repeat(kind, seed, Number(only));
    return;
  }
  const count = Math.ceil(Number(argument(args, 'count', '100000')) / kinds.length);
  const tallies = new Map(kinds.map((kind): [KindName, Tally] => [kind, { accepted: 0, refused: 0, failures: [] }]));
  const slices = kinds.flatMap((kind) =>
    Array.from({ length: Math.ceil(count / SLICE) }, (_, i) => ({
      kind,
      from: i * SLICE,
      to: Math.min(count, (i + 1) * SLICE),
    })),
  );
  const worker = async () => {
    for (let slice = slices.shift(); slice; slice = slices.shift()) {
      const tally = tallies.get(slice.kind)!;
      for (let next = slice.from; next < slice.to; )
        next = await readInProcess(slice.kind, seed, [next, slice.to], tally);
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: Number(argument(args, 'workers', '2')) }, worker));
  const folder = path.join(os.tmpdir(), `rgi-fuzz-failures-${seed}`);
  for (const [kind, { failures }] of tallies) await save(folder, kind, seed, failures);
  console.log(tableOf(tallies, seed));
  console.log(`${((performance.now() - began) / 1000).toFixed(0)} s`);
  if ([...tallies.values()].some(({ failures }) => failures.length > 0)) {
    console.log(`Failing inputs are in ${folder}; repeat one with --kind KIND --seed ${seed} --only INDEX.`);
    process.exitCode = 1;
  }
}

/** Reads inputs in a process until they end, or the process does; returns the index to go on with. */
function readInProcess(
  kind: KindName,
  seed: number,
  [from, to]: readonly [number, number],
  tally: Tally,
): Promise<number> {
  const child = fork(path.join(import.meta.dirname, 'fuzz/child.ts'), [kind, seed, from, to].map(String), {
    execArgv: [...process.execArgv, '--max-old-space-size=1024'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    let [current, ended] = [from - 1, from - 1];
    let failure: Failure['outcome'] | undefined;
    let timer: NodeJS.Timeout | undefined;
    const stop = (outcome: Failure['outcome']) => {
      failure = outcome;
      child.kill('SIGKILL');
    };
    child.stderr?.on('data', (text) => said.push(String(text)));
    child.on('error', reject);
    child.on('message', (message: { start: number } | (Outcome & { readonly peak: number })) => {
      clearTimeout(timer);
      if ('start' in message) {
        current = message.start;
        timer = setTimeout(stop, 1000 * MAX_SECONDS, 'hang');
        return;
      }
      ended = message.index;
      count(message, tally);
      if (message.peak > MAX_BYTES && !failure) {
        tally.failures.push({
          index: message.index,
          outcome: 'memory',
          message: `${(message.peak / 2 ** 30).toFixed(1)} GiB`,
        });
        // It was read, and is counted as such, too. Its peak stays: the next input needs a new process.
        child.kill('SIGKILL');
      }
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      if (current < from) reject(new Error(`The process for ${kind} did not begin: ${said.join('')}`));
      else if (current > ended) {
        const message =
          failure === 'hang' ? `no answer in ${MAX_SECONDS} s` : `ended with ${code}: ${said.join('').slice(-600)}`;
        tally.failures.push({ index: current, outcome: failure ?? 'crash', message });
      }
      resolve(Math.max(current, ended) + 1);
    });
    stopWithParent(child);
  });
}

function stopWithParent(child: ChildProcess): void {
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('close', () => process.off('exit', kill));
}

function count({ index, outcome, message = '' }: Outcome, tally: Tally): void {
  if (outcome === 'exception') tally.failures.push({ index, outcome, message });
  else tally[outcome]++;
}

async function save(folder: string, kind: KindName, seed: number, failures: readonly Failure[]): Promise<void> {
  for (const { index } of failures.slice(0, 200)) {
    const place = path.join(folder, `${kind}-${index}`);
    await mkdir(place, { recursive: true });
    for (const [name, bytes] of await inputOf(kind, seed, index)) await writeFile(path.join(place, name), bytes);
  }
}

async function repeat(kind: KindName, seed: number, index: number): Promise<void> {
  await runSlice(kind, seed, [index, index + 1], {
    onEnd: ({ outcome, message }) => console.log(`${kind} ${index}: ${outcome}${message ? `\n${message}` : ''}`),
  });
}

function tableOf(tallies: ReadonlyMap<KindName, Tally>, seed: number): string {
  const rows = [...tallies].map(([kind, { accepted, refused, failures }]) => {
    const numbers = FAILURES.map((outcome) => failures.filter((one) => one.outcome === outcome).length);
    return [
      kind,
      accepted + refused + failures.filter(({ outcome }) => outcome !== 'memory').length,
      accepted,
      refused,
      ...numbers,
    ];
  });
  const head = ['kind', 'inputs', 'accepted', 'clean errors', 'exceptions', 'hangs', 'crashes', 'over 1 GiB'];
  const lines = [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`);
  const shown = [...tallies].flatMap(([kind, { failures }]) => {
    const byPlace = new Map(failures.map((failure) => [placeOf(failure), failure]));
    return [...byPlace.values()].slice(0, SHOWN).map(({ index, outcome, message }) => {
      return `${kind} ${index} (seed ${seed}), ${outcome}: ${message.split('\n').slice(0, 4).join('\n    ')}`;
    });
  });
  return [...lines, ...shown].join('\n');
}

/** Failures of one place are alike: the first line of the stack that names it. */
function placeOf({ outcome, message }: Failure): string {
  return `${outcome} ${message.split('\n').find((line) => /^\s+at .*src\//.test(line)) ?? message.slice(0, 60)}`;
}
