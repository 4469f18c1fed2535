/** Runs whose pictures lie in a bucket and whose results go into one, on this machine and by workers. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { openWorker } from '../../src/batch/node/worker.ts';
import { DEFAULT_LIMITS } from '../../src/service/limits.ts';
import { type Bench, makeBench } from '../cli/bench.ts';
import { needs } from '../support/needs.ts';
import { startBucket, type TestBucket } from '../support/s3.ts';
import { hasRedis, startRedis, type TestRedis } from './redis.ts';

const FLAGS = '-g @g.onnx --steps 4 --starts 2 --threads 1 --batch 1';

let bench: Bench;
let s3: TestBucket;
const manifest = (out: string) => JSON.parse(readFileSync(bench.file(`${out}/manifest.json`), 'utf8'));
const filesIn = (out: string) =>
  (readdirSync(bench.file(out), { recursive: true }) as string[]).filter((name) => /\.\w+$/.test(name)).sort();
const uploaded = (prefix: string) => [...s3.objects.keys()].filter((key) => key.startsWith(prefix)).sort();

beforeAll(async () => {
  bench = await makeBench();
  s3 = await startBucket(2);
  for (const [name, value] of Object.entries(s3.env)) vi.stubEnv(name, value);
}, 60_000);
beforeEach(() => {
  s3.objects.clear();
  s3.fail = () => undefined;
  for (const [key, from] of [
    ['a.png', 'pictures/a.png'],
    ['b.npy', 'pictures/b.npy'],
    ['deep er/c.npy', 'pictures/c.npy'],
    ['notes.txt', 'text.png'],
  ])
    s3.put(`archive/in/${key}`, readFileSync(bench.file(from)));
  s3.put('archive/mask.png', readFileSync(bench.file('mask.png')));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await s3?.close();
  bench?.remove();
});

test('pictures below a prefix have the results of a folder; all files go into a bucket, each when it is recorded', async () => {
  const said = await bench.rgi(`batch restore s3://archive/in/ ${FLAGS} --out @out --upload s3://results/run --json`);
  expect(said).toMatchObject({ code: 0 });
  expect(JSON.parse(said.out)).toMatchObject({ done: 3, failed: 0 });
  const records = manifest('out').images.map(({ name, path: from }: Record<string, string>) => [name, from]);
  expect(records).toEqual([
    ['a', 's3://archive/in/a.png'],
    ['b', 's3://archive/in/b.npy'],
    ['deep er/c', 's3://archive/in/deep er/c.npy'],
  ]);
  expect((await bench.rgi(`batch restore @pictures ${FLAGS} --out @local`)).code).toBe(0);
  for (const file of ['a.restored.png', 'b.mask.png'])
    expect(readFileSync(bench.file(`out/${file}`)).equals(readFileSync(bench.file(`local/${file}`)))).toBe(true);
  const own = filesIn('out').filter((name) => name !== 'journal.jsonl');
  expect(uploaded('results/')).toEqual(own.map((name) => `results/run/${name}`));
  for (const name of own)
    expect(s3.objects.get(`results/run/${name}`)?.bytes.equals(readFileSync(bench.file(`out/${name}`)))).toBe(true);
}, 60_000);

test('rows of a manifest name objects, here and in a bucket; masks too', async () => {
  writeFileSync(
    bench.file('list.csv'),
    'path,mask\ns3://archive/in/a.png,s3://archive/mask.png\npictures/b.npy,mask.png\n',
  );
  expect(await bench.rgi(`batch restore @list.csv ${FLAGS} --out @rows`)).toMatchObject({ code: 0 });
  const masks = manifest('rows').images.map(({ name, maskSha256 }: Record<string, string>) => [name, maskSha256]);
  expect(masks).toEqual([
    ['in/a', expect.any(String)],
    ['pictures/b', expect.any(String)],
  ]);
  expect(masks[0][1]).toBe(masks[1][1]);
  s3.put('archive/in/list.csv', 'path\na.png\ndeep er/c.npy\n../in/none.png\n../../../results/x.png\n');
  const said = await bench.rgi(`batch restore s3://archive/in/list.csv ${FLAGS} --out @listed`);
  expect(said.code).toBe(4);
  expect(said.err).toContain('error: s3://archive/in/none.png does not exist.');
  expect(said.err).toContain(
    "error: s3://archive/in/list.csv, row 5: 's3://archive/../../results/x.png' has a part '.' or '..'; write the key itself.",
  );
  expect(manifest('listed').images.map(({ name }: { name: string }) => name)).toEqual([
    'in/a',
    'in/deep er/c',
    'in/none',
    'row-5',
  ]);
}, 60_000);

test('what could not be put there has failed; --resume puts there what is missing, and computes nothing twice', async () => {
  s3.fail = (request) => (request.startsWith('PUT results/run/b.') ? 403 : undefined);
  const line = `batch restore s3://archive/in/ ${FLAGS} --out @again --upload s3://results/run/ --json`;
  const said = await bench.rgi(line);
  expect(said.code).toBe(4);
  expect(said.err).toMatch(/^error: s3:\/\/results\/run\/b\.\S+ cannot be written \(403 AccessDenied\): /m);
  s3.fail = () => undefined;
  s3.objects.delete('results/run/a.mask.png');
  const resumed = await bench.rgi(`${line} --resume`);
  expect([resumed.code, JSON.parse(resumed.out)]).toEqual([
    0,
    expect.objectContaining({ done: 3, kept: 2, failed: 0 }),
  ]);
  const own = filesIn('again').filter((name) => name !== 'journal.jsonl');
  expect(uploaded('results/')).toEqual(own.map((name) => `results/run/${name}`));
}, 60_000);

test('one object is the mask of all pictures, here and in a bucket', async () => {
  const flags = '-g @g.onnx --steps 4 --starts 2 --threads 1';
  for (const line of [
    `restore @pictures/a.png ${flags} --mask s3://archive/mask.png --out @masked`,
    `batch restore s3://archive/in/a.png ${FLAGS} --mask s3://archive/mask.png --out @listmasked`,
    `restore @pictures/a.png ${flags} --mask @mask.png --out @localmask`,
  ])
    expect(await bench.rgi(line)).toMatchObject({ code: 0 });
  const file = (out: string) => readFileSync(bench.file(`${out}/a.restored.png`));
  expect(file('masked').equals(file('localmask'))).toBe(true);
  expect(file('listmasked').equals(file('localmask'))).toBe(true);
  for (const command of ['restore', 'batch restore'])
    expect(
      await bench.rgi(`${command} @pictures ${FLAGS.replace('--batch 1', '')} --mask s3://archive/masks/ --out @none`),
    ).toMatchObject({
      code: 2,
      err: expect.stringContaining(
        'error: --mask s3://archive/masks/ names no picture; give one object for all pictures, or name the mask of each in a manifest.',
      ),
    });
}, 60_000);

test('a picture whose files are refused when it is resumed has failed, and the others go on', async () => {
  const line = `batch restore s3://archive/in/ ${FLAGS} --out @refused --upload s3://results/refused/ --json`;
  expect((await bench.rgi(line)).code).toBe(0);
  s3.objects.delete('results/refused/a.mask.png');
  s3.fail = (request) => (request.startsWith('PUT results/refused/a.') ? 403 : undefined);
  const resumed = await bench.rgi(`${line} --resume`);
  expect([resumed.code, JSON.parse(resumed.out)]).toEqual([
    4,
    expect.objectContaining({ done: 2, kept: 2, failed: 1 }),
  ]);
}, 60_000);

test('a manifest that cannot be put there fails the run, of which nothing is lost', async () => {
  s3.fail = (request) => (request === 'PUT results/last/manifest.json' ? 403 : undefined);
  const line = `batch restore s3://archive/in/ ${FLAGS} --out @last --upload s3://results/last/`;
  const said = await bench.rgi(line);
  expect(said.code).toBe(2);
  expect(said.err).toContain('warning: s3://results/last/manifest.json cannot be written (403 AccessDenied)');
  expect(said.err).toContain(
    'error: s3://results/last/manifest.json could not be written, although the run is complete; run the same command with --resume.',
  );
  s3.fail = () => undefined;
  expect((await bench.rgi(`${line} --resume`)).code).toBe(0);
  expect(s3.objects.has('results/last/manifest.json')).toBe(true);
}, 60_000);

test('a bucket that does not let itself be read ends the run with a sentence', async () => {
  s3.fail = () => 403;
  expect(await bench.rgi(`batch detect s3://archive/in/ -g @g.onnx --out @none`)).toMatchObject({
    code: 2,
    err: 'error: s3://archive/in/ cannot be read (403 AccessDenied): it is not allowed; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and their rights.\n',
  });
}, 30_000);

describe.skipIf(!hasRedis)(needs(hasRedis, 'no redis-server is installed', 'a queue in Redis'), () => {
  const withWorker = async (use: (redis: TestRedis) => Promise<void>) => {
    const redis = await startRedis();
    mkdirSync(bench.file('models'));
    writeFileSync(bench.file('models/g.onnx'), readFileSync(bench.file('g.onnx')));
    const worker = await openWorker({
      redis: redis.url,
      models: bench.file('models'),
      shared: 's3://shared/jobs',
      limits: DEFAULT_LIMITS,
      threads: 1,
      lockSeconds: 2,
    });
    try {
      await use(redis);
    } finally {
      await worker.close();
      await redis.close();
      rmSync(bench.file('models'), { recursive: true });
    }
  };

  test(
    'workers and senders share a bucket instead of a folder',
    () =>
      withWorker(async (redis) => {
        const queue = `--redis ${redis.url} --shared s3://shared/jobs`;
        const flags = '-g @g.onnx --steps 4 --starts 2';
        expect(await bench.rgi(`batch restore s3://archive/in/ ${flags} ${queue} --out @far`)).toMatchObject({
          code: 0,
        });
        expect(await bench.rgi(`batch restore s3://archive/in/ ${FLAGS} --out @near`)).toMatchObject({ code: 0 });
        for (const file of filesIn('near').filter((name) => name.endsWith('.png')))
          expect(
            readFileSync(path.join(bench.file('far'), file)).equals(readFileSync(bench.file(`near/${file}`))),
          ).toBe(true);
        expect(uploaded('shared/')).toEqual([]);
      }),
    60_000,
  );

  test(
    'a worker tries again where the shared bucket fails for a while: before the work, and when results are put there',
    () =>
      withWorker(async (redis) => {
        // Each once; a refusal is not tried again by the request itself.
        const failing = [/^HEAD shared\/jobs\/\w+\/out\/record\.json$/, /^PUT shared\/jobs\/\w+\/out\/record\.json$/];
        s3.fail = (request) => {
          const at = failing.findIndex((one) => one.test(request));
          return at >= 0 && failing.splice(at, 1).length === 1 ? 403 : undefined;
        };
        s3.put('archive/one/a.png', readFileSync(bench.file('pictures/a.png')));
        const line = `batch restore s3://archive/one/ -g @g.onnx --steps 4 --starts 2 --out @outage`;
        const said = await bench.rgi(`${line} --redis ${redis.url} --shared s3://shared/jobs`);
        expect([said.code, said.err, failing]).toEqual([0, expect.not.stringContaining('error'), []]);
      }),
    60_000,
  );
});
