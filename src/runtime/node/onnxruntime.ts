/** ONNX Runtime for Node: sessions, and step loops over two swapped sets of pre-allocated tensors. */
import * as ort from 'onnxruntime-node';
import { messageOf, RgiError } from '../../errors.ts';
import { sizeOf, type Tensor, zeros } from '../../onnx/tensor.ts';
import {
  type Device,
  type Loop,
  NEXT,
  type Runtime,
  type Session,
  type SessionOptions,
  type Tensors,
} from '../runtime.ts';

export interface NodeRuntimeOptions {
  readonly device?: Device;
  /** Threads within an operator; ONNX Runtime's default (the physical cores) if not given. */
  readonly threads?: number;
}

export function nodeRuntime(options: NodeRuntimeOptions = {}): Runtime {
  const device = options.device ?? 'cpu';
  const open = (model: Uint8Array, session: SessionOptions) => openSession(model, device, options.threads, session);
  return {
    device,
    version: ort.env.versions.node ?? ort.env.versions.common,
    session: async (model, sessionOptions = {}) => sessionOf(await open(model, sessionOptions)),
    loop: async (model, state, fixed) => loopOf(await open(model, {}), state, fixed),
    dispose: async () => {},
  };
}

async function openSession(
  model: Uint8Array,
  device: Device,
  threads: number | undefined,
  options: SessionOptions,
): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(model, {
      executionProviders: [device],
      graphOptimizationLevel: options.optimise === 'none' ? 'disabled' : 'all',
      logSeverityLevel: 3,
      ...(threads ? { intraOpNumThreads: threads } : {}),
    });
  } catch (error) {
    throw new RgiError('runtime', `ONNX Runtime refused the graph: ${messageOf(error)}`, {}, { cause: error });
  }
}

function sessionOf(session: ort.InferenceSession): Session {
  return {
    run: async (feeds, wanted) => fromOrt(await runOrt(session, toOrt(feeds), [...(wanted ?? session.outputNames)])),
    dispose: () => session.release(),
  };
}

async function runOrt(
  session: ort.InferenceSession,
  feeds: Record<string, ort.Tensor>,
  fetches: ort.InferenceSession.FetchesType,
) {
  try {
    return await session.run(feeds, fetches);
  } catch (error) {
    throw new RgiError(
      'runtime',
      `ONNX Runtime failed while running the graph: ${messageOf(error)}`,
      {},
      { cause: error },
    );
  }
}

function loopOf(session: ort.InferenceSession, start: Tensors, fixedStart: Tensors): Loop {
  const names = [...start.keys()];
  const fixed = toOrt(fixedStart);
  let current = toOrt(copies(start));
  let spare = toOrt(copies(start));
  const observed = session.outputNames.filter((name) => !name.startsWith(NEXT));
  return {
    async step(feeds) {
      const fetches: Record<string, ort.Tensor | null> = {};
      for (const name of names) fetches[NEXT + name] = spare[name];
      for (const name of observed) fetches[name] = null;
      const results = await runOrt(session, { ...fixed, ...current, ...toOrt(feeds) }, fetches);
      [current, spare] = [spare, current];
      return fromOrt(Object.fromEntries(observed.map((name) => [name, results[name]])));
    },
    async read(wanted = names) {
      return copies(fromOrt(Object.fromEntries(wanted.map((name) => [name, current[name]]))));
    },
    async write(state) {
      for (const [name, tensor] of state) (current[name].data as Float32Array).set(tensor.data as Float32Array);
    },
    async fix(values) {
      Object.assign(fixed, toOrt(values));
    },
    async dispose() {
      await session.release();
    },
  };
}

function copies(tensors: Tensors): Map<string, Tensor> {
  return new Map(
    [...tensors].map(([name, tensor]) => {
      const copy = zeros(tensor.type, tensor.dims);
      (copy.data as Float32Array).set(tensor.data as Float32Array);
      return [name, copy];
    }),
  );
}

function toOrt(tensors: Tensors): Record<string, ort.Tensor> {
  const result: Record<string, ort.Tensor> = {};
  for (const [name, tensor] of tensors) {
    result[name] = new ort.Tensor(tensor.type as 'float32', tensor.data as Float32Array, tensor.dims);
  }
  return result;
}

function fromOrt(tensors: Record<string, ort.Tensor>): Map<string, Tensor> {
  return new Map(
    Object.entries(tensors).map(([name, tensor]) => {
      const data = tensor.data as Float32Array;
      if (data.length !== sizeOf(tensor.dims))
        throw new RgiError('runtime', `ONNX Runtime returned '${name}' in a form that cannot be read.`);
      return [name, { type: tensor.type as Tensor['type'], dims: tensor.dims, data } as Tensor];
    }),
  );
}
