/** What the page and its worker say to each other. */
import type { Engine, EngineFailure } from './engine.ts';

/** Calls of the engine that the worker answers. */
export type CallName = Exclude<keyof Engine, 'backend' | 'dispose'> | 'start';

export type Request =
  | { readonly id: number; readonly call: CallName; readonly args: readonly unknown[] }
  | { readonly id: number; readonly control: 'pause' | 'resume' | 'stop' };

export type Answer =
  | { readonly id: number; readonly progress: unknown }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failure: EngineFailure };
