/** Sessions and step loops over a session of ONNX Runtime, whichever package it is of. */
import { RgiError } from '../errors.ts';
import type { EncodedModel } from '../onnx/encode.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { runtimeError } from './messages.ts';
import { type Loop, NEXT, type Runtime, type Session, type SessionOptions, type Tensors } from './runtime.ts';
import {
  checkComplete,
  checkOutputs,
  checkTensor,
  copyOf,
  dataOf,
  declared,
  declaredTypes,
  fromOrt,
  type Ort,
  type OrtTensorClass,
  type OrtTensors,
  overwrite,
  toOrt,
} from './tensors.ts';

/** Runs jobs one after the other. */
export type Queue = <T>(job: () => Promise<T> | T) => Promise<T>;

export function createQueue(): Queue {
  let last: Promise<unknown> = Promise.resolve();
  return (job) => {
    const result = last.then(job);
    last = result.catch(() => {});
    return result;
  };
}

/** An open session with its declared values; calls run one after the other, and fail once it is disposed. */
export interface Handle {
  readonly session: Ort.InferenceSession;
  readonly OrtTensor: OrtTensorClass;
  readonly inputs: ReturnType<typeof declared>;
  readonly outputs: ReturnType<typeof declared>;
  inTurn<T>(job: () => Promise<T> | T): Promise<T>;
  dispose(): Promise<void>;
}

interface HandleOptions {
  readonly OrtTensor: OrtTensorClass;
  /** An output that is not of the graph. */
  readonly hidden?: string;
  /** What its calls wait in; default: a queue of its own. */
  readonly queue?: Queue;
  readonly onDispose: () => void;
}

function handleOf(session: Ort.InferenceSession, options: HandleOptions): Handle {
  const { OrtTensor, hidden, queue = createQueue(), onDispose } = options;
  let disposed = false;
  return {
    session,
    OrtTensor,
    inputs: declared(session.inputMetadata),
    outputs: declared(session.outputMetadata.filter(({ name }) => name !== hidden)),
    inTurn(job) {
      if (disposed) return Promise.reject(new RgiError('runtime', 'The session was disposed; open another.'));
      return queue(job);
    },
    async dispose() {
      if (disposed) return;
      disposed = true;
      onDispose();
      await queue(() => session.release());
    },
  };
}

/** What a package adds to the runtime that stands on it. */
export interface Package
  extends Pick<Runtime, 'device' | 'version'>,
    Pick<HandleOptions, 'OrtTensor' | 'hidden' | 'queue'> {
  openSession(model: EncodedModel, options: SessionOptions): Promise<Ort.InferenceSession>;
  /** The graph that is stepped; default: as it is. */
  prepared?(model: EncodedModel): EncodedModel;
  /** Makes the step of a loop. */
  advanceWith(handle: Handle, parts: LoopParts): Advance;
}

/** A runtime on a package: it ends its sessions with itself. */
export function runtimeOn({ device, version, openSession, prepared, advanceWith, ...options }: Package): Runtime {
  const opened = new Set<Handle>();
  let disposed = false;
  const open = async (model: EncodedModel, sessionOptions: SessionOptions) => {
    if (disposed) throw new RgiError('runtime', 'The runtime was disposed; create another.');
    const session = await openSession(model, sessionOptions);
    const handle = handleOf(session, { ...options, onDispose: () => opened.delete(handle) });
    opened.add(handle);
    return handle;
  };
  return {
    device,
    version,
    session: async (model, sessionOptions = {}) => sessionOf(await open(model, sessionOptions)),
    loop: async (model, state, fixed, loopOptions = {}) => {
      const handle = await open(prepared?.(model) ?? model, loopOptions);
      try {
        return loopOf(handle, state, fixed, (parts) => advanceWith(handle, parts));
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

/** Throws `usage` for a number of threads that is none. */
export function checkThreads(threads: number | undefined): void {
  if (threads === undefined || (Number.isInteger(threads) && threads > 0)) return;
  throw new RgiError('usage', `The number of threads must be a whole number from 1 on, not ${threads}.`);
}

function sessionOf(handle: Handle): Session {
  return {
    run: (feeds, wanted) =>
      handle.inTurn(async () => {
        for (const [name, tensor] of feeds) checkTensor(handle.inputs, name, tensor, 'input');
        checkComplete(handle.inputs, feeds);
        if (wanted) checkOutputs(handle.outputs, wanted);
        return fromOrt(await run(handle, toOrt(feeds, handle.OrtTensor), [...(wanted ?? handle.outputs.keys())]));
      }),
    outputs: async () => declaredTypes(handle.outputs),
    dispose: handle.dispose,
  };
}

export async function run(
  handle: Handle,
  feeds: OrtTensors,
  fetches: Ort.InferenceSession.FetchesType,
): Promise<OrtTensors> {
  try {
    return (await handle.session.run(feeds, fetches)) as OrtTensors;
  } catch (error) {
    throw runtimeError('while running the graph', error);
  }
}

/** One step, given all inputs with the current state among them: where the next state comes to lie is the package's affair. */
export type Advance = (feeds: OrtTensors) => Promise<Advanced>;

export interface Advanced {
  /** The next state, by the names of its inputs. */
  readonly state: OrtTensors;
  readonly observed: OrtTensors;
}

/** What a loop is made of, besides its session. */
export interface LoopParts {
  /** Names of the states, and of the outputs that are none. */
  readonly names: readonly string[];
  readonly observed: readonly string[];
  /** A set of state tensors with the values that it starts from. */
  stateSet(): OrtTensors;
}

/** @param advanceWith Makes the step of this package. */
function loopOf(handle: Handle, start: Tensors, fixedStart: Tensors, advanceWith: (parts: LoopParts) => Advance): Loop {
  const names = [...start.keys()];
  checkLoop(handle, start, fixedStart);
  const ort = (tensors: Tensors) => toOrt(tensors, handle.OrtTensor);
  const fixed = ort(fixedStart);
  const stateSet = () => ort(new Map([...start].map(([name, tensor]) => [name, copyOf(tensor)])));
  let current = stateSet();
  const observed = [...handle.outputs.keys()].filter((name) => !name.startsWith(NEXT));
  const advance = advanceWith({ names, observed, stateSet });
  const held = { has: (name: string) => start.has(name) || name in fixed };
  return {
    step: (feeds) =>
      handle.inTurn(async () => {
        for (const [name, tensor] of feeds) {
          checkTensor(handle.inputs, name, tensor, 'input');
          if (start.has(name)) throw new RgiError('runtime', `'${name}' is a state: overwrite it with write().`);
        }
        checkComplete(handle.inputs, held, feeds);
        const next = await advance({ ...fixed, ...ort(feeds), ...current });
        current = next.state;
        return fromOrt(next.observed);
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
        for (const [name, tensor] of state) overwrite(dataOf(current[name]), tensor);
      }),
    fix: (values) =>
      handle.inTurn(() => {
        for (const [name, tensor] of values) checkTensor(handle.inputs, name, tensor, 'fixed input');
        Object.assign(fixed, ort(values));
      }),
    dispose: handle.dispose,
  };
}

function checkLoop(handle: Handle, start: Tensors, fixed: Tensors): void {
  checkOutputs(
    handle.outputs,
    [...start.keys()].map((name) => NEXT + name),
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
  for (const [name, tensor] of fixed) checkTensor(handle.inputs, name, tensor, 'fixed input');
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
