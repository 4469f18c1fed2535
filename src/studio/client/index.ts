/** The engine as the page has it: calls that a worker answers. A worker that dies is replaced at the next call. */
import type { Backend, Engine, EngineFailure, NamedBytes, OpenedModel, TrainResult, Work } from '../engine.ts';
import type { Answer, CallName, Request } from '../protocol.ts';

interface Waiting {
  resolve(result: unknown): void;
  reject(failure: EngineFailure): void;
  progress?(progress: never): void;
}

const LOST: EngineFailure = { code: 'lost', message: 'The engine ended unexpectedly, perhaps for lack of memory.' };

export function createEngine(): Engine {
  let worker: Worker | undefined;
  let nextId = 1;
  let nextModel = 1;
  const waiting = new Map<number, Waiting>();
  // The page keeps the ids that it was given first; a new worker knows the models by others.
  const models = new Map<string, { readonly files: readonly NamedBytes[]; current?: Promise<string> }>();

  const lose = () => {
    worker?.terminate();
    worker = undefined;
    for (const model of models.values()) model.current = undefined;
    for (const { reject } of waiting.values()) reject(LOST);
    waiting.clear();
  };
  const running = () => {
    if (worker) return worker;
    worker = new Worker(new URL('../worker/main.ts', import.meta.url), { type: 'module', name: 'rgi studio engine' });
    worker.addEventListener('error', lose);
    worker.addEventListener('message', ({ data }: MessageEvent<Answer>) => {
      const call = waiting.get(data.id);
      if (!call) return;
      if ('progress' in data) return call.progress?.(data.progress as never);
      waiting.delete(data.id);
      if ('failure' in data) call.reject(data.failure);
      else call.resolve(data.result);
    });
    return worker;
  };
  const send = (request: Request) => running().postMessage(request);
  const ask = <T>(call: CallName, args: readonly unknown[], progress?: Waiting['progress'], id = nextId++) =>
    new Promise<T>((resolve, reject) => {
      waiting.set(id, { resolve: resolve as Waiting['resolve'], reject, progress });
      send({ id, call, args });
    });

  const adopt = (model: OpenedModel, files: readonly NamedBytes[]): OpenedModel => {
    const id = `model ${nextModel++}`;
    models.set(id, { files, current: Promise.resolve(model.id) });
    return { ...model, id };
  };
  /** The id by which the worker that is running now knows a model: opened again where it does not. */
  const current = (model: string): Promise<string> => {
    const known = models.get(model);
    if (!known) return Promise.resolve(model);
    known.current ??= ask<OpenedModel>('open', [known.files]).then(({ id }) => id);
    return known.current;
  };
  const work = <Result>(
    call: CallName,
    request: { readonly model?: string },
    onProgress: (progress: never) => void,
  ): Work<Result> => {
    const id = nextId++;
    const { model } = request;
    const begun =
      model === undefined ? Promise.resolve(request) : current(model).then((own) => ({ ...request, model: own }));
    const result = begun.then((own) => ask<Result>(call, [own], onProgress, id));
    const control = (action: 'pause' | 'resume' | 'stop') => () => send({ id, control: action });
    return { result, pause: control('pause'), resume: control('resume'), stop: control('stop') };
  };

  return {
    backend: ask<Backend>('start', []),
    async open(files) {
      return adopt(await ask<OpenedModel>('open', [files]), files);
    },
    async close(model) {
      const id = await current(model);
      models.delete(model);
      await ask('close', [id]);
    },
    restore: (request, onProgress) => work('restore', request, onProgress),
    train(request, onProgress) {
      const { result, ...controls } = work<TrainResult>('train', request as { readonly model?: string }, onProgress);
      const named = result.then((trained) => ({ ...trained, model: adopt(trained.model, trained.files) }));
      return { ...controls, result: named };
    },
    inspect: async (request) => ask('inspect', [{ ...request, model: await current(request.model) }]),
    sample: async (model, latents) => ask('sample', [await current(model), latents]),
    draw: async (model, count, seed) => ask('draw', [await current(model), count, seed]),
    project: async (model, picture) => ask('project', [await current(model), picture]),
    exportDetector: async (model, policy) => ask('exportDetector', [await current(model), policy]),
    dispose: lose,
  };
}
