/** A runtime thread that ends at the first call. */
import { parentPort } from 'node:worker_threads';

parentPort!.on('message', () => process.exit(7));
parentPort!.postMessage({ id: 0, result: '0.0.0' });
