/** Shared by the speed benchmarks: clocks, peak memory, and the machine's matrix-product rate, to which speeds are compared. */
import { readFileSync } from 'node:fs';
import { GraphBuilder } from '../src/onnx/builder.ts';
import { encodeModel } from '../src/onnx/encode.ts';
import { float32 } from '../src/onnx/tensor.ts';
import { randomFrom } from '../src/random.ts';
import type { Runtime } from '../src/runtime/runtime.ts';

/** Milliseconds so far, by the wall clock or as processor time of this process (one thread, for shared machines). */
export type Clock = () => number;
export const wallClock: Clock = () => performance.now();
export const processorClock: Clock = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** The most memory of this process so far, in bytes. Linux only. */
export function peakBytes(): number {
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]);
}

/** GFLOP/s of a 2048^3 MatMul, the best of several. */
export async function matmulRate(runtime: Runtime, clock: Clock): Promise<number> {
  const side = 2048;
  const dims = [side, side];
  const b = new GraphBuilder();
  const inputs = ['a', 'b'].map((name) => ({ name: b.reserve(name), type: 'float32' as const, dims }));
  // The sum keeps the 16 MB of the product from being copied out, which is not part of the rate.
  const sum = b.ReduceSum(b.Slice(b.MatMul('a', 'b'), [0], [1], [0]), undefined, false);
  const model = encodeModel(b.graph('matmul', inputs, [{ name: sum, type: 'float32', dims: [] }]));
  const session = await runtime.session(model);
  const random = randomFrom(3);
  const matrix = () =>
    float32(
      Float32Array.from({ length: side * side }, () => random.uniform() - 0.5),
      dims,
    );
  const feeds = new Map([
    ['a', matrix()],
    ['b', matrix()],
  ]);
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 10; i++) {
    const start = clock();
    await session.run(feeds);
    if (i > 1) best = Math.min(best, clock() - start);
  }
  await session.dispose();
  return (2 * side ** 3) / best / 1e6;
}
