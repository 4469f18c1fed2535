/** A runtime thread that throws at the first call. */
import { parentPort } from 'node:worker_threads';

parentPort!.on('message', () => {
  throw new Error('out of luck');
});
parentPort!.postMessage({ id: 0, result: '0.0.0' });
