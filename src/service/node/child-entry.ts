/** A process that computes for a service: takes orders from its parent one at a time, and ends with it. */
import { messageOf, RgiError } from '../../errors.ts';
import { workerRuntime } from '../../runtime/node/worker-runtime.ts';
import { openShelf } from './opened.ts';
import type { Failure, Reply, Request } from './orders.ts';
import { work } from './work.ts';

/** Share of the memory budget beyond which models that are not in use are closed. */
const COMFORTABLE = 0.6;

const megabytes = Number(process.argv[2]);
const threads = Number(process.argv[3]) || undefined;

// Ctrl-C reaches every process of the terminal: the parent decides what becomes of this one.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.on('disconnect', () => process.exit(0));

const send = (reply: Reply) => process.send?.(reply);
const runtime = await workerRuntime({ device: 'cpu', threads });
const shelf = openShelf(runtime);

/** The order that is not wanted any more. */
let cancelled: number | undefined;

process.on('message', async (request: Request) => {
  if ('cancel' in request) {
    cancelled = request.cancel;
    return;
  }
  const { id, order } = request;
  try {
    const { result, stages } = await work(order, shelf, runtime, (share, what) => {
      // Between two steps, a restoration frees what it holds. An inspector, which stays open, is not left in the middle.
      if (cancelled === id && order.kind === 'restore') throw new Error('The order was cancelled.');
      send({ kind: 'progress', id, share, what });
    });
    await shelf.shrink(COMFORTABLE * megabytes * 2 ** 20);
    send({ kind: 'done', id, result, stages, held: shelf.held() });
  } catch (error) {
    send({ kind: 'failed', id, failure: failureOf(error), held: shelf.held() });
  }
});
send({ kind: 'ready' });

function failureOf(error: unknown): Failure {
  if (!(error instanceof RgiError)) return { code: 'unexpected', message: messageOf(error) };
  const { code, message, details } = error;
  return { code, message, ...(details ? { details } : {}) };
}
