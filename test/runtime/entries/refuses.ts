/** A runtime thread in which ONNX Runtime cannot be loaded. */
import { parentPort } from 'node:worker_threads';
import type { Reply } from '../../../src/runtime/node/protocol.ts';

const reply: Reply = { id: 0, error: { code: 'device', message: 'no ONNX Runtime here', location: {} } };
parentPort!.postMessage(reply);
parentPort!.once('message', () => {});
