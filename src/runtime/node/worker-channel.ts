/** The caller's end of a runtime's thread: calls that await their replies, until the thread ends. */
import type { Worker } from 'node:worker_threads';
import { messageOf, RgiError } from '../../errors.ts';
import { type CallName, type Calls, type Reply, receiveError } from './protocol.ts';

interface Pending {
  resolve(result: unknown): void;
  reject(error: RgiError): void;
}

/** A thread that answers calls. */
export interface WorkerChannel {
  /** Resolves with the version of ONNX Runtime, once the thread has loaded it; rejects where it cannot. */
  readonly ready: Promise<string>;
  /** Rejects with the thread's error, with why the thread has ended, or with the error that `refuse` was given. */
  call<K extends CallName>(name: K, args: Calls[K]['args']): Promise<Calls[K]['result']>;
  /** Later calls are refused with this error; those under way still get their replies. */
  refuse(error: RgiError): void;
  /** Has the thread ended, or are calls refused? */
  isOver(): boolean;
  /** Resolves when the thread has ended. */
  readonly exited: Promise<void>;
}

/** Listens to a thread, which keeps the process alive only while something is awaited from it. */
export function workerChannel(worker: Worker): WorkerChannel {
  const pending = new Map<number, Pending>();
  let ids = 0;
  let over: RgiError | undefined;
  const settle = (id: number): Pending | undefined => {
    const waiting = pending.get(id);
    pending.delete(id);
    if (pending.size === 0) worker.unref();
    return waiting;
  };
  const expect = <T>(id: number): Promise<T> => {
    worker.ref();
    return new Promise<T>((resolve, reject) => pending.set(id, { resolve: resolve as Pending['resolve'], reject }));
  };
  const end = (error: RgiError) => {
    over ??= error;
    for (const id of [...pending.keys()]) settle(id)!.reject(over);
  };
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
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
  return {
    ready: expect<string>(0),
    call<K extends CallName>(name: K, args: Calls[K]['args']) {
      if (over) return Promise.reject(over);
      const id = ++ids;
      const result = expect<Calls[K]['result']>(id);
      try {
        worker.postMessage({ id, call: name, args });
      } catch (error) {
        settle(id)?.reject(new RgiError('runtime', `Cannot be sent to the runtime's thread: ${messageOf(error)}`));
      }
      return result;
    },
    refuse(error) {
      over ??= error;
    },
    isOver: () => over !== undefined,
    exited,
  };
}
