/**
 * A service with workers under violence: the service, processes that compute, workers and Redis (with its append-only file) are killed
 * (SIGKILL) at random moments while a client sends jobs and waits for them; every job that was answered with 202 has to end done, with the
 * files of an undisturbed one, byte for byte. With `--alone` there is no Redis, and only processes that compute are killed.
 *
 *   npm run bench -- outages [--kills 50] [--jobs 16] [--steps 60] [--seed 1] [--pause 8] [--alone]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { sha256OfContent } from '../src/files/node/hash.ts';
import { type Random, randomFrom } from '../src/random.ts';
import { freePort, startRedis, type TestRedis } from '../test/batch/redis.ts';
import { argument } from './trials.ts';

const ROOT = path.join(import.meta.dirname, '..');
const PROGRAM = path.join(ROOT, 'src/cli/main.ts');
const MODELS = path.join(ROOT, 'models');
const PICTURE = path.join(MODELS, 'fashion-trousers/pictures/00097.png');
const ROUTE = '/v1/models/fashion-trousers/restore';
const LOCK_SECONDS = '2';

/** What is killed, and how often one of it comes. */
const VICTIMS = ['service', 'service', 'process', 'process', 'worker', 'redis'] as const;
type Victim = (typeof VICTIMS)[number];

export async function outages(args: readonly string[]): Promise<void> {
  const wanted = Number(argument(args, 'kills', '50'));
  const jobs = Number(argument(args, 'jobs', '16'));
  const steps = Number(argument(args, 'steps', '60'));
  const random = randomFrom(Number(argument(args, 'seed', '1')));
  const pause = Number(argument(args, 'pause', '8'));
  const root = await mkdtemp(path.join(os.tmpdir(), 'rgi-outages-'));
  const redis = args.includes('--alone') ? undefined : await startRedis();
  const place = await openPlace(root, redis);
  try {
    const results: Done[] = [];
    const kills: Partial<Record<Victim, number>> = {};
    const total = () => Object.values(kills).reduce((sum, one) => sum + one, 0);
    while (total() < wanted) {
      // Of seeds of their own: what is asked again is found, and not computed.
      const seeds = Array.from({ length: jobs }, (_, i) => results.length + i);
      const round = Promise.all(seeds.map((seed) => done(place.url, `${ROUTE}/jobs`, seed, steps)));
      let isOver = false;
      const over = round.then(() => {
        isOver = true;
      });
      while (!isOver && total() < wanted) {
        await Promise.race([over, later(500 + 1000 * pause * random.uniform())]);
        if (isOver) break;
        const victim = redis ? VICTIMS[random.integer(VICTIMS.length)] : 'process';
        if (await place.kill(victim, random)) kills[victim] = (kills[victim] ?? 0) + 1;
      }
      results.push(...(await round));
      console.log(`${results.length} jobs, kills: ${JSON.stringify(kills)}`);
    }
    const found = { jobs: results.length, lost: 0, failed: 0, different: 0, unanswered: 0 };
    for (const [seed, { state, files, unanswered }] of results.entries()) {
      found.unanswered += unanswered;
      if (state === 'lost') found.lost++;
      else if (state !== 'done') found.failed++;
      // Computed by the service itself, which nobody disturbs now.
      else if (files !== (await done(place.url, ROUTE, seed, steps)).files) found.different++;
    }
    console.log(JSON.stringify({ kills, ...found }));
    if (found.lost + found.different > 0 || (redis && found.failed > 0)) process.exitCode = 1;
  } finally {
    await place.close();
    await redis?.close();
    await rm(root, { recursive: true, force: true });
  }
}

interface Done {
  readonly state: string;
  /** A hash of all files with their names. */
  readonly files?: string;
  /** Requests that nobody answered, or with 503; each was sent again. */
  readonly unanswered: number;
}

/** Sends a picture and waits for the end of its job, as a client that does not give up. */
async function done(url: string, route: string, seed: number, steps: number): Promise<Done> {
  let unanswered = 0;
  const body = await readFile(PICTURE);
  const ask = async <T>(where: string, init: RequestInit, read: (answer: Response) => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        const answer = await fetch(url + where, { ...init, signal: AbortSignal.timeout(20_000) });
        if (answer.status !== 503 && answer.status !== 429) return await read(answer);
      } catch {
        // Nobody listens, or the answer was cut short.
      }
      unanswered++;
      await later(200);
    }
  };
  const { id } = await ask(`${route}?steps=${steps}&seed=${seed}&method=rrgi`, { method: 'POST', body }, (answer) =>
    answer.json(),
  );
  for (;;) {
    const job = await ask(`/v1/jobs/${id}`, {}, async (answer) =>
      answer.status === 404 ? { state: 'lost' } : await answer.json(),
    );
    if (job.state === 'queued' || job.state === 'running') {
      await later(200);
      continue;
    }
    if (job.state !== 'done') return { state: job.state, unanswered };
    const files: string[] = [];
    for (const [name, where] of Object.entries<string>(job.files)) {
      const bytes = await ask(where, {}, async (answer) =>
        answer.ok ? Buffer.from(await answer.arrayBuffer()) : undefined,
      );
      if (!bytes) return { state: 'lost', unanswered };
      files.push(`${name} ${sha256OfContent(bytes)}`);
    }
    return { state: 'done', files: files.sort().join('\n'), unanswered };
  }
}

interface Place {
  readonly url: string;
  /** False where there was nothing to kill. */
  kill(victim: Victim, random: Random): Promise<boolean>;
  close(): Promise<void>;
}

/** The service, with two workers where there is a Redis. */
async function openPlace(root: string, redis: TestRedis | undefined): Promise<Place> {
  const shared = path.join(root, 'shared');
  await mkdir(shared);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const common = ['--models', MODELS, '--threads', '1', ...(redis ? ['--redis', redis.url, '--shared', shared] : [])];
  const startWorker = () => run(['worker', ...common, '--lock-seconds', LOCK_SECONDS, '-q']);
  const startService = () => run(['serve', ...common, '--port', String(port), '--log-level', 'error', '--queue', '64']);
  let service = startService();
  const workers = redis ? [startWorker(), startWorker()] : [];
  const isReady = () =>
    fetch(`${url}/readyz`).then(
      (answer) => answer.ok,
      () => false,
    );
  while (!(await isReady())) await later(100);
  const killed = async (one: ChildProcess) => {
    one.kill('SIGKILL');
    if (one.exitCode === null && one.signalCode === null) await once(one, 'exit');
  };
  return {
    url,
    async kill(victim, random) {
      if (victim === 'redis') await redis?.restart();
      else if (victim === 'service') {
        await killed(service);
        service = startService();
      } else if (victim === 'worker') {
        await killed(workers.splice(random.integer(workers.length), 1)[0]);
        workers.push(startWorker());
      } else {
        const pids = (await Promise.all([service, ...workers].map(computing))).flat();
        if (pids.length === 0) return false;
        process.kill(pids[random.integer(pids.length)], 'SIGKILL');
      }
      return true;
    },
    async close() {
      for (const one of [service, ...workers]) await killed(one);
    },
  };
}

/** The processes that compute for a program. */
async function computing({ pid }: ChildProcess): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const pids = children.trim().split(' ').filter(Boolean).map(Number);
  const own = await Promise.all(
    pids.map(async (one) => (await readFile(`/proc/${one}/cmdline`, 'utf8').catch(() => '')).includes('child-entry')),
  );
  return pids.filter((_, i) => own[i]);
}

function run(words: readonly string[]): ChildProcess {
  return spawn(process.execPath, [...process.execArgv, PROGRAM, ...words], { stdio: 'ignore' });
}
