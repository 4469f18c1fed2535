/** `rgi/web`: the library with ONNX Runtime for browsers. */
export * from './index.ts';
export { type WebRuntime, type WebRuntimeOptions, webRuntime } from './runtime/web/index.ts';
