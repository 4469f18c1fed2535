/** Tokens, budgets, and the end of a service. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { DEFAULT_LIMITS } from '../../src/service/limits.ts';
import { openAdmission } from '../../src/service/node/admission.ts';
import { openCatalogue } from '../../src/service/node/catalogue.ts';
import { openShelf } from '../../src/service/node/opened.ts';
import { openGate, readTokens } from '../../src/service/node/tokens.ts';
import { MODELS, problemIn, startService, TROUSERS } from './support.ts';

const RESTORE = '/v1/models/fashion-trousers/restore';
const folder = mkdtempSync(path.join(tmpdir(), 'rgi-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('admission', () => {
  it('bounds the queue and each token, and estimates when to try again', () => {
    const admission = openAdmission({ queue: 2, processes: 1 });
    const leave = admission.enter('a', 1);
    expect(() => admission.enter('a', 1)).toThrow(
      'Your token has 1 jobs queued or computed, as many as it may have. Wait for one to finish.',
    );
    admission.enter('b');
    admission.enter(undefined);
    expect(() => admission.enter(undefined)).toThrow(expect.objectContaining({ status: 429, retryAfter: 6 }));
    leave();
    leave();
    expect(admission.active()).toBe(2);
    admission.enter('a', 1);
    admission.close();
    expect(() => admission.enter('c')).toThrow(expect.objectContaining({ status: 503 }));
  });
});

describe('tokens', () => {
  const token = { name: 'line3', token: 'a'.repeat(16), perMinute: 2 };
  it('admit who has one, as often as they say', () => {
    let now = 0;
    const gate = openGate([token], () => now);
    const check = () => gate.check(`Bearer ${token.token}`);
    expect(() => gate.check(undefined)).toThrow("No token was sent; send the header 'Authorization: Bearer TOKEN'.");
    expect(() => gate.check('Bearer b')).toThrow(
      "The token is not known; send the header 'Authorization: Bearer TOKEN'.",
    );
    expect(check()).toEqual({ owner: 'line3', mayHave: undefined });
    check();
    expect(check).toThrow(expect.objectContaining({ status: 429, retryAfter: 30 }));
    now = 30_000;
    expect(check().owner).toBe('line3');
  });

  it('are refused with a sentence where their file is wrong', async () => {
    const file = path.join(folder, 'tokens.json');
    writeFileSync(file, JSON.stringify([{ name: 'x', token: 'short' }]));
    await expect(readTokens(file)).rejects.toThrow(
      `${file}: '0.token': Too small: expected string to have >=16 characters. It is a list of { "name", "token" (16 characters or more), "jobs", "perMinute" }.`,
    );
    writeFileSync(file, JSON.stringify([token, token]));
    await expect(readTokens(file)).rejects.toThrow(`${file}: A name stands there twice.`);
  });
});

describe('the folder of models', () => {
  it('offers generators inside it alone, by harmless names', async () => {
    const models = path.join(folder, 'models');
    mkdirSync(models);
    for (const name of ['a.onnx', 'a.encoder.onnx', 'b b.onnx', '.hidden.onnx', 'notes.txt'])
      writeFileSync(path.join(models, name), '');
    symlinkSync(path.join(MODELS, 'fashion-trousers'), path.join(models, 'linked'));
    const catalogue = await openCatalogue(models);
    expect((await catalogue.list()).map(({ name }) => name)).toEqual(['a']);
    await expect(openCatalogue(path.join(folder, 'none'))).rejects.toThrow(
      `--models ${path.join(folder, 'none')} does not exist; name a folder with generators (ONNX).`,
    );
  });
});

describe('models that are open', () => {
  it('are opened once, and again when their file was replaced', async () => {
    const runtime = nodeRuntime();
    const shelf = openShelf(runtime);
    const model = { name: 'x', file: path.join(MODELS, 'fashion-trousers/generator.onnx'), stamp: '1' };
    const first = await shelf.open(model);
    expect(await shelf.open(model)).toBe(first);
    expect(await shelf.open({ ...model, stamp: '2' })).not.toBe(first);
    await shelf.open({ ...model, name: 'y' });
    expect(shelf.held().models).toEqual(['x', 'y']);
    // More than any process holds: nothing is closed; less: all but the one used last.
    await shelf.shrink(Number.POSITIVE_INFINITY);
    expect(shelf.held().models).toEqual(['x', 'y']);
    await shelf.shrink(0);
    expect(shelf.held().models).toEqual(['y']);
    await runtime.dispose();
  });
});

describe('a service with tokens', () => {
  const [a, b] = ['a', 'b'].map((name) => ({ name, token: name.repeat(20) }));
  const as = ({ token }: { token: string }) => ({ authorization: `Bearer ${token}`, 'content-type': 'image/png' });

  it('keeps jobs of other tokens apart, and stops what takes too long', async () => {
    const service = await startService({ jobSeconds: 1 }, { tokens: [a, b] });
    try {
      const without = await service.get('/v1/models');
      expect([without.status, without.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
      expect((await service.get('/openapi.json')).status).toBe(200);
      const long = await service.post(`${RESTORE}/jobs?steps=90000&preset=paper&starts=1`, TROUSERS, as(a));
      const { id } = await long.json();
      expect((await service.get(`/v1/jobs/${id}`, { headers: as(b) })).status).toBe(404);
      await (await service.get(`/v1/jobs/${id}/events`, { headers: as(a) })).text();
      const job = await (await service.get(`/v1/jobs/${id}`, { headers: as(a) })).json();
      expect([job.state, job.problem.status, job.problem.detail]).toEqual([
        'failed',
        422,
        "The job took more than 1 s, and was stopped. Ask for fewer steps or starts, or for the preset 'fast'.",
      ]);
      expect(service.log.filter(({ msg }) => msg === 'request').map(({ owner }) => owner)).toContain('a');
      expect(JSON.stringify(service.log)).not.toContain(a.token);
    } finally {
      await service.close();
    }
  });

  it('drains: new work is refused, what was taken is finished, and then it ends', async () => {
    const service = await startService({}, { tokens: [a, b] });
    const last = service.post(`${RESTORE}?steps=4`, TROUSERS, as(b));
    while ((await (await service.get('/metrics', { headers: as(a) })).text()).includes('rgi_active_jobs 0')) {}
    const closing = service.close();
    const late = await service.post(RESTORE, TROUSERS, as(b));
    expect([late.status, (await problemIn(late)).detail]).toEqual([
      503,
      'The service is about to end; send the request to another one.',
    ]);
    expect((await service.get('/readyz')).status).toBe(503);
    expect((await service.get('/healthz')).status).toBe(200);
    expect((await last).status).toBe(200);
    await closing;
    await expect(service.get('/healthz')).rejects.toThrow();
  });
});

describe('limits', () => {
  it('have a row each in docs/serve.md', async () => {
    const { readFile } = await import('node:fs/promises');
    const text = await readFile(path.resolve(import.meta.dirname, '../../docs/serve.md'), 'utf8');
    for (const name of Object.keys(DEFAULT_LIMITS)) expect(text).toContain(`\`${name}\``);
  });
});
