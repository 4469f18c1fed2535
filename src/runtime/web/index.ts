/**
 * ONNX Runtime for browsers: the same `Runtime` as in Node, on WebAssembly with as many threads as the page may have, or on WebGPU. It computes in
 * the thread that opens it, so a page opens it in a worker.
 */
import * as ort from 'onnxruntime-web/wasm';
import { messageOf, RgiError } from '../../errors.ts';
import type { Runtime } from '../runtime.ts';
import { checkThreads } from '../sessions.ts';
import { runtimeOfBuild } from './build.ts';
import { type Falling, fallingRuntime } from './falling.ts';
import type { BuildFiles } from './files.ts';

/** What `webRuntime` is given; every field has a default. */
export interface WebRuntimeOptions {
  /**
   * Addresses of the two files of onnxruntime-web, or of the folder where they lie; default: beside the script. With Vite, import
   * them with `?url`: its fallback page is no WebAssembly.
   */
  readonly wasmPaths?: BuildFiles;
  /**
   * 'wasm' (default), 'webgpu', or 'auto': WebGPU where the browser has it on a real GPU, else WebAssembly. Where WebGPU is lost or fails, the
   * runtime goes on with WebAssembly.
   */
  readonly device?: 'auto' | 'webgpu' | 'wasm';
  /** As `wasmPaths`, of the build with WebGPU: `ort-wasm-simd-threaded.asyncify.wasm` and `.mjs`. It is loaded only where it is used. */
  readonly webgpuPaths?: BuildFiles;
  /** Threads; default: one for each core, up to 4, where the page is isolated from other origins, else 1. */
  readonly threads?: number;
}

/** A runtime in a browser, and where it computes. */
export interface WebRuntime extends Runtime {
  /** Threads that it computes with. */
  readonly threads: number;
  /** Why not with more threads, or no longer on the GPU: one sentence each; '' where nothing is missing. */
  readonly note: string;
}

/** More threads than this wait for each other longer than they help. */
const MAX_THREADS = 4;

/**
 * Opens it. Memory that WebAssembly has taken is given back when its thread ends: end the worker. Only one runtime at a time should compute in a
 * thread: the package runs one session at a time. Throws `device` where the browser has no WebAssembly, or no WebGPU where that is asked for; `usage`
 * for a wrong number of threads.
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
export async function webRuntime({
  wasmPaths,
  webgpuPaths,
  device = 'wasm',
  threads: wanted,
}: WebRuntimeOptions = {}): Promise<WebRuntime> {
  checkThreads(wanted);
  if (typeof WebAssembly !== 'object')
    throw new RgiError('device', 'This browser has no WebAssembly: use a current one, or allow it for this page.');
  const { threads, note } = threadsHere(wanted);
  const onWasm = () => runtimeOfBuild(ort, { device: 'cpu', threads, ...(wasmPaths ? { files: wasmPaths } : {}) });
  if (device === 'wasm' || !(await hasGpu(device))) return { ...onWasm(), threads, note };
  const webgpu = await import('onnxruntime-web/webgpu').catch((error: unknown) => {
    if (device === 'webgpu')
      throw new RgiError('device', `onnxruntime-web/webgpu cannot be loaded (${messageOf(error)}).`);
  });
  if (!webgpu) return { ...onWasm(), threads, note };
  const onGpu = runtimeOfBuild(webgpu, { device: 'webgpu', threads, ...(webgpuPaths ? { files: webgpuPaths } : {}) });
  return described(
    fallingRuntime(onGpu, async () => onWasm()),
    threads,
    note,
  );
}

function described(runtime: Falling, threads: number, note: string): WebRuntime {
  return Object.defineProperties({ threads } as WebRuntime, {
    ...Object.getOwnPropertyDescriptors(runtime),
    note: {
      enumerable: true,
      get: () => (runtime.fallen ? [fallenNote(runtime.fallen), note].filter(Boolean).join(' ') : ''),
    },
  });
}

function fallenNote({ message }: RgiError): string {
  return `WebGPU failed, so it is computed with WebAssembly: ${message.replace(/[.\s]*$/, '.')}`;
}

/** Where the flag stands has changed between versions of the standard. */
interface Adapter {
  readonly info?: { readonly isFallbackAdapter?: boolean };
  readonly isFallbackAdapter?: boolean;
}

/** What this file uses of WebGPU. */
interface Gpu {
  requestAdapter(): Promise<Adapter | null>;
}

/** Is there one to compute on? One that is computed by the processor counts where it is asked for by name only. */
async function hasGpu(device: 'auto' | 'webgpu'): Promise<boolean> {
  const { gpu } = globalThis.navigator as { readonly gpu?: Gpu };
  const adapter = await gpu?.requestAdapter().catch(() => null);
  if (device === 'auto') return adapter != null && !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter);
  if (adapter) return true;
  throw new RgiError('device', "This browser gives the page no WebGPU: choose the device 'auto' or 'wasm'.");
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
