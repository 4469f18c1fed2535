/** A runtime on one of the builds of onnxruntime-web: that of WebAssembly alone, or the one that has WebGPU too. */
import type * as Ort from 'onnxruntime-web/wasm';
import type { EncodedModel } from '../../onnx/encode.ts';
import { runtimeError } from '../messages.ts';
import { NEXT, type Runtime, type SessionOptions } from '../runtime.ts';
import { type Advance, createQueue, type Handle, type LoopParts, run, runtimeOn } from '../sessions.ts';
import { modelForOrt } from '../tensors.ts';
import type { BuildFiles } from './files.ts';

export interface BuildOptions {
  readonly device: 'cpu' | 'webgpu';
  readonly threads: number;
  readonly files?: BuildFiles;
}

export function runtimeOfBuild(ort: typeof Ort, { device, threads, files }: BuildOptions): Runtime {
  ort.env.logLevel = 'fatal';
  ort.env.wasm.numThreads = threads;
  if (files !== undefined) ort.env.wasm.wasmPaths = files;
  const queue = createQueue();
  return runtimeOn({
    device,
    version: ort.env.versions.web ?? ort.env.versions.common,
    OrtTensor: ort.Tensor,
    queue,
    openSession: (model, options) => queue(() => openSession(ort, device, model, options)),
    advanceWith: fresh,
  });
}

async function openSession(
  ort: typeof Ort,
  device: BuildOptions['device'],
  model: EncodedModel,
  { optimise }: SessionOptions,
): Promise<Ort.InferenceSession> {
  const { bytes, beside } = modelForOrt(model);
  try {
    return await ort.InferenceSession.create(bytes, {
      ...beside,
      executionProviders: [device === 'cpu' ? 'wasm' : 'webgpu'],
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
