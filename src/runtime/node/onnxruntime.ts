/** ONNX Runtime for Node, in the caller's own thread: sessions, and step loops over two swapped sets of state tensors. */
import { RgiError } from '../../errors.ts';
import { type Tensor, type TensorType, zeros } from '../../onnx/tensor.ts';
import {
  type Device,
  type Loop,
  NEXT,
  type Runtime,
  type Session,
  type SessionOptions,
  type Tensors,
} from '../runtime.ts';
import { deviceRefusal } from './devices.ts';
import { type Ort, onnxRuntime, onnxRuntimeVersion, runtimeError } from './library.ts';
import {
  checkComplete,
  checkOutputs,
  checkTensor,
  copyOf,
  declared,
  fromOrt,
  type OrtTensors,
  overwrite,
  toOrt,
} from './tensors.ts';
import { runInto, STOP, withStop } from './uncopied.ts';

/** What `nodeRuntime` is given; every field has a default. */
export interface NodeRuntimeOptions {
  /** Default 'cpu'. It is not tried beforehand: `createRuntime` does that. */
  readonly device?: Device;
  /** Threads within an operator; ONNX Runtime's default (the physical cores) if not given. */
  readonly threads?: number;
}

/**
 * A runtime whose `run` and `step` block the caller's event loop while they compute (`workerRuntime` does not).
 * The device is not probed here (`createRuntime` does): one that is not available is refused when the first session opens.
 * Throws `device` where ONNX Runtime cannot be loaded, or its telemetry not be turned off: in a worker thread of the caller's that
 * has an environment of its own (start it with `env: SHARE_ENV`).
 */
export function nodeRuntime(options: NodeRuntimeOptions = {}): Runtime {
  const { device = 'cpu', threads } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads > 0)) {
    throw new RgiError('usage', `The number of threads must be a whole number from 1 on, not ${threads}.`);
  }
  const version = onnxRuntimeVersion();
  const opened = new Set<Handle>();
  let disposed = false;
  const open = async (model: Uint8Array, sessionOptions: SessionOptions) => {
    if (disposed) throw new RgiError('runtime', 'The runtime was disposed; create another.');
    const session = await openSession(model, device, threads, sessionOptions);
    const handle = handleOf(session, () => opened.delete(handle));
    opened.add(handle);
    return handle;
  };
  return {
    device,
    version,
    session: async (model, sessionOptions = {}) => sessionOf(await open(model, sessionOptions)),
    loop: async (model, state, fixed) => {
      const handle = await open(device === 'cpu' ? withStop(model) : model, {});
      try {
        return loopOf(handle, state, fixed);
      } catch (error) {
        await handle.dispose();
        throw error;
      }
    },
    async dispose() {
      disposed = true;
      for (const handle of [...opened]) await handle.dispose();
    },
  };
}

async function openSession(
  model: Uint8Array,
  device: Device,
  threads: number | undefined,
  options: SessionOptions,
): Promise<Ort.InferenceSession> {
  try {
    return await onnxRuntime().InferenceSession.create(model, {
      executionProviders: [device],
      graphOptimizationLevel: options.optimise === 'none' ? 'disabled' : 'all',
      logSeverityLevel: 4,
      ...(threads ? { intraOpNumThreads: threads } : {}),
    });
  } catch (error) {
    throw deviceRefusal(device, error) ?? runtimeError('to load the graph', error);
  }
}

/** An open session with its declared values; calls run one after the other, and fail once it is disposed. */
interface Handle {
  readonly session: Ort.InferenceSession;
  readonly inputs: ReturnType<typeof declared>;
  readonly outputs: ReturnType<typeof declared>;
  inTurn<T>(job: () => Promise<T> | T): Promise<T>;
  dispose(): Promise<void>;
}

function handleOf(session: Ort.InferenceSession, onDispose: () => void): Handle {
  let last: Promise<unknown> = Promise.resolve();
  let disposed = false;
  const after = <T>(job: () => Promise<T> | T): Promise<T> => {
    const result = last.then(job);
    last = result.catch(() => {});
    return result;
  };
  return {
    session,
    inputs: declared(session.inputMetadata),
    outputs: declared(session.outputMetadata.filter(({ name }) => name !== STOP)),
    inTurn(job) {
      if (disposed) return Promise.reject(new RgiError('runtime', 'The session was disposed; open another.'));
      return after(job);
    },
    async dispose() {
      if (disposed) return;
      disposed = true;
      onDispose();
      await after(() => session.release());
    },
  };
}

function sessionOf(handle: Handle): Session {
  return {
    run: (feeds, wanted) =>
      handle.inTurn(async () => {
        for (const [name, tensor] of feeds) checkTensor(handle.inputs, name, tensor, 'input');
        checkComplete(handle.inputs, feeds);
        if (wanted) checkOutputs(handle.outputs, wanted);
        return fromOrt(await run(handle, toOrt(feeds), [...(wanted ?? handle.outputs.keys())]));
      }),
    dispose: handle.dispose,
  };
}

async function run(handle: Handle, feeds: OrtTensors, fetches: Ort.InferenceSession.FetchesType): Promise<OrtTensors> {
  try {
    return (await handle.session.run(feeds, fetches)) as OrtTensors;
  } catch (error) {
    throw runtimeError('while running the graph', error);
  }
}

function loopOf(handle: Handle, start: Tensors, fixedStart: Tensors): Loop {
  const names = [...start.keys()];
  checkOutputs(
    handle.outputs,
    names.map((name) => NEXT + name),
  );
  for (const [name, tensor] of start) {
    checkTensor(handle.inputs, name, tensor, 'state');
    checkTensor(new Map([[name, handle.outputs.get(NEXT + name)!]]), name, tensor, 'state');
  }
  for (const output of handle.outputs.keys()) {
    if (!output.startsWith(NEXT) || start.has(output.slice(NEXT.length))) continue;
    throw new RgiError('runtime', `The graph makes '${output}', but the loop was given no such state to start from.`, {
      tensor: output,
    });
  }
  for (const [name, tensor] of fixedStart) checkTensor(handle.inputs, name, tensor, 'fixed input');

  const fixed = toOrt(fixedStart);
  const stateSet = () => toOrt(new Map([...start].map(([name, tensor]) => [name, copyOf(tensor)])));
  let current = stateSet();
  let spare = stateSet();
  const observed = [...handle.outputs.keys()].filter((name) => !name.startsWith(NEXT));
  const allocated = handle.session.outputNames.includes(STOP) ? allocatedOutputs(handle, observed) : undefined;
  const held = { has: (name: string) => start.has(name) || name in fixed };
  return {
    step: (feeds) =>
      handle.inTurn(async () => {
        for (const [name, tensor] of feeds) {
          checkTensor(handle.inputs, name, tensor, 'input');
          if (start.has(name)) throw new RgiError('runtime', `'${name}' is a state: overwrite it with write().`);
        }
        checkComplete(handle.inputs, held, feeds);
        const fetches: Record<string, Ort.Tensor | null> = {};
        for (const name of names) fetches[NEXT + name] = spare[name];
        if (allocated) {
          const results = allocated();
          await into(handle, { ...fixed, ...toOrt(feeds), ...current }, { ...fetches, ...results } as OrtTensors);
          [current, spare] = [spare, current];
          return fromOrt(results);
        }
        for (const name of observed) fetches[name] = null;
        const results = await run(handle, { ...fixed, ...toOrt(feeds), ...current }, fetches);
        [current, spare] = [spare, current];
        return fromOrt(Object.fromEntries(observed.map((name) => [name, results[name]])));
      }),
    read: (wanted = names) =>
      handle.inTurn(() => {
        const copies = new Map<string, Tensor>();
        for (const name of wanted) {
          checkState(start, name);
          for (const tensor of fromOrt({ [name]: current[name] }).values()) copies.set(name, copyOf(tensor));
        }
        return copies;
      }),
    write: (state) =>
      handle.inTurn(() => {
        for (const [name, tensor] of state) {
          checkState(start, name);
          checkSame(start.get(name)!, name, tensor);
        }
        for (const [name, tensor] of state) overwrite(current[name].data as Float32Array, tensor);
      }),
    fix: (values) =>
      handle.inTurn(() => {
        for (const [name, tensor] of values) checkTensor(handle.inputs, name, tensor, 'fixed input');
        Object.assign(fixed, toOrt(values));
      }),
    dispose: handle.dispose,
  };
}

/** Makes arrays for outputs of static shape; undefined where one has none. */
function allocatedOutputs(handle: Handle, names: readonly string[]): (() => OrtTensors) | undefined {
  const types = new Map<string, TensorType>();
  for (const name of names) {
    const output = handle.outputs.get(name)!;
    if (!output.isTensor || !output.shape.every((d) => typeof d === 'number')) return undefined;
    types.set(name, { type: output.type as TensorType['type'], dims: output.shape as readonly number[] });
  }
  return () => toOrt(new Map([...types].map(([name, { type, dims }]) => [name, zeros(type, dims)])));
}

async function into(handle: Handle, feeds: OrtTensors, targets: OrtTensors): Promise<void> {
  try {
    await runInto(handle.session, feeds, targets);
  } catch (error) {
    throw runtimeError('while running the graph', error);
  }
}

function checkState(state: Tensors, name: string): void {
  if (state.has(name)) return;
  const known = [...state.keys()].map((known) => `'${known}'`).join(', ');
  throw new RgiError('runtime', `The loop has no state '${name}'; its states are ${known}.`, { tensor: name });
}

function checkSame(expected: Tensor, name: string, tensor: Tensor): void {
  if (tensor.type === expected.type && tensor.dims.join() === expected.dims.join()) return;
  throw new RgiError(
    'runtime',
    `The state '${name}' is ${expected.type} [${expected.dims.join(', ')}]; it cannot be overwritten by ${tensor.type} [${tensor.dims.join(', ')}].`,
    { tensor: name },
  );
}
