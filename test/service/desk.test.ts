/** The jobs of a service that is about to end: what is recorded for workers elsewhere stays recorded. */
import { afterEach, expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/service/limits.ts';
import { type Desk, openDesk } from '../../src/service/node/desk.ts';
import { FORGOTTEN, type JobQueue, type RecordedJob } from '../../src/service/node/job-queue.ts';
import type { RestoreOrder } from '../../src/service/node/orders.ts';
import type { ProcessPool } from '../../src/service/node/processes.ts';

const SENT = { owner: undefined, requestId: 'r' };
const idle: ProcessPool = {
  run: (_, { signal } = {}) =>
    new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
  ...({} as Omit<ProcessPool, 'run'>),
};

let desk: Desk;
afterEach(() => desk.close());

/** A queue whose workers do nothing: notes what is forgotten; jobs are recorded when `taken` resolves. */
function queueOf(forgotten: string[], taken: Promise<void>, elsewhere: RecordedJob[] = []): JobQueue {
  return {
    check: () => undefined,
    async add(job) {
      await taken;
      return { ...job, queued: {} };
    },
    wait: (_, __, { signal }) =>
      new Promise((_, reject) => {
        if (signal?.aborted) reject(signal.reason);
        signal?.addEventListener('abort', () => reject(signal.reason));
      }),
    find: async (id) => elsewhere.find((job) => job.id === id),
    recorded: async () => [],
    forget: async ({ id }) => void forgotten.push(id),
    waiting: async () => 0,
    close: async () => undefined,
  };
}

async function orderOf(): Promise<[Awaited<ReturnType<Desk['draft']>>, RestoreOrder]> {
  const draft = await desk.draft();
  const model = { name: 'm', file: 'm.onnx' } as RestoreOrder['model'];
  const bounds = { maxPixels: 1, maxSteps: 1, masked: false };
  return [draft, { kind: 'restore', model, folder: draft.folder, options: { method: 'rgi' }, ...bounds }];
}

test('a job that is recorded while the service ends, or that another service recorded, is neither cancelled nor forgotten', async () => {
  const forgotten: string[] = [];
  let take = () => {};
  const taken = new Promise<void>((resolve) => {
    take = resolve;
  });
  const other: RecordedJob = { id: 'other', kind: 'restore', model: 'm', ...SENT, created: new Date(), queued: {} };
  desk = await openDesk(idle, DEFAULT_LIMITS, () => undefined, queueOf(forgotten, taken, [other]));
  const [draft, order] = await orderOf();
  let left = false;
  const sent = draft.send(order, SENT, () => {
    left = true;
  });
  desk.detach();
  take();
  const { id } = await sent;
  expect(await desk.find('other', undefined)).toMatchObject({ id: 'other', state: 'queued' });
  desk.cancelAll();
  expect(await desk.finished(id)).toMatchObject({ id, state: 'queued' });
  expect(await desk.finished('other')).toMatchObject({ state: 'queued' });
  expect([left, forgotten]).toEqual([true, []]);
  // Whoever cancels it while the service ends takes it from the workers.
  await desk.cancel(id, undefined);
  expect(forgotten).toEqual([id]);
});

test('what is computed here is cancelled when its time is over', async () => {
  desk = await openDesk(idle, DEFAULT_LIMITS, () => undefined);
  const [draft, order] = await orderOf();
  const { id } = draft.submit(order, SENT, () => undefined);
  desk.detach();
  desk.cancelAll();
  expect(await desk.finished(id)).toMatchObject({ state: 'cancelled' });
});

test('a job that another service cancelled is cancelled here, too', async () => {
  const forgotten: string[] = [];
  const queue = { ...queueOf(forgotten, Promise.resolve()), wait: () => Promise.reject(FORGOTTEN) };
  desk = await openDesk(idle, DEFAULT_LIMITS, () => undefined, queue);
  const [draft, order] = await orderOf();
  const { id } = await draft.send(order, SENT, () => undefined);
  const { state, problem } = await desk.finished(id);
  expect([state, problem]).toEqual(['cancelled', undefined]);
});
