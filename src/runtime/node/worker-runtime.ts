/**
 * The runtime in a thread of its own: ONNX Runtime's `run` blocks the thread that calls it, so whatever must stay
 * responsive (a progress display, a server) computes here. Results are moved, not copied; what is fed is copied.
 */
import { Worker } from 'node:worker_threads';
import { messageOf, RgiError } from '../../errors.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import type { Runtime } from '../runtime.ts';
import { type CallName, type Calls, type Reply, receiveError, type WorkerSettings } from './protocol.ts';
import { siblingModule, threadModule } from './sibling.ts';
import { disableTelemetry } from './telemetry.ts';

/** What `workerRuntime` is given. */
export interface WorkerRuntimeOptions extends WorkerSettings {
  /** The thread's module, where a bundler has moved it; beside this one if not given. */
  readonly entry?: URL;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: RgiError): void;
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
  const pending = new Map<number, Pending>();
  let ids = 0;
  let ended: RgiError | undefined;
  let disposing: Promise<void> | undefined;

  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  // The thread keeps the process alive only while something is awaited from it.
  const settle = (id: number): Pending | undefined => {
    const waiting = pending.get(id);
    pending.delete(id);
    if (pending.size === 0) worker.unref();
    return waiting;
  };
  const end = (error: RgiError) => {
    ended ??= error;
    for (const id of [...pending.keys()]) settle(id)!.reject(ended);
  };
  const expect = <T>(id: number): Promise<T> => {
    worker.ref();
    return new Promise<T>((resolve, reject) => pending.set(id, { resolve: resolve as Pending['resolve'], reject }));
  };
  worker.on('message', (reply: Reply) => {
    const waiting = settle(reply.id);
    if ('error' in reply) waiting?.reject(receiveError(reply.error));
    else waiting?.resolve(reply.result);
  });
  worker.on('error', (error) => {
    const code = error instanceof RgiError ? error.code : 'runtime';
    end(new RgiError(code, `The runtime's thread failed: ${messageOf(error)}`, {}, { cause: error }));
  });
  worker.on('exit', (code) => {
    end(new RgiError('runtime', `The runtime's thread ended (exit code ${code}); create another runtime.`));
  });

  const call = <K extends CallName>(name: K, args: Calls[K]['args']): Promise<Calls[K]['result']> => {
    if (ended) return Promise.reject(ended);
    const id = ++ids;
    const result = expect<Calls[K]['result']>(id);
    try {
      worker.postMessage({ id, call: name, args });
    } catch (error) {
      settle(id)?.reject(new RgiError('runtime', `Cannot be sent to the runtime's thread: ${messageOf(error)}`));
    }
    return result;
  };

  const dispose = async () => {
    const closing = call('close', {}).catch(() => {});
    ended ??= new RgiError('runtime', 'The runtime was disposed; create another.');
    await closing;
    // Every session is released by now; what is left of the thread is ended at once.
    await worker.terminate();
  };

  const version = await expect<string>(0);
  return {
    device: options.device,
    version,
    async session(model, sessionOptions = {}) {
      const handle = await call('session', { model, options: sessionOptions });
      const release = releaseOnce(() => call('release', { handle }));
      return {
        run: release.guard(async (feeds, wanted) => mapOf(await call('run', { handle, feeds, wanted }))),
        dispose: release.dispose,
      };
    },
    async loop(model, state, fixed) {
      const handle = await call('loop', { model, state, fixed });
      const release = releaseOnce(() => call('release', { handle }));
      return {
        step: release.guard(async (feeds) => mapOf(await call('step', { handle, feeds }))),
        read: release.guard(async (names) => mapOf(await call('read', { handle, names }))),
        write: release.guard(async (values) => call('write', { handle, state: values })),
        fix: release.guard(async (values) => call('fix', { handle, fixed: values })),
        dispose: release.dispose,
      };
    },
    dispose() {
      disposing ??= ended ? exited : dispose();
      return disposing;
    },
  };

  function releaseOnce(release: () => Promise<unknown>) {
    let released = false;
    return {
      guard: <A extends unknown[], R>(use: (...args: A) => Promise<R>) => {
        return async (...args: A): Promise<R> => {
          if (released) throw new RgiError('runtime', 'The session was disposed; open another.');
          return use(...args);
        };
      },
      async dispose() {
        if (released || ended) return;
        released = true;
        await release();
      },
    };
  }
}

function mapOf(tensors: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  return tensors as Map<string, Tensor>;
}
