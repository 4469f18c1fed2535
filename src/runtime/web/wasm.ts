/** The runtime of a browser: onnxruntime-web on WebAssembly, in the caller's own thread, which should be a worker's. */
import * as ort from 'onnxruntime-web/wasm';
import { messageOf, RgiError } from '../../errors.ts';
import { sizeOf, type Tensor } from '../../onnx/tensor.ts';
import { type Loop, NEXT, type Runtime, type Session, type SessionOptions, type Tensors } from '../runtime.ts';

/** Where the two files of onnxruntime-web lie, and how many threads compute. */
export interface WasmRuntimeOptions {
  /** Addresses of `ort-wasm-simd-threaded.mjs` and `ort-wasm-simd-threaded.wasm`. */
  readonly files: { readonly mjs: string; readonly wasm: string };
  /** More than one needs a page that is cross-origin isolated. */
  readonly threads: number;
}

/** Threads and files are of the whole thread: the first runtime decides them. */
export function wasmRuntime({ files, threads }: WasmRuntimeOptions): Runtime {
  ort.env.wasm.wasmPaths = { ...files };
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = 'error';
  const opened = new Set<ort.InferenceSession>();
  const open = async (model: Uint8Array, { optimise }: SessionOptions = {}) => {
    try {
      const session = await ort.InferenceSession.create(model, {
        executionProviders: ['wasm'],
        graphOptimizationLevel: optimise === 'none' ? 'disabled' : 'all',
        logSeverityLevel: 4,
      });
      opened.add(session);
      return session;
    } catch (error) {
      throw refusal('to load the graph', error);
    }
  };
  const close = async (session: ort.InferenceSession) => {
    if (opened.delete(session)) await session.release();
  };
  return {
    device: 'cpu',
    version: ort.env.versions.web ?? '',
    async session(model, options): Promise<Session> {
      const session = await open(model, options);
      return {
        run: (feeds, wanted) => run(session, feeds, wanted ?? session.outputNames),
        dispose: () => close(session),
      };
    },
    async loop(model, state, fixed) {
      const session = await open(model);
      return loopOf(session, state, fixed, () => close(session));
    },
    async dispose() {
      for (const session of [...opened]) await close(session);
    },
  };
}

// One session runs at a time, whoever asks.
let last: Promise<unknown> = Promise.resolve();

function run(session: ort.InferenceSession, feeds: Tensors, wanted: readonly string[]): Promise<Map<string, Tensor>> {
  const result = last.then(async () => {
    const given: Record<string, ort.Tensor> = {};
    for (const [name, { type, data, dims }] of feeds) {
      given[name] = new ort.Tensor(type as 'float32', data as Float32Array, dims);
    }
    try {
      // Fresh outputs: onnxruntime-web ignores those that are given on the CPU, and leaves zeros in them.
      const made = await session.run(given, [...wanted]);
      return new Map(wanted.map((name) => [name, ours(name, made[name])]));
    } catch (error) {
      throw refusal('while running the graph', error);
    }
  });
  last = result.catch(() => {});
  return result;
}

function ours(name: string, { type, dims, data }: ort.Tensor): Tensor {
  if (!dims || !ArrayBuffer.isView(data)) {
    throw new RgiError('runtime', `The graph's output '${name}' is not a tensor of numbers.`, { tensor: name });
  }
  const values = data as Float32Array | Uint16Array;
  // Where the browser has Float16Array, onnxruntime-web returns that; ours carries the bits.
  const own =
    type === 'float16' && !(values instanceof Uint16Array)
      ? new Uint16Array(values.buffer, values.byteOffset, values.length)
      : values;
  if (own.length !== sizeOf(dims)) {
    throw new RgiError('runtime', `ONNX Runtime returned '${name}' in a form that cannot be read.`, { tensor: name });
  }
  return { type, dims, data: own } as Tensor;
}

function loopOf(session: ort.InferenceSession, start: Tensors, fixedStart: Tensors, dispose: Loop['dispose']): Loop {
  const names = [...start.keys()];
  const copy = ({ data, ...rest }: Tensor): Tensor => ({ ...rest, data: data.slice() }) as Tensor;
  let state = new Map([...start].map(([name, tensor]) => [name, copy(tensor)]));
  const fixed = new Map(fixedStart);
  return {
    async step(feeds) {
      const made = await run(session, new Map([...fixed, ...feeds, ...state]), session.outputNames);
      state = new Map(names.map((name) => [name, made.get(NEXT + name)!]));
      return new Map([...made].filter(([name]) => !name.startsWith(NEXT)));
    },
    read: async (wanted = names) => new Map(wanted.map((name) => [name, copy(state.get(name)!)])),
    async write(values) {
      for (const [name, tensor] of values) state.set(name, copy(tensor));
    },
    async fix(values) {
      for (const [name, tensor] of values) fixed.set(name, tensor);
    },
    dispose,
  };
}

function refusal(when: string, error: unknown): RgiError {
  return new RgiError('runtime', `ONNX Runtime failed ${when}: ${messageOf(error)}`, {}, { cause: error });
}
