/**
 * The runtime in a thread of its own: ONNX Runtime's `run` blocks the thread that calls it, so whatever must stay
 * responsive (a progress display, a server) computes here. Results are moved, not copied; what is fed is copied.
 */
import { Worker } from 'node:worker_threads';
import { RgiError } from '../../errors.ts';
import type { EncodedModel } from '../../onnx/encode.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import type { Loop, Runtime, Session, SessionOptions } from '../runtime.ts';
import type { WorkerSettings } from './protocol.ts';
import { siblingModule, threadModule } from './sibling.ts';
import { disableTelemetry } from './telemetry.ts';
import { type WorkerChannel, workerChannel } from './worker-channel.ts';

/** What `workerRuntime` is given. */
export interface WorkerRuntimeOptions extends WorkerSettings {
  /** The thread's module, where a bundler has moved it; beside this one if not given. */
  readonly entry?: URL;
}

/** Starts the thread. Throws `RgiError('device' | 'runtime')` where ONNX Runtime cannot be loaded in it. */
export async function workerRuntime(options: WorkerRuntimeOptions): Promise<Runtime> {
  const settings: WorkerSettings = { device: options.device, threads: options.threads };
  disableTelemetry();
  const worker = new Worker(threadModule(options.entry ?? siblingModule('worker-entry')), {
    workerData: settings,
    // The caller's flags (a debugger's port, a test runner's loader) are not the thread's.
    execArgv: [],
  });
  const channel = workerChannel(worker);
  let disposing: Promise<void> | undefined;
  const dispose = async () => {
    const closing = channel.call('close', {}).catch(() => {});
    channel.refuse(new RgiError('runtime', 'The runtime was disposed; create another.'));
    await closing;
    // Every session is released by now; what is left of the thread is ended at once.
    await worker.terminate();
  };
  return {
    device: options.device,
    version: await channel.ready,
    session: (model, sessionOptions = {}) => openSession(channel, model, sessionOptions),
    loop: async (model, state, fixed, loopOptions = {}) =>
      loopOf(channel, await channel.call('loop', { model, state, fixed, options: loopOptions })),
    dispose() {
      disposing ??= channel.isOver() ? channel.exited : dispose();
      return disposing;
    },
  };
}

async function openSession(channel: WorkerChannel, model: EncodedModel, options: SessionOptions): Promise<Session> {
  const handle = await channel.call('session', { model, options });
  const { guard, dispose } = releaseOnce(channel, handle);
  return {
    run: guard(async (feeds, wanted) => mapOf(await channel.call('run', { handle, feeds, wanted }))),
    outputs: guard(async () => channel.call('outputs', { handle })),
    dispose,
  };
}

function loopOf(channel: WorkerChannel, handle: number): Loop {
  const { guard, dispose } = releaseOnce(channel, handle);
  return {
    step: guard(async (feeds) => mapOf(await channel.call('step', { handle, feeds }))),
    read: guard(async (names) => mapOf(await channel.call('read', { handle, names }))),
    write: guard(async (values) => channel.call('write', { handle, state: values })),
    fix: guard(async (values) => channel.call('fix', { handle, fixed: values })),
    dispose,
  };
}

/** What a session or a loop shares: it is released once, and refuses what is asked of it after that. */
function releaseOnce(channel: WorkerChannel, handle: number) {
  let released = false;
  return {
    guard: <A extends unknown[], R>(use: (...args: A) => Promise<R>) => {
      return async (...args: A): Promise<R> => {
        if (released) throw new RgiError('runtime', 'The session was disposed; open another.');
        return use(...args);
      };
    },
    async dispose() {
      if (released || channel.isOver()) return;
      released = true;
      await channel.call('release', { handle });
    },
  };
}

function mapOf(tensors: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  return tensors as Map<string, Tensor>;
}
