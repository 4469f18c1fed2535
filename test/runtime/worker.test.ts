import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { nodeRuntime, workerRuntime } from '../../src/runtime/node/index.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { doubling, named } from './conformance.ts';

/** A chain of matrix products that takes some tenths of a second. */
function slow(): Uint8Array {
  const b = new GraphBuilder();
  const size = 512;
  const weights = b.floats(new Float32Array(size * size).fill(1e-3), [size, size]);
  let value = 'x';
  for (let i = 0; i < 60; i++) value = b.Tanh(b.MatMul(value, weights));
  b.node('Identity', [value], {}, ['y']);
  const info = { type: 'float32', dims: [size, size] } as const;
  return encodeModel(b.graph('slow', [{ name: 'x', ...info }], [{ name: 'y', ...info }]));
}

/** How often a 5 ms timer of the caller fires while one run is under way, and how long that run takes. */
async function ticksDuring(runtime: Runtime): Promise<{ ticks: number; ms: number }> {
  const session = await runtime.session(slow());
  const feeds = named({ x: float32(new Float32Array(512 * 512).fill(1), [512, 512]) });
  await session.run(feeds);
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  const began = performance.now();
  await session.run(feeds);
  const ms = performance.now() - began;
  clearInterval(timer);
  await runtime.dispose();
  return { ticks, ms };
}

describe('the caller’s event loop', () => {
  test('stays free while the worker computes', async () => {
    const { ticks, ms } = await ticksDuring(await workerRuntime({ device: 'cpu', threads: 1 }));
    expect(ticks).toBeGreaterThan(ms / 5 / 10);
    expect(ticks).toBeGreaterThan(2);
  });

  test('is blocked by the runtime in its own thread (why the worker exists)', async () => {
    const { ticks } = await ticksDuring(nodeRuntime({ threads: 1 }));
    expect(ticks).toBeLessThanOrEqual(1);
  });
});

const entry = (name: string) => new URL(`./entries/${name}.ts`, import.meta.url);

test('the thread is given the options of sessions and loops', async () => {
  const runtime = await workerRuntime({ device: 'cpu', entry: entry('repeats') });
  const options = { keepsMemory: false };
  const message = JSON.stringify(options);
  await expect(runtime.session(doubling(), options)).rejects.toMatchObject({ message });
  await expect(runtime.loop(doubling(), new Map(), new Map(), options)).rejects.toMatchObject({ message });
  await runtime.dispose();
});

describe('a worker that fails', () => {
  test('by ending: what is awaited and what comes later is refused', async () => {
    const runtime = await workerRuntime({ device: 'cpu', entry: entry('exits') });
    const message = "The runtime's thread ended (exit code 7); create another runtime.";
    await expect(runtime.session(doubling())).rejects.toMatchObject({ code: 'runtime', message });
    await expect(runtime.session(doubling())).rejects.toMatchObject({ code: 'runtime', message });
    await runtime.dispose();
  });

  test('by throwing: the text is kept', async () => {
    const runtime = await workerRuntime({ device: 'cpu', entry: entry('throws') });
    await expect(runtime.session(doubling())).rejects.toMatchObject({
      code: 'runtime',
      message: "The runtime's thread failed: out of luck",
    });
    await runtime.dispose();
  });

  test('at its start: code and text are kept', async () => {
    await expect(workerRuntime({ device: 'cpu', entry: entry('refuses') })).rejects.toMatchObject({
      name: 'RgiError',
      code: 'device',
      message: 'no ONNX Runtime here',
    });
  });
});

test('a runtime that nobody disposed does not keep the process alive', () => {
  const index = new URL('../../src/runtime/node/index.ts', import.meta.url).href;
  const program = `import { createRuntime } from '${index}'; await createRuntime({ worker: true }); console.log('ready');`;
  const ran = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  expect({ status: ran.status, signal: ran.signal, stdout: ran.stdout, stderr: ran.stderr }).toEqual({
    status: 0,
    signal: null,
    stdout: 'ready\n',
    stderr: '',
  });
});

test('many runtimes can be opened and closed', async () => {
  for (let i = 0; i < 2; i++) {
    const runtimes = await Promise.all([workerRuntime({ device: 'cpu' }), workerRuntime({ device: 'cpu' })]);
    for (const runtime of runtimes) {
      const session = await runtime.session(doubling());
      expect((await session.run(named({ x: float32([1, 2], [1, 2]) }))).get('y')!.data).toEqual(Float32Array.of(2, 4));
    }
    await Promise.all(runtimes.map((runtime) => runtime.dispose()));
  }
});
