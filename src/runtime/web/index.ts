/**
 * ONNX Runtime for browsers: the same `Runtime` as in Node, on WebAssembly, with as many threads as the page may have. It computes in the
 * thread that opens it, so a page opens it in a worker.
 */
import * as ort from 'onnxruntime-web/wasm';
import { RgiError } from '../../errors.ts';
import type { EncodedModel } from '../../onnx/encode.ts';
import { runtimeError } from '../messages.ts';
import { NEXT, type Runtime, type SessionOptions } from '../runtime.ts';
import { type Advance, checkThreads, createQueue, type Handle, type LoopParts, run, runtimeOn } from '../sessions.ts';
import { modelForOrt } from '../tensors.ts';

/** What `webRuntime` is given; every field has a default. */
export interface WebRuntimeOptions {
  /**
   * Addresses of the two files of onnxruntime-web, or of the folder where they lie; default: beside the script. With Vite, import
   * them with `?url`: its fallback page is no WebAssembly.
   */
  readonly wasmPaths?: string | { readonly wasm: string; readonly mjs: string };
  /** Threads; default: one for each core, up to 4, where the page is isolated from other origins, else 1. */
  readonly threads?: number;
}

/** A runtime in a browser, and where it computes. */
export interface WebRuntime extends Runtime {
  /** Threads that it computes with. */
  readonly threads: number;
  /** Why not with more threads: one sentence; '' where nothing is missing. */
  readonly note: string;
}

/** More threads than this wait for each other longer than they help. */
const MAX_THREADS = 4;

/**
 * Opens it. Memory that WebAssembly has taken is given back when its thread ends: end the worker. Only one runtime at a time should compute in a
 * thread: the package runs one session at a time. Throws `device` where the browser has no WebAssembly, `usage` for a wrong number of threads.
 *
 * @example
 * ```ts
 * // In a module worker of a Vite app.
 * import { openGenerator, readModel, restoreImages, rgi, webRuntime } from 'rgi/web';
 * import mjs from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
 * import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
 *
 * const runtime = await webRuntime({ wasmPaths: { mjs, wasm } });
 * const bytes = new Uint8Array(await (await fetch('generator.onnx')).arrayBuffer());
 * const generator = await openGenerator(readModel(bytes).graph, runtime);
 * ```
 */
export async function webRuntime({ wasmPaths, threads: wanted }: WebRuntimeOptions = {}): Promise<WebRuntime> {
  checkThreads(wanted);
  if (typeof WebAssembly !== 'object')
    throw new RgiError('device', 'This browser has no WebAssembly: use a current one, or allow it for this page.');
  const { threads, note } = threadsHere(wanted);
  ort.env.logLevel = 'fatal';
  ort.env.wasm.numThreads = threads;
  if (wasmPaths !== undefined) ort.env.wasm.wasmPaths = wasmPaths;
  const queue = createQueue();
  const runtime = runtimeOn({
    device: 'cpu',
    version: ort.env.versions.web ?? ort.env.versions.common,
    OrtTensor: ort.Tensor,
    queue,
    openSession: (model, options) => queue(() => openSession(model, options)),
    advanceWith: fresh,
  });
  return { ...runtime, threads, note };
}

function threadsHere(wanted: number | undefined): Pick<WebRuntime, 'threads' | 'note'> {
  const cores = globalThis.navigator?.hardwareConcurrency ?? 1;
  if (wanted === 1 || cores === 1) return { threads: 1, note: '' };
  if (!globalThis.crossOriginIsolated) {
    return {
      threads: 1,
      note: 'One thread: the page is not isolated from other origins (headers Cross-Origin-Opener-Policy and Cross-Origin-Embedder-Policy).',
    };
  }
  return { threads: Math.min(wanted ?? MAX_THREADS, cores), note: '' };
}

async function openSession(model: EncodedModel, { optimise }: SessionOptions): Promise<ort.InferenceSession> {
  const { bytes, beside } = modelForOrt(model);
  try {
    return await ort.InferenceSession.create(bytes, {
      ...beside,
      executionProviders: ['wasm'],
      graphOptimizationLevel: optimise === 'none' ? 'disabled' : 'all',
      logSeverityLevel: 4,
    });
  } catch (error) {
    throw runtimeError('to load the graph', error);
  }
}

/** The package ignores arrays that are given for outputs: every step makes new ones. */
function fresh(handle: Handle, { names, observed }: LoopParts): Advance {
  const wanted = [...names.map((name) => NEXT + name), ...observed];
  return async (feeds) => {
    const results = await run(handle, feeds, wanted);
    return {
      state: Object.fromEntries(names.map((name) => [name, results[NEXT + name]])),
      observed: Object.fromEntries(observed.map((name) => [name, results[name]])),
    };
  };
}
