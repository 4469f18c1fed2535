/** The thread in which `workerRuntime` computes: a `nodeRuntime`, driven by messages. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Loop, Session } from '../runtime.ts';
import { nodeRuntime } from './onnxruntime.ts';
import {
  buffersOf,
  type CallName,
  type Calls,
  type Reply,
  type Request,
  sendError,
  type WorkerSettings,
} from './protocol.ts';

const port = parentPort!;
const settings = workerData as WorkerSettings;
const runtime = start();
const sessions = new Map<number, Session>();
const loops = new Map<number, Loop>();
let handles = 0;

/** A custom error would lose its code as an uncaught one: it goes as the reply to the start. */
function start() {
  try {
    return nodeRuntime(settings);
  } catch (error) {
    port.postMessage({ id: 0, error: sendError(error) } satisfies Reply);
    process.exit(1);
  }
}

async function answer(request: Request): Promise<Calls[CallName]['result']> {
  switch (request.call) {
    case 'session': {
      const session = await runtime.session(request.args.model, request.args.options);
      sessions.set(++handles, session);
      return handles;
    }
    case 'loop': {
      const { model, state, fixed, options } = request.args;
      const loop = await runtime.loop(model, state, fixed, options);
      loops.set(++handles, loop);
      return handles;
    }
    case 'run':
      return sessions.get(request.args.handle)!.run(request.args.feeds, request.args.wanted);
    case 'outputs':
      return sessions.get(request.args.handle)!.outputs();
    case 'step':
      return loops.get(request.args.handle)!.step(request.args.feeds);
    case 'read':
      return loops.get(request.args.handle)!.read(request.args.names);
    case 'write':
      await loops.get(request.args.handle)!.write(request.args.state);
      return undefined;
    case 'fix':
      await loops.get(request.args.handle)!.fix(request.args.fixed);
      return undefined;
    case 'release': {
      const { handle } = request.args;
      await (sessions.get(handle) ?? loops.get(handle))!.dispose();
      sessions.delete(handle);
      loops.delete(handle);
      return undefined;
    }
    case 'close':
      await runtime.dispose();
      return undefined;
  }
}

port.on('message', async (request: Request) => {
  let reply: Reply;
  let moved: ArrayBuffer[] = [];
  try {
    const result = await answer(request);
    if (result instanceof Map && request.call !== 'outputs') moved = buffersOf(result);
    reply = { id: request.id, result };
  } catch (error) {
    reply = { id: request.id, error: sendError(error) };
  }
  port.postMessage(reply, moved);
  if (request.call === 'close') port.close();
});

port.postMessage({ id: 0, result: runtime.version } satisfies Reply);
