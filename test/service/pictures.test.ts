import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { openEncoder } from '../../src/models/node/encoder.ts';
import { openGeneratorFile } from '../../src/models/node/networks.ts';
import { restoreFiles } from '../../src/restore/node/run.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { MODELS, problemIn, startService, type TestService, TROUSERS } from './support.ts';

describe('pictures over HTTP', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service?.close());

  it('restores a picture with the same bytes as restoreFiles', async () => {
    const answer = await service.post('/v1/models/fashion-trousers/restore?steps=8', TROUSERS);
    expect(answer.status).toBe(200);
    const job = await answer.json();
    expect(job).toMatchObject({
      kind: 'restore',
      model: 'fashion-trousers',
      state: 'done',
      record: { status: 'done' },
    });
    const folder = mkdtempSync(path.join(tmpdir(), 'rgi-'));
    const runtime = nodeRuntime();
    try {
      const flags = { generator: path.join(MODELS, 'fashion-trousers/generator.onnx') };
      const opened = await openGeneratorFile(runtime, flags);
      const encoder = (await openEncoder(opened, flags))!.graph;
      const method = rgi({ preset: 'fast', channels: 1, steps: 8 });
      const files = [path.join(MODELS, 'fashion-trousers/pictures/00097.png')];
      await restoreFiles({ files, out: folder, generator: { ...opened.generator, encoder }, method }, runtime);
      for (const [name, where] of Object.entries<string>(job.files)) {
        const served = new Uint8Array(await (await service.get(where)).arrayBuffer());
        expect(served, name).toEqual(new Uint8Array(readFileSync(path.join(folder, `00097.${name}`))));
      }
      expect(Object.keys(job.files)).toEqual([
        'composite.png',
        'mask.png',
        'residual.png',
        'restored.png',
        'softmask.png',
      ]);
    } finally {
      await runtime.dispose();
      rmSync(folder, { recursive: true });
    }
  });

  it('answers with a file where one is asked for, and takes a form with a mask', async () => {
    const form = new FormData();
    form.set('image', new Blob([TROUSERS]), 'x.png');
    form.set('mask', new Blob([TROUSERS]), 'm.png');
    form.set('steps', '3');
    const answer = await service.post('/v1/models/fashion-trousers/restore?answer=mask.png', form, {});
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'image/png']);
    expect([...new Uint8Array(await answer.arrayBuffer())].slice(0, 4)).toEqual([0x89, 0x50, 0x4e, 0x47]);
  });

  it('inspects a picture by the policy of a model', async () => {
    const samples = readFileSync(path.join(MODELS, 'bsd-pitting/samples.png'));
    const answer = await service.post('/v1/models/bsd-pitting/detect', new Uint8Array(samples));
    const job = await answer.json();
    expect([answer.status, job.state, typeof job.record.defective]).toEqual([200, 'done', 'boolean']);
    expect(Object.keys(job.files)).toEqual(['map.npy', 'map.png', 'mask.png', 'overlay.png']);
  });

  it('runs a job with events, and gives its results by address', async () => {
    const sent = await service.post('/v1/models/fashion-trousers/restore/jobs?steps=20', TROUSERS);
    const { id, links } = await sent.json();
    expect([sent.status, sent.headers.get('location')]).toEqual([202, `/v1/jobs/${id}`]);
    const text = await (await service.get(links.events)).text();
    const states = text
      .split('\n\n')
      .filter((event) => event.startsWith('event: job'))
      .map((event) => JSON.parse(event.slice(event.indexOf('data: ') + 6)));
    expect(new Set(states.map(({ state }) => state)).size).toBeGreaterThanOrEqual(2);
    expect(states.at(-1)).toMatchObject({ id, state: 'done', progress: { share: 1, what: 'done' } });
    expect(states.filter(({ state }) => state === 'done')).toHaveLength(1);
    const picture = await service.get(states.at(-1).files['composite.png']);
    expect(picture.headers.get('content-type')).toBe('image/png');
  });

  it('cancels a job that is computed, and its process goes on with the next', async () => {
    const options = '?steps=20000&starts=1&preset=paper';
    const { id } = await (await service.post(`/v1/models/fashion-trousers/restore/jobs${options}`, TROUSERS)).json();
    const state = async () => (await service.get(`/v1/jobs/${id}`)).json();
    while (!(await state()).progress.what.includes('step')) await new Promise((r) => setTimeout(r, 20));
    const before = service.pids();
    expect((await service.get(`/v1/jobs/${id}`, { method: 'DELETE' })).status).toBe(202);
    await (await service.get(`/v1/jobs/${id}/events`)).text();
    expect((await state()).state).toBe('cancelled');
    const next = await service.post('/v1/models/fashion-trousers/restore?steps=3', TROUSERS);
    expect(next.status).toBe(200);
    expect(service.pids()).toEqual(before);
  });

  it('does the job of a process that dies again, in another', async () => {
    const { id } = await (await service.post('/v1/models/fashion-trousers/restore/jobs?steps=300', TROUSERS)).json();
    while ((await (await service.get(`/v1/jobs/${id}`)).json()).state === 'queued')
      await new Promise((r) => setTimeout(r, 10));
    const [victim] = service.pids();
    process.kill(victim, 'SIGKILL');
    await (await service.get(`/v1/jobs/${id}/events`)).text();
    expect((await (await service.get(`/v1/jobs/${id}`)).json()).state).toBe('done');
    expect(service.pids()).not.toContain(victim);
    expect(service.log.map(({ msg }) => msg)).toContain(
      'A process that computes died in the middle of a job for fashion-trousers; another takes its place.',
    );
  });

  it('says what a model is', async () => {
    const facts = await (await service.get('/v1/models/fashion-trousers/inspect')).json();
    expect(facts).toMatchObject({
      name: 'fashion-trousers',
      picture: { channels: 1, height: 32, width: 32 },
      encoder: true,
    });
    const { models } = await (await service.get('/v1/models')).json();
    expect(models.map(({ name }: { name: string }) => name)).toEqual([
      'bsd-pitting',
      'cartoon-faces',
      'fashion-trousers',
    ]);
  });

  it.each([
    ['/v1/models/nothing/restore', 404, "There is no model 'nothing' here; GET /v1/models lists them."],
    [
      '/v1/models/..%2Fmodels%2Ffashion-trousers/restore',
      404,
      "There is no model '../models/fashion-trousers' here; GET /v1/models lists them.",
    ],
    [
      '/v1/models/fashion-trousers%00/restore',
      404,
      "There is no model 'fashion-trousers\u0000' here; GET /v1/models lists them.",
    ],
    [
      '/v1/models/fashion-trousers/detect',
      400,
      "fashion-trousers is not calibrated: run 'rgi calibrate GOOD_FOLDER --generator fashion-trousers' first.",
    ],
    ['/v1/models/fashion-trousers/restore?steps=0', 400, "'steps': Too small: expected number to be >=1"],
    ['/v1/models/fashion-trousers/restore?colour=1', 400, "'colour': There is no such option."],
    ['/v1/models/fashion-trousers/restore?steps=1&steps=2', 400, "The option 'steps' is given twice."],
    ['/v1/models/fashion-trousers/restore?steps=999999', 400, 'This takes up to'],
    [
      '/v1/models/cartoon-faces/restore?fit=refuse',
      422,
      'The picture is 32 x 32 pixels (width x height), 64 x 64 are needed; choose a fit: contain, cover or stretch.',
    ],
  ])('%s answers %i', async (where, status, sentence) => {
    const answer = await service.post(where, TROUSERS);
    const { detail } = await problemIn(answer);
    expect([answer.status, detail.slice(0, sentence.length)]).toEqual([status, sentence]);
  });
});
