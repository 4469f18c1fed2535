/** The page's side of the engine: a worker that is begun when it is needed, watched, and replaced where it ends. */
import type {
  Backend,
  Engine,
  EngineFailure,
  NamedBytes,
  OpenedModel,
  RestoreProgress,
  Work,
  WorkProgress,
} from '../engine.ts';
import type { Asked, CallName, Told } from '../messages.ts';

/** What the page gives. */
export interface EngineOptions {
  /** Makes the worker of `worker/entry.ts`. */
  readonly createWorker: () => Worker;
  /** Addresses of the files of onnxruntime-web. */
  readonly wasm?: { readonly mjs: string; readonly wasm: string };
  readonly threads?: number;
}

type Progress = RestoreProgress | WorkProgress;

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (failure: EngineFailure) => void;
  readonly onProgress?: (progress: Progress) => void;
}

const LOST: EngineFailure = {
  code: 'lost',
  message:
    'The computation ended unexpectedly, probably for lack of memory. Try again, or with a smaller model or picture.',
};

/** An engine whose worker is begun at once. */
export function engineOf(options: EngineOptions): Engine {
  const files = new Map<string, readonly NamedBytes[]>();
  /** What the page calls a model, and what the present worker does. */
  const aliases = new Map<string, string>();
  let connection = connect(options, lost);
  let nextModel = 1;

  function lost(): void {
    aliases.clear();
    connection = connect(options, lost);
  }

  /** The worker's name of a model: opened again where the worker was replaced. */
  const own = async (model: string): Promise<string> => {
    const known = aliases.get(model);
    if (known !== undefined) return known;
    const opened = files.get(model);
    if (!opened) return model;
    const { id } = (await connection.call('open', [opened])) as OpenedModel;
    aliases.set(model, id);
    return id;
  };
  const remember = (opened: OpenedModel, from: readonly NamedBytes[]): OpenedModel => {
    const id = `model ${nextModel++}`;
    files.set(id, from);
    aliases.set(id, opened.id);
    return { ...opened, id };
  };
  const onModel = async <T>(name: CallName, model: string, args: readonly unknown[]): Promise<T> =>
    (await connection.call(name, [await own(model), ...args])) as T;

  return {
    get backend() {
      return connection.backend;
    },
    async open(given) {
      return remember((await connection.call('open', [given])) as OpenedModel, given);
    },
    async close(model) {
      const id = aliases.get(model);
      files.delete(model);
      aliases.delete(model);
      if (id !== undefined) await connection.call('close', [id]);
    },
    restore: (request, onProgress) =>
      workOf(async (started) => {
        const { model } = request;
        return connection.work(
          'restore',
          [{ ...request, model: await own(model) }],
          onProgress as (p: Progress) => void,
          started,
        );
      }),
    train: (request, onProgress) =>
      workOf(async (started) => {
        const result = await connection.work<Awaited<ReturnType<Engine['train']>['result']>>(
          'train',
          [request],
          onProgress as (p: Progress) => void,
          started,
        );
        return { ...result, model: remember(result.model, result.files) };
      }),
    async inspect(request) {
      const model = await own(request.model);
      return (await connection.call('inspect', [{ ...request, model }])) as Awaited<ReturnType<Engine['inspect']>>;
    },
    sample: (model, latents) => onModel('sample', model, [latents]),
    draw: (model, count, seed) => onModel('draw', model, [count, seed]),
    project: (model, picture) => onModel('project', model, [picture]),
    latentsFile: (model, latents) => onModel('latentsFile', model, [latents]),
    exportDetector: (model, policy) => onModel('exportDetector', model, [policy]),
    dispose() {
      connection.end();
      lost();
    },
  };
}

/** What holds up a piece of work that has been sent. */
interface Controls {
  send(kind: 'pause' | 'resume' | 'stop'): void;
}

/** Work whose sending may have to wait for its model: what is asked meanwhile is sent afterwards. */
function workOf<Result>(start: (started: (controls: Controls) => void) => Promise<Result>): Work<Result> {
  let controls: Controls | undefined;
  const waiting: ('pause' | 'resume' | 'stop')[] = [];
  const send = (kind: 'pause' | 'resume' | 'stop') => {
    if (controls) controls.send(kind);
    else waiting.push(kind);
  };
  const result = start((started) => {
    controls = started;
    for (const kind of waiting) started.send(kind);
  });
  return { result, pause: () => send('pause'), resume: () => send('resume'), stop: () => send('stop') };
}

interface Connection {
  readonly backend: Promise<Backend>;
  call(name: CallName, args: readonly unknown[]): Promise<unknown>;
  work<Result>(
    name: CallName,
    args: readonly unknown[],
    onProgress: (progress: Progress) => void,
    started: (controls: Controls) => void,
  ): Promise<Result>;
  end(): void;
}

function connect({ createWorker, wasm, threads }: EngineOptions, onLost: () => void): Connection {
  const worker = createWorker();
  const life = `rgi engine ${crypto.getRandomValues(new Uint32Array(4)).join('-')}`;
  const watch = new AbortController();
  const pending = new Map<number, Pending>();
  let nextCall = 1;
  let begun: (backend: Backend) => void;
  let refused: (failure: EngineFailure) => void;
  const backend = new Promise<Backend>((resolve, reject) => {
    begun = resolve;
    refused = reject;
  });
  backend.catch(() => undefined);
  const post = (message: Asked) => worker.postMessage(message);
  const fail = (failure: EngineFailure) => {
    watch.abort();
    worker.terminate();
    refused(failure);
    for (const { reject } of pending.values()) reject(failure);
    pending.clear();
  };
  worker.onmessage = ({ data }: MessageEvent<Told>) => {
    if (data.kind === 'begun') {
      begun(data.backend);
      return whenFree(life, watch.signal, lose);
    }
    const waiting = pending.get(data.id);
    if (data.kind === 'progress') return waiting?.onProgress?.(data.progress);
    pending.delete(data.id);
    if (data.kind === 'done') waiting?.resolve(data.result);
    else waiting?.reject(data.failure);
  };
  const lose = () => {
    if (watch.signal.aborted) return;
    fail(LOST);
    onLost();
  };
  worker.onerror = (event) => {
    event.preventDefault();
    lose();
  };
  post({ kind: 'begin', life, ...(wasm ? { wasm } : {}), ...(threads ? { threads } : {}) });
  const send = (name: CallName, args: readonly unknown[], onProgress?: (progress: Progress) => void) => {
    const id = nextCall++;
    const result = new Promise<unknown>((resolve, reject) => {
      pending.set(id, { resolve, reject, ...(onProgress ? { onProgress } : {}) });
    });
    post({ kind: 'call', id, name, args });
    return { id, result };
  };
  return {
    backend,
    call: (name, args) => send(name, args).result,
    work<Result>(
      name: CallName,
      args: readonly unknown[],
      onProgress: (p: Progress) => void,
      started: (c: Controls) => void,
    ) {
      const { id, result } = send(name, args, onProgress);
      started({ send: (kind) => post({ kind, id }) });
      return result as Promise<Result>;
    },
    end: () => fail({ code: 'stopped', message: 'Stopped.' }),
  };
}

/** A worker that ends without an error (its process was killed) says nothing: the lock that it held becomes free. */
function whenFree(lock: string, signal: AbortSignal, act: () => void): void {
  const { locks } = navigator as Partial<Pick<Navigator, 'locks'>>;
  locks?.request(lock, { signal }, act).catch(() => undefined);
}
