/** Runs a session in a thread of the kind its argument names, where this module is started from. */
import { SHARE_ENV, Worker, workerData } from 'node:worker_threads';
import { encodeModel } from '../../../src/onnx/encode.ts';
import { nodeRuntime, workerRuntime } from '../../../src/runtime/node/index.ts';
import { threadModule } from '../../../src/runtime/node/sibling.ts';
import { tinyGenerator } from '../../support/tiny.ts';

const model = encodeModel(tinyGenerator());

const kind = (workerData as { kind?: string } | null)?.kind ?? process.argv[2];
const inThread = (env: typeof SHARE_ENV | NodeJS.ProcessEnv) =>
  new Worker(threadModule(new URL(import.meta.url)), { workerData: { kind: 'here' }, env, execArgv: [] });

switch (kind) {
  case 'here': {
    const runtime = nodeRuntime();
    await runtime.session(model);
    await runtime.dispose();
    break;
  }
  case 'runtime-thread': {
    const runtime = await workerRuntime({ device: 'cpu' });
    await runtime.session(model);
    await runtime.dispose();
    break;
  }
  case 'thread-sharing-environment':
    inThread(SHARE_ENV);
    break;
  case 'thread-with-own-environment':
    inThread(process.env).on('error', (error) => console.log(error.message));
    break;
}
