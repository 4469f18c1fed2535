/** The studio's worker: answers the page's calls one after the other, with the library. */
import { exportDetector } from '../../detect/export/detector-file.ts';
import { RgiError } from '../../errors.ts';
import { webRuntime } from '../../runtime/web/index.ts';
import type {
  EngineFailure,
  InspectRequest,
  NamedBytes,
  Picture,
  RestoreProgress,
  RestoreRequest,
  TrainRequest,
  WorkProgress,
} from '../engine.ts';
import { type Asked, buffersOf, type CallName, type Told } from '../messages.ts';
import { drawLatents, projectPicture, samplePictures } from './exploring.ts';
import { createGate, type Gate } from './gate.ts';
import { inspectPicture } from './inspecting.ts';
import { latentsFile } from './latents.ts';
import { createModels, type Models } from './models.ts';
import { prepareSearch } from './preparing.ts';
import { restorePicture } from './restoring.ts';
import { trainModel } from './training.ts';

/** What a worker is to its own code. */
interface WorkerScope {
  onmessage: ((event: { readonly data: Asked }) => void) | null;
  postMessage(message: Told, transfer?: ArrayBuffer[]): void;
}

const scope = globalThis as unknown as WorkerScope;
const gates = new Map<number, Gate>();
let calls: Promise<Calls> | undefined;
let last: Promise<unknown> = Promise.resolve();
/** Of what is done while nobody waits. */
let preparing = new AbortController();

scope.onmessage = ({ data }) => {
  if (data.kind === 'begin') begin(data);
  else if (data.kind === 'call') {
    preparing.abort();
    gates.set(data.id, createGate());
    last = last.then(() => answer(data.id, data.name, data.args));
  } else gates.get(data.id)?.[data.kind]();
};

function begin({ wasm, threads, life }: Extract<Asked, { kind: 'begin' }>): void {
  const opening = webRuntime({ ...(wasm ? { wasmPaths: wasm } : {}), ...(threads ? { threads } : {}) });
  calls = Promise.all([opening, holdLock(life)]).then(([runtime]) => {
    scope.postMessage({
      kind: 'begun',
      backend: { device: 'wasm', threads: runtime.threads, note: runtime.note },
    });
    return callsOn(runtime);
  });
  calls.catch(() => undefined);
}

/** Resolves when it is held; it is let go when the worker ends. Pages that are not secure contexts have no locks. */
function holdLock(name: string): Promise<void> {
  const { locks } = navigator as Partial<Pick<Navigator, 'locks'>>;
  if (!locks) return Promise.resolve();
  return new Promise((resolve) => {
    void locks.request(name, () => {
      resolve();
      return new Promise(() => undefined);
    });
  });
}

async function answer(id: number, name: CallName, args: readonly unknown[]): Promise<void> {
  const gate = gates.get(id)!;
  try {
    await gate.pass();
    const result = await (await calls!)[name](args, gate, (progress) => {
      scope.postMessage({ kind: 'progress', id, progress }, buffersOf(progress));
    });
    // A model's files stay in the worker, too.
    scope.postMessage({ kind: 'done', id, result }, name === 'train' ? [] : buffersOf(result));
  } catch (error) {
    scope.postMessage({ kind: 'failed', id, failure: failureOf(error) });
  } finally {
    gates.delete(id);
  }
}

/** Once the present call is answered, if no other waits. What fails then fails again, in words, where it is asked for. */
function afterwards(work: (signal: AbortSignal) => Promise<void>): void {
  setTimeout(() => {
    last = last.then(async () => {
      if (gates.size > 0) return;
      preparing = new AbortController();
      await work(preparing.signal).catch(() => undefined);
    });
  });
}

function failureOf(error: unknown): EngineFailure {
  if (error instanceof RgiError)
    return { code: error.code, message: error.message, ...(error.details ? { details: error.details } : {}) };
  const failure = error as Partial<EngineFailure>;
  if (failure?.code === 'stopped') return failure as EngineFailure;
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'runtime', message: `The computation failed: ${message}` };
}

type Calls = Record<
  CallName,
  (args: readonly unknown[], gate: Gate, tell: (progress: RestoreProgress | WorkProgress) => void) => Promise<unknown>
>;

function callsOn(runtime: Awaited<ReturnType<typeof webRuntime>>): Calls {
  const models: Models = createModels(runtime);
  let results = 0;
  const policyOf = (model: string, name: string) => models.get(model).policies.get(name)!;
  return {
    async open([files]) {
      const opened = await models.open(files as NamedBytes[]);
      afterwards((signal) => prepareSearch(models.get(opened.id), runtime, signal));
      return opened;
    },
    close: ([model]) => models.close(model as string),
    restore: ([request], gate, tell) => {
      const wanted = request as RestoreRequest;
      return restorePicture(`result ${++results}`, models.get(wanted.model), wanted, { runtime, gate, tell });
    },
    train: ([request], gate, tell) => trainModel(request as TrainRequest, { runtime, models, gate, tell }),
    inspect: async ([request]) => {
      const { model, policy, picture } = request as InspectRequest;
      const inspector = await models.inspector(model, policy);
      return inspectPicture(picture, models.get(model).opened.generator, policyOf(model, policy), inspector);
    },
    sample: ([model, latents]) => samplePictures(models.get(model as string), latents as Float32Array[]),
    draw: ([model, count, seed]) => drawLatents(models.get(model as string), count as number, seed as number),
    project: ([model, picture]) => projectPicture(models.get(model as string), picture as Picture, runtime),
    latentsFile: async ([model, latents]) =>
      latentsFile(models.get(model as string).opened.generator, latents as Float32Array),
    exportDetector: async ([model, policy]) => {
      const { opened, encoder, features } = models.get(model as string);
      // Throws where the model has no such policy.
      await models.inspector(model as string, policy as string);
      const options = {
        generator: opened.generator,
        encoder,
        features,
        policy: policyOf(model as string, policy as string),
      };
      return { name: 'detector.onnx', bytes: await exportDetector({ ...options, input: 'uint8' }, runtime) };
    },
  };
}
