/** A runtime that fails as a lost GPU does: what is open goes on with the other, from the state that it had. */
import { afterAll, describe, expect, test } from 'vitest';
import { RgiError } from '../../src/errors.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { fallingRuntime } from '../../src/runtime/web/falling.ts';
import { descent, doubling, named } from './conformance.ts';

const LOST = new RgiError('runtime', 'ONNX Runtime failed while running the graph: the device was lost.');
const row = (...values: number[]) => float32(values, [1, values.length]);
const feeds = named({ x: row(1, 2) });
const rate = named({ rate: float32([0.05], []) });
const other = nodeRuntime({ threads: 1 });
afterAll(() => other.dispose());

/** Computes on the processor until it is lost; then every call fails, but states can still be read. */
function losable(): Runtime & { lose(): void } {
  const own = nodeRuntime({ threads: 1 });
  let isLost = false;
  const call = <T>(work: () => Promise<T>): Promise<T> => (isLost ? Promise.reject(LOST) : work());
  return {
    ...own,
    device: 'webgpu',
    lose() {
      isLost = true;
    },
    session: (model, options) =>
      call(async () => {
        const session = await own.session(model, options);
        return { ...session, run: (...args) => call(() => session.run(...args)) };
      }),
    loop: (...args) =>
      call(async () => {
        const loop = await own.loop(...args);
        return { ...loop, step: (given) => call(() => loop.step(given)) };
      }),
  };
}

describe('where the device is lost', () => {
  test('a session gives the same answer, on the other, and the runtime says why', async () => {
    const first = losable();
    const runtime = fallingRuntime(first, async () => other);
    const session = await runtime.session(doubling());
    await session.run(feeds);
    expect([runtime.device, runtime.fallen]).toEqual(['webgpu', undefined]);
    first.lose();
    expect([...(await session.run(feeds)).get('y')!.data]).toEqual([2, 4]);
    expect([runtime.device, runtime.fallen]).toEqual(['cpu', LOST]);
  });

  test('a loop goes on from its state, with what was fixed since: the steps are those of a loop that nothing happened to', async () => {
    const first = losable();
    const runtime = fallingRuntime(first, async () => other);
    const start = named({ z: row(0, 0, 0), v: row(0, 0, 0) });
    const loops = [runtime, other].map((each) => each.loop(descent(), start, named({ target: row(9, 9, 9) })));
    const states = [];
    for (const opening of loops) {
      const loop = await opening;
      await loop.fix(named({ target: row(1, 2, 3) }));
      for (let i = 0; i < 6; i++) {
        if (i === 3) first.lose();
        await loop.step(rate);
      }
      states.push([...(await loop.read()).get('z')!.data]);
      await loop.dispose();
    }
    expect(states[0]).toEqual(states[1]);
    expect(runtime.device).toBe('cpu');
  });

  test('a loop is opened on both with the options that it was given', async () => {
    const given: unknown[] = [];
    const first = losable();
    const noting = (on: Runtime): Runtime => ({
      ...on,
      loop: (model, state, fixed, options) => {
        given.push(options);
        return on.loop(model, state, fixed, options);
      },
    });
    const runtime = fallingRuntime(noting(first), async () => noting(other));
    const start = named({ z: row(0, 0, 0), v: row(0, 0, 0) });
    const loop = await runtime.loop(descent(), start, named({ target: row(1, 2, 3) }), { keepsMemory: false });
    first.lose();
    await loop.step(rate);
    await loop.dispose();
    expect(given).toEqual([{ keepsMemory: false }, { keepsMemory: false }]);
  });

  test('what is opened afterwards is opened on the other at once', async () => {
    const first = losable();
    first.lose();
    let count = 0;
    const runtime = fallingRuntime(first, async () => {
      count++;
      return other;
    });
    for (let i = 0; i < 2; i++) await (await runtime.session(doubling())).dispose();
    expect([count, runtime.device]).toEqual([1, 'cpu']);
  });
});

test('what both refuse is the fault of what was given, not of the device', async () => {
  const runtime = fallingRuntime(losable(), async () => other);
  const session = await runtime.session(doubling());
  await expect(session.run(named({ y: row(1, 2) }))).rejects.toThrow(
    "The graph has no input 'y' (given as input); its inputs are 'x'.",
  );
  expect([runtime.device, runtime.fallen]).toEqual(['webgpu', undefined]);
  expect([...(await session.run(feeds)).get('y')!.data]).toEqual([2, 4]);
});
