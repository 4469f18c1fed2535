/** What page and worker say to each other. */
import type { Backend, Engine, EngineFailure, RestoreProgress, WorkProgress } from './engine.ts';

/** Calls of the engine that the worker answers: those that are a piece of work report progress, and can be held up. */
export type CallName = Exclude<keyof Engine, 'backend' | 'dispose'>;

/** To the worker. */
export type Asked =
  | {
      readonly kind: 'begin';
      readonly wasm?: { readonly mjs: string; readonly wasm: string };
      readonly threads?: number;
      /** Name of a lock that the worker holds as long as it lives: its death is seen by that. */
      readonly life: string;
    }
  | { readonly kind: 'call'; readonly id: number; readonly name: CallName; readonly args: readonly unknown[] }
  | { readonly kind: 'pause' | 'resume' | 'stop'; readonly id: number };

/** From the worker. */
export type Told =
  | { readonly kind: 'begun'; readonly backend: Backend }
  | { readonly kind: 'done'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly failure: EngineFailure }
  | { readonly kind: 'progress'; readonly id: number; readonly progress: RestoreProgress | WorkProgress };

/** The buffers of what is sent, to be handed over instead of copied. */
export function buffersOf(value: unknown): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  const collect = (one: unknown): void => {
    if (ArrayBuffer.isView(one)) {
      if (one.buffer instanceof ArrayBuffer) found.add(one.buffer);
    } else if (Array.isArray(one)) one.forEach(collect);
    else if (typeof one === 'object' && one !== null) Object.values(one).forEach(collect);
  };
  collect(value);
  return [...found];
}
