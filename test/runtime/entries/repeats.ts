/** A runtime thread that refuses every call, with what it was given of options. */
import { parentPort } from 'node:worker_threads';
import type { Reply, Request } from '../../../src/runtime/node/protocol.ts';

parentPort!.on('message', ({ id, args }: Request) => {
  const message = JSON.stringify('options' in args ? args.options : {});
  parentPort!.postMessage({ id, error: { code: 'runtime', message, location: {} } } satisfies Reply);
});
parentPort!.postMessage({ id: 0, result: '0.0.0' });
