/** ONNX Runtime for Node, in the caller's own thread: sessions, and step loops over two swapped sets of state tensors. */
import type { EncodedModel } from '../../onnx/encode.ts';
import { type TensorType, zeros } from '../../onnx/tensor.ts';
import { runtimeError } from '../messages.ts';
import { type Device, NEXT, type Runtime, type SessionOptions } from '../runtime.ts';
import { type Advance, checkThreads, type Handle, type LoopParts, run, runtimeOn } from '../sessions.ts';
import { modelForOrt, type OrtTensors, toOrt } from '../tensors.ts';
import { deviceRefusal } from './devices.ts';
import { type Ort, onnxRuntime, onnxRuntimeVersion } from './library.ts';
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
  checkThreads(threads);
  return runtimeOn({
    device,
    version: onnxRuntimeVersion(),
    OrtTensor: onnxRuntime().Tensor,
    hidden: STOP,
    openSession: (model, sessionOptions) => openSession(model, device, threads, sessionOptions),
    prepared: device === 'cpu' ? withStop : undefined,
    advanceWith: swapping,
  });
}

async function openSession(
  model: EncodedModel,
  device: Device,
  threads: number | undefined,
  options: SessionOptions,
): Promise<Ort.InferenceSession> {
  const { bytes, beside } = modelForOrt(model);
  try {
    return await onnxRuntime().InferenceSession.create(bytes, {
      ...beside,
      executionProviders: [device],
      graphOptimizationLevel: options.optimise === 'none' ? 'disabled' : 'all',
      logSeverityLevel: 4,
      // The second run would take one block for all inner values, beside what the first has taken of the arena: twice the memory.
      enableMemPattern: false,
      enableCpuMemArena: options.keepsMemory ?? true,
      ...(threads ? { intraOpNumThreads: threads } : {}),
    });
  } catch (error) {
    throw deviceRefusal(device, error) ?? runtimeError('to load the graph', error);
  }
}

/** Two sets of state tensors that are swapped: outputs are written into the spare one. */
function swapping(handle: Handle, { names, observed, stateSet }: LoopParts): Advance {
  let spare = stateSet();
  const allocated = handle.session.outputNames.includes(STOP) ? allocatedOutputs(handle, observed) : undefined;
  return async (feeds) => {
    const current = Object.fromEntries(names.map((name) => [name, feeds[name]]));
    const fetches: Record<string, Ort.Tensor | null> = {};
    for (const name of names) fetches[NEXT + name] = spare[name];
    if (allocated) {
      const results = allocated();
      await into(handle, feeds, { ...fetches, ...results } as OrtTensors);
      const state = spare;
      spare = current;
      return { state, observed: results };
    }
    for (const name of observed) fetches[name] = null;
    const results = await run(handle, feeds, fetches);
    const state = spare;
    spare = current;
    return { state, observed: Object.fromEntries(observed.map((name) => [name, results[name]])) };
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
  return () => toOrt(new Map([...types].map(([name, { type, dims }]) => [name, zeros(type, dims)])), handle.OrtTensor);
}

async function into(handle: Handle, feeds: OrtTensors, targets: OrtTensors): Promise<void> {
  try {
    await runInto(handle.session, feeds, targets);
  } catch (error) {
    throw runtimeError('while running the graph', error);
  }
}
