/**
 * The queue under violence: senders, workers and Redis (with its append-only file) are killed (SIGKILL) at random moments until it happened
 * so often; every run has to end with the pictures of an undisturbed one, byte for byte. Then the throughput of one and of two workers, of
 * `rgi batch` without a queue, and of `rgi restore` called once a picture; one thread each.
 *
 *   npm run bench -- queue [--kills 50] [--pictures 24] [--speed-pictures 60] [--loop-pictures 10] [--seed 1]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { writePicture } from '../src/images/node/write.ts';
import { encodeModel } from '../src/onnx/encode.ts';
import { float32 } from '../src/onnx/tensor.ts';
import { randomFrom } from '../src/random.ts';
import { startRedis, type TestRedis } from '../test/batch/redis.ts';
import { tinyGenerator } from '../test/support/tiny.ts';
import { argument } from './trials.ts';

const PROGRAM = path.join(import.meta.dirname, '../src/cli/main.ts');
const SIDE = 16;
/** After this time a killed worker's pictures go to others. */
const LOCK_SECONDS = 2;

export async function queue(args: readonly string[]): Promise<void> {
  const wanted = Number(argument(args, 'kills', '50'));
  const pictures = Number(argument(args, 'pictures', '24'));
  const many = Number(argument(args, 'speed-pictures', '60'));
  const looped = Number(argument(args, 'loop-pictures', '10'));
  const random = randomFrom(Number(argument(args, 'seed', '1')));
  const root = await mkdtemp(path.join(os.tmpdir(), 'rgi-queue-'));
  const at = (name: string) => path.join(root, name);
  const redis = await startRedis();
  const workers: ChildProcess[] = [];
  try {
    await makeInputs(at, Math.max(pictures, many));
    workers.push(worker(redis, at), worker(redis, at));
    const listOf = async (count: number) => {
      await writeFile(
        at(`${count}.csv`),
        `path\n${Array.from({ length: count }, (_, i) => `pictures/${i}.png\n`).join('')}`,
      );
      return at(`${count}.csv`);
    };
    const list = await listOf(pictures);
    const options = ['-g', at('models/g.onnx'), '--method', 'invert', '--steps', '60', '-q'];
    const send = (out: string, file = list) =>
      run([
        ...['batch', 'restore', file, ...options, '--out', at(out)],
        ...['--redis', redis.url, '--shared', at('shared'), '--resume'],
      ]);
    await ended(send('whole'));
    const whole = await filesIn(at('whole'));
    const kills = { sender: 0, worker: 0, redis: 0 };
    const total = () => kills.sender + kills.worker + kills.redis;
    let [different, lost, twice] = [0, 0, 0];
    for (let round = 0; total() < wanted; round++) {
      const out = `round-${round}`;
      let sender = send(out);
      for (;;) {
        await later(300 + 1500 * random.uniform());
        const isOver = sender.exitCode !== null || sender.signalCode !== null;
        if (isOver) {
          if (sender.exitCode === 0) break;
          if (sender.signalCode !== 'SIGKILL') throw new Error(`The sender ended with code ${sender.exitCode}.`);
          sender = send(out);
          continue;
        }
        if (total() >= wanted) {
          await ended(sender);
          break;
        }
        const victim = (['sender', 'worker', 'worker', 'redis'] as const)[random.integer(4)];
        kills[victim]++;
        if (victim === 'redis') await redis.restart();
        else if (victim === 'sender') sender.kill('SIGKILL');
        else {
          const [gone] = workers.splice(random.integer(workers.length), 1);
          gone.kill('SIGKILL');
          workers.push(worker(redis, at));
        }
      }
      const files = await filesIn(at(out));
      different += [...whole].filter(([name, bytes]) => files.get(name)?.equals(bytes) === false).length;
      lost += [...whole.keys()].filter((name) => !files.has(name)).length;
      const items = (await readFile(path.join(at(out), 'journal.jsonl'), 'utf8'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).item);
      twice += items.length - new Set(items).size;
      await rm(at(out), { recursive: true });
    }
    console.log(
      `kills: ${JSON.stringify(kills)}; files lost: ${lost}, different: ${different}; pictures recorded twice: ${twice}; left in the shared folder: ${(await readdir(at('shared'))).length}`,
    );
    const long = await listOf(many);
    const timed = async (what: string, count: number, work: () => Promise<void>) => {
      const began = performance.now();
      await work();
      const seconds = (performance.now() - began) / 1000;
      console.log(
        `${what}, one thread each: ${count} pictures in ${seconds.toFixed(1)} s (${(count / seconds).toFixed(2)} pictures/s)`,
      );
    };
    for (const count of [2, 1]) {
      while (workers.length > count) workers.pop()?.kill('SIGTERM');
      await ended(send(`warm-${count}`));
      await timed(`workers: ${count}`, many, () => ended(send(`speed-${count}`, long)));
    }
    for (const one of workers.splice(0)) one.kill('SIGTERM');
    const alone = [...options, '--threads', '1'];
    await timed('rgi batch', many, () =>
      ended(run(['batch', 'restore', long, ...alone, '--batch', '1', '--out', at('alone')])),
    );
    await timed('rgi restore in a loop', looped, async () => {
      for (let i = 0; i < looped; i++)
        await ended(run(['restore', at(`pictures/${i}.png`), ...alone, '--out', at(`loop-${i}`)]));
    });
    if (lost + different + twice > 0) process.exitCode = 1;
  } finally {
    for (const one of workers) one.kill('SIGKILL');
    await redis.close();
    await rm(root, { recursive: true, force: true });
  }
}

function worker(redis: TestRedis, at: (name: string) => string): ChildProcess {
  return run([
    'worker',
    '--redis',
    redis.url,
    '--models',
    at('models'),
    '--shared',
    at('shared'),
    '--threads',
    '1',
    '--lock-seconds',
    String(LOCK_SECONDS),
    '-q',
  ]);
}

function run(words: readonly string[]): ChildProcess {
  return spawn(process.execPath, [...process.execArgv, PROGRAM, ...words], { stdio: 'ignore' });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  if (child.exitCode !== 0) throw new Error(`The program ended with code ${child.exitCode ?? child.signalCode}.`);
}

async function makeInputs(at: (name: string) => string, count: number): Promise<void> {
  const random = randomFrom(4);
  for (const name of ['models', 'shared', 'pictures']) await mkdir(at(name));
  await writeFile(at('models/g.onnx'), encodeModel(tinyGenerator(1, SIDE)));
  for (let i = 0; i < count; i++) {
    const [phase, pitch] = [6 * random.uniform(), 0.3 + 0.3 * random.uniform()];
    const data = Float32Array.from(
      { length: SIDE * SIDE },
      (_, k) => 0.6 * Math.sin(phase + pitch * Math.floor(k / SIDE)) + 0.03 * random.normal(),
    );
    await writePicture(at(`pictures/${i}.png`), float32(data, [1, 1, SIDE, SIDE]));
  }
}

/** The pictures of a run by name. */
async function filesIn(folder: string): Promise<Map<string, Buffer>> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.png')).sort();
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(path.join(folder, name))] as const)),
  );
}
