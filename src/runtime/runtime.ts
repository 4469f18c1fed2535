/**
 * The small interface behind which ONNX Runtime stands. Implementations: `runtime/node` (CPU, WebGPU, CUDA, CoreML,
 * DirectML) and its worker-thread form; the browser's comes with the studio. Nothing else imports ONNX Runtime.
 */
import type { EncodedModel } from '../onnx/encode.ts';
import type { DeclaredType, Evaluate, Graph } from '../onnx/graph.ts';
import type { Tensor } from '../onnx/tensor.ts';

/** Where graphs are computed. */
export type Device = 'cpu' | 'webgpu' | 'cuda' | 'coreml' | 'dml';

/** All devices by name; which of them can be used here, `probeDevices` of `rgi/node` tells. */
export const DEVICES: readonly Device[] = ['cpu', 'webgpu', 'cuda', 'coreml', 'dml'];

/** How a session is opened. */
export interface SessionOptions {
  /** 'none' keeps every node as written: used where every intermediate value is an output. */
  readonly optimise?: 'all' | 'none';
  /** Is the memory of inner values held for later ones (default), or given back at once (Node's CPU)? That takes less. */
  readonly keepsMemory?: boolean;
}

/** Tensors by the names of the graph's values. */
export type Tensors = ReadonlyMap<string, Tensor>;

/** ONNX Runtime on one device. */
export interface Runtime {
  /** The device that it computes on. */
  readonly device: Device;
  /** ONNX Runtime's version. */
  readonly version: string;
  /**
   * Opens a model given as the bytes of an ONNX file, or split (`splitModel`). Throws `RgiError('runtime')` where ONNX Runtime refuses it,
   * `RgiError('device')` where the device is not available.
   */
  session(model: EncodedModel, options?: SessionOptions): Promise<Session>;
  /**
   * A graph that maps a state to the next one: output `next/NAME` feeds input `NAME` of the following step. The state
   * lives in two sets of pre-allocated tensors that are swapped, so a step copies nothing. Of `state` are the start
   * values, of `fixed` the inputs that never change; every other input is given at each step.
   */
  loop(model: EncodedModel, state: Tensors, fixed: Tensors, options?: SessionOptions): Promise<Loop>;
  /** Ends it, with the thread of its own if it has one. */
  dispose(): Promise<void>;
}

/** An opened model. */
export interface Session {
  /** Feeds every input; returns the wanted outputs (all if not given). */
  run(feeds: Tensors, wanted?: readonly string[]): Promise<Map<string, Tensor>>;
  /** What is known of the outputs that are tensors before they are computed; [] is a scalar or a shape that is not known. */
  outputs(): Promise<ReadonlyMap<string, DeclaredType>>;
  /** Frees its memory; it cannot be used afterwards. */
  dispose(): Promise<void>;
}

/** A graph that is run again and again on its own results. */
export interface Loop {
  /** One step; returns the observed (non-state) outputs. */
  step(feeds: Tensors): Promise<Map<string, Tensor>>;
  /** Copies of the state's current values. */
  read(names?: readonly string[]): Promise<Map<string, Tensor>>;
  /** Overwrites state values (same shapes). */
  write(state: Tensors): Promise<void>;
  /** Replaces fixed inputs. */
  fix(fixed: Tensors): Promise<void>;
  /** Frees its memory; it cannot be used afterwards. */
  dispose(): Promise<void>;
}

/** Prefix of the outputs that carry the next state. */
export const NEXT = 'next/';

/** Evaluates graphs once each on a runtime; `encode` is `splitModel` or `encodeModel`, which can make any value an output. */
export function evaluatorOf(
  runtime: Runtime,
  encode: (graph: Graph, metadata: undefined, wanted: readonly string[]) => EncodedModel,
): Evaluate {
  const opened = async <T>(graph: Graph, wanted: readonly string[], use: (session: Session) => Promise<T>) => {
    const session = await runtime.session(encode(graph, undefined, wanted), { optimise: 'none' });
    try {
      return await use(session);
    } finally {
      await session.dispose();
    }
  };
  const evaluate = (graph: Graph, feeds: Tensors, wanted: readonly string[]) =>
    opened(graph, wanted, (session) => session.run(feeds, wanted));
  const infer = (graph: Graph, values: readonly string[]) =>
    opened(graph, values, async (session) => new Map(await session.outputs()));
  return Object.assign(evaluate, { infer });
}
