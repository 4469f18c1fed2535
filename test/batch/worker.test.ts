/** The queue: pictures sent to workers over a real Redis come back as a run; what is lost is done again, what failed can be looked at. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keyOfJob, openQueue } from '../../src/batch/node/redis.ts';
import { openWorker, type RunningWorker, type WorkerEvent } from '../../src/batch/node/worker.ts';
import type { Queued } from '../../src/batch/queue-data.ts';
import { writePolicy } from '../../src/detect/node/policy-files.ts';
import { DEFAULT_LIMITS } from '../../src/service/limits.ts';
import { type Bench, makeBench } from '../cli/bench.ts';
import { handmadePolicy } from '../cli/policy.ts';
import { needs } from '../support/needs.ts';
import { hasRedis, QUEUED, startRedis, type TestRedis } from './redis.ts';

const FLAGS = '-g @g.onnx --steps 4 --starts 2';

describe.skipIf(!hasRedis)(needs(hasRedis, 'no redis-server is installed', 'a queue in Redis'), () => {
  let bench: Bench;
  let redis: TestRedis;
  let worker: RunningWorker;
  const events: WorkerEvent[] = [];
  const open = () =>
    openWorker({
      redis: redis.url,
      models: bench.file('models'),
      shared: bench.file('shared'),
      limits: DEFAULT_LIMITS,
      threads: 1,
      lockSeconds: 2,
      onEvent: (event) => events.push(event),
    });
  const queue = (line: string) => bench.rgi(`${line} --redis ${redis.url}`);
  const send = (line: string) => queue(`batch ${line} --shared @shared`);
  const manifest = (out: string) => JSON.parse(readFileSync(bench.file(`${out}/manifest.json`), 'utf8'));

  beforeAll(async () => {
    bench = await makeBench();
    redis = await startRedis();
    for (const name of ['shared', 'models', 'many/deep']) mkdirSync(bench.file(name), { recursive: true });
    copyFileSync(bench.file('g.onnx'), bench.file('part.onnx'));
    await writePolicy(bench.file('part.onnx'), handmadePolicy());
    // Under other names: a model is found by what it is.
    copyFileSync(bench.file('g.onnx'), bench.file('models/faces.onnx'));
    copyFileSync(bench.file('part.onnx'), bench.file('models/line3.onnx'));
    copyFileSync(bench.file('part.policy.npz'), bench.file('models/line3.policy.npz'));
    for (const [to, from] of [
      ['a.png', 'pictures/a.png'],
      ['b.npy', 'pictures/b.npy'],
      ['deep/c.npy', 'pictures/c.npy'],
      ['deep/again.npy', 'pictures/c.npy'],
    ])
      copyFileSync(bench.file(from), bench.file(`many/${to}`));
    worker = await open();
  }, 60_000);
  afterAll(async () => {
    await worker?.close();
    await redis?.close();
    bench?.remove();
  });

  test('gives each picture the files and the record of a run on this machine', async () => {
    const said = await send(`restore @many ${FLAGS} --out @queued --json`);
    expect(said).toMatchObject({ code: 0 });
    expect(JSON.parse(said.out)).toMatchObject({ done: 4, failed: 0 });
    expect((await bench.rgi(`batch restore @many ${FLAGS} --threads 1 --batch 1 --out @local`)).code).toBe(0);
    const of = (out: string) =>
      manifest(out).images.map(({ name, loss, maskedShare, files }: Record<string, unknown>) => [
        name,
        loss,
        maskedShare,
        files,
      ]);
    expect(of('queued')).toEqual(of('local'));
    for (const { files } of manifest('local').images)
      for (const file of files)
        expect(readFileSync(bench.file(`queued/${file}`)).equals(readFileSync(bench.file(`local/${file}`)))).toBe(true);
    // Nothing is left in the shared folder, nor in the queue.
    expect(readdirSync(bench.file('shared'))).toEqual([]);
    expect(JSON.parse((await queue('queue status --json')).out)).toEqual({
      waiting: 0,
      running: 0,
      delayed: 0,
      failed: 0,
    });
    const again = await send(`restore @many ${FLAGS} --out @queued --resume --json`);
    expect(JSON.parse(again.out)).toMatchObject({ done: 4, kept: 4 });
    expect((await bench.rgi('report @queued -q')).code).toBe(0);
  }, 60_000);

  test('keeps the result of a picture that two senders sent until both have it', async () => {
    // c, e and d are done in this order: the first run takes c away while the second has still to wait for d before it comes to c.
    writeFileSync(bench.file('first.csv'), 'path\npictures/c.npy\npictures/b.npy\n');
    writeFileSync(bench.file('second.csv'), 'path\npictures/a.png\npictures/c.npy\n');
    const flags = '-g @g.onnx --steps 400 --starts 2 --seed 21';
    const first = send(`restore @first.csv ${flags} --out @one`);
    await later(100);
    const said = await Promise.all([first, send(`restore @second.csv ${flags} --out @two`)]);
    for (const { code, err } of said) expect([code, err]).toEqual([0, expect.not.stringContaining('error')]);
    const of = (out: string) => bytesOf(bench.file(out)).filter(([name]) => name.includes('/c.'));
    expect(of('one').length).toBeGreaterThan(0);
    expect(of('two')).toEqual(of('one'));
    expect(readdirSync(bench.file('shared'))).toEqual([]);
  }, 90_000);

  test('sends what a symbolic link leads to', async () => {
    mkdirSync(bench.file('links'));
    symlinkSync('../pictures/a.png', bench.file('links/a.png'));
    expect(await send(`restore @links ${FLAGS} --out @linked`)).toMatchObject({ code: 0 });
  }, 60_000);

  test('inspects by the policy of the model', async () => {
    expect(await send('detect @many -g @part.onnx --out @found')).toMatchObject({ code: 0 });
    expect((await bench.rgi('batch detect @many -g @part.onnx --threads 1 --batch 1 --out @found-here')).code).toBe(0);
    const scores = (out: string) =>
      readFileSync(bench.file(`${out}/results.jsonl`), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
        .map(({ name, score, defective }) => [name, score, defective]);
    expect(scores('found')).toEqual(scores('found-here'));
    expect((await bench.rgi('report @found -q')).code).toBe(0);
  }, 60_000);

  test('keeps what failed as dead letters: to be listed, sent again, discarded', async () => {
    writeFileSync(bench.file('mixed.csv'), 'path\na.png\ntext.png\n');
    const said = await send(`restore @mixed.csv ${FLAGS} --out @mixed`);
    expect(said.code).toBe(4);
    expect(said.err).toContain(`error: ${bench.file('text.png')}: The picture is not a picture (`);
    const [letter] = (await queue('queue failed --json')).out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(letter).toMatchObject({
      kind: 'restore',
      model: 'g.onnx',
      attempts: 1,
      reason: expect.stringContaining('is not a picture'),
    });
    expect(await queue(`queue retry ${'0'.repeat(64)}`)).toMatchObject({
      code: 2,
      err: `error: No job of the key ${'0'.repeat(64)} has failed; 'rgi queue failed' lists those that have.\n`,
    });
    expect((await queue('queue discard')).out).toBe('1 job discarded\n');
    expect((await queue('queue failed')).out).toBe('');
    // It is no use any more: nothing of it stays.
    expect(readdirSync(bench.file('shared'))).toEqual([]);
  }, 60_000);

  test('what failed though its picture is sound is sent again with what was sent, and a resumed run takes the result', async () => {
    // A model that the worker lacks for a while, under either name.
    const own = ['faces.onnx', 'line3.onnx'].map((name) => path.join(bench.file('models'), name));
    for (const file of own) renameSync(file, `${file}.away`);
    writeFileSync(bench.file('one.csv'), 'path\na.png\n');
    const line = `restore @one.csv ${FLAGS} --seed 41 --out @letter`;
    const said = await send(line);
    expect([said.code, said.err]).toEqual([2, expect.stringContaining('has no model of the content')]);
    const kept = readdirSync(bench.file('shared'));
    expect(kept).toHaveLength(1);
    for (const file of own) renameSync(`${file}.away`, file);
    expect((await queue('queue retry')).out).toBe('1 job sent again\n');
    while (!existsSync(bench.file(`shared/${kept[0]}/out`))) await later(50);
    expect(await send(`${line} --resume --json`)).toMatchObject({ code: 0 });
    expect(readdirSync(bench.file('shared'))).toEqual([]);
  });

  test('discarding removes what was sent where the shared place is named', async () => {
    const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
    const line = openQueue(connection);
    const key = '0'.repeat(64);
    await line.add('restore', { ...QUEUED }, { jobId: key, attempts: 1 });
    mkdirSync(bench.file(`shared/${key}/for`), { recursive: true });
    while (JSON.parse((await queue('queue status --json')).out).failed === 0) await later(50);
    expect((await queue('queue discard --shared @shared')).out).toBe('1 job discarded\n');
    expect(readdirSync(bench.file('shared'))).toEqual([]);
    // Of a job that Redis has forgotten, too.
    mkdirSync(bench.file(`shared/${key}/for`), { recursive: true });
    expect((await queue(`queue discard ${key} --shared @shared`)).out).toBe('1 job discarded\n');
    expect(readdirSync(bench.file('shared'))).toEqual([]);
    expect((await queue('queue status --shared @shared')).err).toBe(
      "error: --shared goes with discard; leave it out of 'status'.\n",
    );
    await line.close();
    connection.disconnect();
  });

  test('believes nothing that comes out of the queue', async () => {
    const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
    const line = openQueue(connection);
    const job = QUEUED;
    const refused = [
      { ...job, picture: '../../etc/passwd' },
      { ...job, folder: '/' },
      { ...job, options: { method: 'rgi', steps: -1 } },
      'text',
    ];
    for (const [i, data] of refused.entries()) await line.add('restore', data as Queued, { jobId: `bad-${i}` });
    // Of the right form, under a key that is not its own.
    await line.add('restore', job, { jobId: 'bad-4' });
    const failures = async () => JSON.parse((await queue('queue status --json')).out).failed;
    while ((await failures()) < 5) await later(50);
    const reasons = (await queue('queue failed --json')).out
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text).reason);
    expect(new Set(reasons)).toEqual(
      new Set(['The job is none of rgi: its data are not of the form that rgi batch sends.']),
    );
    // Another version is no fault of the job: it is left to others, with a growing delay.
    await line.add('restore', job, { jobId: keyOfJob(job) });
    while (
      !events.some(
        (event) =>
          event.kind === 'failed' && event.message?.startsWith('The job is of rgi 0, rules 1; this worker is '),
      )
    )
      await later(50);
    expect(existsSync(bench.file(`shared/${keyOfJob(job)}`))).toBe(false);
    await line.obliterate({ force: true });
    await line.close();
    connection.disconnect();
  }, 60_000);

  test('waits where the shared place is gone for a while, and counts that as no attempt', async () => {
    const [shared, away] = [bench.file('shared'), bench.file('shared-away')];
    copyFileSync(bench.file('pictures/a.png'), bench.file('away.png'));
    await worker.close();
    const running = send(`restore @away.png ${FLAGS} --seed 31 --out @away --json`);
    while (!readdirSync(shared).some((name) => existsSync(path.join(shared, name, 'picture')))) await later(20);
    renameSync(shared, away);
    // It is there when the worker begins, and gone when a job is looked at: as where it is mounted.
    mkdirSync(shared);
    events.length = 0;
    const opened = open();
    worker = await opened;
    rmSync(shared, { recursive: true, force: true });
    while (!events.some(({ kind, message }) => kind === 'warning' && message?.endsWith('It is asked again in 2 s.')))
      await later(20);
    renameSync(away, shared);
    expect(JSON.parse((await running).out)).toMatchObject({ done: 1, failed: 0 });
    expect(events.filter(({ kind }) => kind === 'failed')).toEqual([]);
  });

  test('goes on where a worker leaves and another joins, and where Redis is killed', async () => {
    const running = send(`restore @many ${FLAGS} --seed 9 --out @moved --json`);
    await later(300);
    await redis.restart();
    await worker.close();
    worker = await open();
    const said = await running;
    expect(said.code).toBe(0);
    expect(JSON.parse(said.out)).toMatchObject({ done: 4, failed: 0 });
  }, 90_000);

  test('refuses what no job carries, and says where no Redis is', async () => {
    expect(await send(`restore @many ${FLAGS} --tiles --out @no`)).toMatchObject({
      code: 2,
      err: "error: --tiles is not taken with --redis: workers compute with the options of 'rgi serve'. Leave it out.\n",
    });
    expect(await queue(`batch restore @many ${FLAGS} --out @no`)).toMatchObject({
      code: 2,
      err: 'error: --redis needs --shared, a folder that this command and the workers have.\n',
    });
    const nowhere = await bench.rgi('queue status --redis redis://127.0.0.1:1');
    expect(nowhere.code).toBe(2);
    expect(nowhere.err).toMatch(
      /^error: No Redis or Valkey answers at redis:\/\/127\.0\.0\.1:1 \(.*\); start one, for instance with 'redis-server --appendonly yes'\.\n$/,
    );
  }, 30_000);
});

/** The pictures of a run by name, as text. */
function bytesOf(folder: string): [string, string][] {
  const names = readdirSync(folder, { recursive: true }).map(String);
  return names
    .filter((name) => name.endsWith('.png'))
    .sort()
    .map((name) => [name, readFileSync(path.join(folder, name), 'latin1')]);
}

test('a worker needs folders', async () => {
  const options = { redis: 'redis://127.0.0.1:1', models: '.', limits: DEFAULT_LIMITS, threads: 1, lockSeconds: 2 };
  await expect(openWorker({ ...options, shared: path.join(import.meta.dirname, 'nowhere') })).rejects.toThrow(
    /is no folder; name one that the senders have, too\.$/,
  );
});
