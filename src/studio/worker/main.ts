/** The worker begins here: it answers the page's calls, one piece of work at a time. */
import mjs from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import { messageOf, RgiError } from '../../errors.ts';
import { wasmRuntime } from '../../runtime/web/wasm.ts';
import type { Backend, EngineFailure } from '../engine.ts';
import type { Answer, Request } from '../protocol.ts';
import { type Calls, callsOn, STOPPED } from './calls.ts';
import { createGate, type Gate, gated } from './gate.ts';

/** Threads beyond these bring little, and take memory. */
const MAX_THREADS = 4;

const threads = crossOriginIsolated ? Math.min(MAX_THREADS, navigator.hardwareConcurrency || 1) : 1;
const files = { mjs: new URL(mjs, self.location.href).href, wasm: new URL(wasm, self.location.href).href };
const gates = new Map<number, Gate>();
let current: Gate | undefined;
const runtime = gated(wasmRuntime({ files, threads }), () => current);
const calls: Calls = callsOn(runtime);
let last: Promise<unknown> = Promise.resolve();

self.addEventListener('message', ({ data: request }: MessageEvent<Request>) => {
  if ('control' in request) {
    gates.get(request.id)?.[request.control]();
    return;
  }
  const gate = createGate();
  gates.set(request.id, gate);
  last = last.then(async () => {
    current = gate;
    tell(await answerOf(request, gate));
    gates.delete(request.id);
    current = undefined;
  });
});

async function answerOf({ id, call, args }: Extract<Request, { call: unknown }>, gate: Gate): Promise<Answer> {
  try {
    if (call === 'start') return { id, result: backend() };
    const act = calls[call].bind(calls) as (...all: unknown[]) => Promise<unknown>;
    const onProgress = (progress: unknown) => tell({ id, progress });
    return { id, result: await act(...args, onProgress, gate) };
  } catch (error) {
    return { id, failure: failureOf(error) };
  }
}

function backend(): Backend {
  const note = crossOriginIsolated
    ? ''
    : 'The page is not isolated from other origins, so the browser gives it one thread: it is slower.';
  return { device: 'wasm', threads, note };
}

function failureOf(error: unknown): EngineFailure {
  if (error === STOPPED) return STOPPED;
  if (error instanceof RgiError) {
    return { code: error.code, message: error.message, ...(error.details ? { details: error.details } : {}) };
  }
  return { code: 'runtime', message: `Unexpected: ${messageOf(error)}` };
}

function tell(answer: Answer): void {
  (self as unknown as { postMessage(answer: Answer): void }).postMessage(answer);
}
