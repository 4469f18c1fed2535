/** The studio's side of the service, without a service: what is sent where an answer fails, comes late, or is no longer wanted. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { OpenedModel } from '../../src/studio/engine.ts';
import { createChoice } from '../../src/studio/page/models/choice.ts';
import type { Library } from '../../src/studio/page/models/library.ts';
import { apiAt } from '../../src/studio/page/server/api.ts';
import { withServer } from '../../src/studio/page/server/engine.ts';
import { createServer, type Server } from '../../src/studio/page/server/state.ts';
import { createEngine } from './fake-engine.ts';

vi.mock('../../src/studio/page/pictures/codec.ts', () => ({ codec: async () => new Blob(['picture']) }));

const ROOT = 'https://host.test/';
const POST = 'POST v1/models/m/restore/jobs?method=rgi';

type Answer = () => Response | Promise<Response>;
/** Answers by 'METHOD path', the first one of each first; the last one stays. */
let answers: Record<string, Answer[]>;
let asked: string[];
let leave: () => void;

beforeEach(() => {
  answers = {};
  asked = [];
  vi.stubGlobal('fetch', async (address: string | URL, init: RequestInit = {}) => {
    const path = String(address).replace(ROOT, '');
    const question = `${init.method ?? 'GET'} ${path}`;
    asked.push(question);
    const left = answers[question] ?? [() => Promise.reject(new TypeError('Failed to fetch'))];
    return (left.length > 1 ? left.shift()! : left[0])();
  });
  vi.stubGlobal('document', { baseURI: `${ROOT}studio/` });
  vi.stubGlobal('addEventListener', (_: string, listener: () => void) => {
    leave = listener;
  });
  vi.stubGlobal('removeEventListener', () => {});
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const json = (value: unknown, status = 200) => new Response(JSON.stringify(value), { status });
const job = (state: string, more = {}) => ({ id: '1', state, progress: { share: 0, what: '' }, ...more });
const events = (...states: string[]) =>
  new Response(states.map((state) => `data: ${JSON.stringify(job(state))}\n\n`).join(''));
const never = () => new Promise<Response>(() => {});
const reached = (question: string) => vi.waitFor(() => expect(asked).toContain(question));

function restore(signal = new AbortController().signal) {
  const states: string[] = [];
  const result = apiAt(ROOT, () => '').restore('m', { method: 'rgi' }, new Blob(['x'], { type: 'image/png' }), {
    signal,
    onProgress: ({ state }) => states.push(state),
  });
  // Some are looked at later only.
  result.catch(() => {});
  return { result, states };
}

test('a stream of events that ends early is followed again, until the job is done', async () => {
  answers[POST] = [() => json(job('queued'), 202)];
  answers['GET v1/jobs/1/events'] = [
    () => events('queued'),
    () => Promise.reject(new TypeError('reset')),
    () => events('done'),
  ];
  answers['GET v1/jobs/1'] = [() => json(job('running')), () => json(job('running')), () => json(job('done'))];
  const { result, states } = restore();
  await vi.advanceTimersByTimeAsync(3000);
  expect(await result).toMatchObject({ state: 'done' });
  expect(states).toEqual(['queued', 'done']);
  expect(asked.filter((question) => question.startsWith('DELETE'))).toEqual([]);
});

test.each([
  ['failed', { problem: { status: 422, detail: 'No picture.' } }, 'No picture.'],
  ['cancelled', {}, 'The server ended the computation. Try again.'],
])('a job that is %s says so', async (state, more, sentence) => {
  answers[POST] = [() => json(job('queued'), 202)];
  answers['GET v1/jobs/1/events'] = [() => events(state)];
  answers['GET v1/jobs/1'] = [() => json(job(state, more))];
  await expect(restore().result).rejects.toThrow(sentence);
});

test('a stop during the upload ends the wait at once, and cancels the job as soon as its id is known', async () => {
  let accept = (_: Response) => {};
  answers[POST] = [() => new Promise((resolve) => (accept = resolve))];
  const controller = new AbortController();
  const { result } = restore(controller.signal);
  await reached(POST);
  controller.abort({ code: 'stopped', message: 'Stopped.' });
  await expect(result).rejects.toMatchObject({ code: 'stopped' });
  expect(asked).toEqual([POST]);
  accept(json(job('queued'), 202));
  await reached('DELETE v1/jobs/1');
});

test('a stop does not wait for the service to cancel', async () => {
  answers[POST] = [() => json(job('queued'), 202)];
  answers['GET v1/jobs/1/events'] = [() => events('running')];
  answers['GET v1/jobs/1'] = [() => json(job('running'))];
  answers['DELETE v1/jobs/1'] = [never];
  const controller = new AbortController();
  const { result } = restore(controller.signal);
  await reached('GET v1/jobs/1');
  controller.abort({ code: 'stopped', message: 'Stopped.' });
  await expect(result).rejects.toMatchObject({ code: 'stopped' });
  await reached('DELETE v1/jobs/1');
});

test('a service that is lost after the upload is said to be silent, and asked to cancel', async () => {
  answers[POST] = [() => json(job('queued'), 202)];
  await expect(restore().result).rejects.toThrow('host.test does not answer. Try again, or compute in this tab.');
  await reached('DELETE v1/jobs/1');
});

test('a page that is left cancels its job', async () => {
  answers[POST] = [() => json(job('queued'), 202)];
  answers['GET v1/jobs/1/events'] = [never];
  restore();
  await reached('GET v1/jobs/1/events');
  leave();
  await reached('DELETE v1/jobs/1');
});

/** A server that answers, with a token or without. */
async function found(hasTokens = false): Promise<Server> {
  answers['GET server.json'] = [() => json({ service: { root: '..', methods: ['rgi'], hasTokens } })];
  answers['GET healthz'] = [() => json({})];
  const server = createServer();
  await vi.waitFor(() => expect(server.state.get().host).toBe('host.test'));
  return server;
}

test('a refused token is asked for again, and the next one is used', async () => {
  answers['GET v1/models'] = [
    () => json({ detail: 'This token is not known.' }, 401),
    () => json({ models: [{ name: 'm' }] }),
  ];
  const server = await found(true);
  server.switchTo(true);
  expect(server.state.get()).toMatchObject({ asksForToken: true, failure: '' });
  server.setToken('wrong');
  await vi.waitFor(() => expect(server.state.get().failure).toBe('This token is not known.'));
  expect(server.state.get().asksForToken).toBe(true);
  server.setToken('right');
  await vi.waitFor(() => expect(server.state.get()).toMatchObject({ models: ['m'], asksForToken: false, failure: '' }));
});

test('models that are listed after the switch is off are dropped', async () => {
  let list = (_: Response) => {};
  answers['GET v1/models'] = [() => new Promise((resolve) => (list = resolve))];
  const server = await found();
  server.switchTo(true);
  server.switchTo(false);
  list(json({ models: [{ name: 'm' }] }));
  await vi.advanceTimersByTimeAsync(10);
  expect(server.state.get()).toMatchObject({ isOn: false, models: undefined });
});

test('a switch that is off stops the search, sends nothing more, and takes the model of the server away', async () => {
  answers['GET v1/models'] = [() => json({ models: [{ name: 'm' }] })];
  answers['GET v1/models/m/inspect'] = [
    () => json({ picture: { channels: 3, height: 8, width: 8 }, latents: [{ dims: [4] }], policies: [], notes: [] }),
  ];
  const send = 'POST v1/models/m/restore/jobs?method=rgi&seed=0&fit=contain';
  answers[send] = [never];
  const server = await found();
  server.switchTo(true);
  const library = { server, open: () => server.open('m') } as unknown as Library;
  const choice = createChoice(library);
  await choice.choose({ kind: 'server', model: { id: 'm', name: 'm' } });
  const { id } = choice.state.get().model as OpenedModel;
  const engine = withServer(createEngine(), server);
  const picture = { name: 'a.png', width: 8, height: 8, rgba: new Uint8ClampedArray(256) };
  const begin = () => engine.restore({ model: id, picture, method: 'rgi', seed: 0, fit: 'contain' }, () => {});

  const running = begin();
  await reached(send);
  server.switchTo(false);
  await expect(running.result).rejects.toMatchObject({ code: 'stopped' });
  expect(choice.state.get()).toEqual({ failure: '' });
  asked = [];
  await expect(begin().result).rejects.toThrow(
    'This model computes on the server, which is switched off. Switch it on, or choose another model.',
  );
  expect(asked).toEqual([]);
});
