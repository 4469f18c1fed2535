/** A gate that work passes before each step: closed while it is paused, and a moment for the page's messages in between. */
import type { Runtime } from '../../runtime/runtime.ts';

export interface Gate {
  readonly signal: AbortSignal;
  pause(): void;
  resume(): void;
  stop(): void;
  /** Resolves when the next step may be taken. */
  pass(): Promise<void>;
}

/** Messages are read at least this often. */
const BREATH_MS = 40;

export function createGate(): Gate {
  const controller = new AbortController();
  let open: (() => void) | undefined;
  let paused: Promise<void> | undefined;
  let breathed = performance.now();
  const resume = () => {
    open?.();
    paused = undefined;
  };
  return {
    signal: controller.signal,
    pause() {
      paused ??= new Promise((resolve) => {
        open = resolve;
      });
    },
    resume,
    stop() {
      controller.abort();
      resume();
    },
    async pass() {
      if (performance.now() - breathed > BREATH_MS) {
        await new Promise((resolve) => setTimeout(resolve, 0));
        breathed = performance.now();
      }
      await paused;
    },
  };
}

/** A runtime whose every run passes the gate of the work that is going on. */
export function gated(runtime: Runtime, gate: () => Gate | undefined): Runtime {
  const passed = async <T>(act: () => Promise<T>): Promise<T> => {
    await gate()?.pass();
    return act();
  };
  return {
    ...runtime,
    async session(model, options) {
      const session = await runtime.session(model, options);
      return { ...session, run: (feeds, wanted) => passed(() => session.run(feeds, wanted)) };
    },
    async loop(model, state, fixed) {
      const loop = await runtime.loop(model, state, fixed);
      return { ...loop, step: (feeds) => passed(() => loop.step(feeds)) };
    },
  };
}
