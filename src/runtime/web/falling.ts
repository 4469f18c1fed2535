/**
 * A runtime that goes on with another where the first fails: a GPU that is lost, or an operator that it cannot compute. Sessions are opened again
 * there, and loops go on from the state that they had.
 */
import { RgiError } from '../../errors.ts';
import type { EncodedModel } from '../../onnx/encode.ts';
import type { Loop, Runtime, Session, SessionOptions, Tensors } from '../runtime.ts';

export interface Falling extends Runtime {
  /** Has the first failed, and with what? */
  readonly fallen: RgiError | undefined;
}

type OpenLoop = (runtime: Runtime, state: Tensors, fixed: Tensors) => Promise<Loop>;

/** @param openOther Called once, at the first failure. */
export function fallingRuntime(first: Runtime, openOther: () => Promise<Runtime>): Falling {
  let other: Promise<Runtime> | undefined;
  let current = first;
  let fallen: RgiError | undefined;
  let isDisposed = false;

  /** On the first runtime, or on the other where that fails as a device does; what both refuse is the graph's own fault. */
  const attempt = async <T>(work: (runtime: Runtime) => Promise<T>): Promise<T> => {
    const on = current;
    try {
      return await work(on);
    } catch (error) {
      if (isDisposed || on !== first || !(error instanceof RgiError) || error.code !== 'runtime') throw error;
      other ??= openOther();
      const second = await other;
      const result = await work(second);
      current = second;
      fallen ??= error;
      return result;
    }
  };

  return {
    get device() {
      return current.device;
    },
    get version() {
      return current.version;
    },
    get fallen() {
      return fallen;
    },
    session: (model, options) => attempt(async (on) => sessionOf(await on.session(model, options), on, model, options)),
    loop: (model, state, fixed, options) =>
      attempt(async (on) => {
        const open: OpenLoop = (runtime, ...values) => runtime.loop(model, ...values, options);
        return loopOf(await open(on, state, fixed), on, open, state, fixed);
      }),
    async dispose() {
      isDisposed = true;
      // A lost device may not even be able to forget its sessions.
      await first.dispose().catch(() => undefined);
      await (await other)?.dispose();
    },
  };

  function sessionOf(opened: Session, on: Runtime, model: EncodedModel, options: SessionOptions | undefined): Session {
    const held = heldOf(opened, on, (runtime) => runtime.session(model, options));
    return {
      run: (feeds, wanted) => attempt(async (runtime) => (await held.on(runtime)).run(feeds, wanted)),
      outputs: () => held.now().outputs(),
      dispose: held.dispose,
    };
  }

  function loopOf(opened: Loop, on: Runtime, open: OpenLoop, start: Tensors, fixedStart: Tensors): Loop {
    const fixed = new Map(fixedStart);
    // The state lies in the memory of the page, whatever has become of the device.
    const held = heldOf(opened, on, async (runtime, before) =>
      open(runtime, new Map([...start, ...(await before.read())]), fixed),
    );
    return {
      step: (feeds) => attempt(async (runtime) => (await held.on(runtime)).step(feeds)),
      read: async (names) => held.now().read(names),
      write: async (state) => held.now().write(state),
      async fix(values) {
        for (const [name, value] of values) fixed.set(name, value);
        await held.now().fix(values);
      },
      dispose: held.dispose,
    };
  }
}

/** What is open on one runtime, and is opened again where it is wanted on another. */
function heldOf<T extends Session | Loop>(opened: T, on: Runtime, reopen: (runtime: Runtime, before: T) => Promise<T>) {
  let now: T = opened;
  let where = on;
  return {
    now: () => now,
    async on(runtime: Runtime): Promise<T> {
      if (runtime === where) return now;
      const before = now;
      now = await reopen(runtime, before);
      where = runtime;
      // A lost device may not even be able to forget it.
      await before.dispose().catch(() => undefined);
      return now;
    },
    dispose: () => now.dispose(),
  };
}
