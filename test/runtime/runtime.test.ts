import { describe, expect, test } from 'vitest';
import { float32 } from '../../src/onnx/tensor.ts';
import { createRuntime, nodeRuntime, probeDevices, workerRuntime } from '../../src/runtime/node/index.ts';
import { conformance, descent, doubling, named } from './conformance.ts';

const devices = await probeDevices();

describe('node, cpu', () => conformance(async () => nodeRuntime()));
describe('node, cpu, one thread', () => conformance(() => createRuntime({ threads: 1 })));
describe('worker, cpu', () => conformance(() => createRuntime({ worker: true })));

for (const { device, available, reason } of devices.filter((status) => status.device !== 'cpu')) {
  if (available) {
    describe(`node, ${device}`, () => conformance(() => createRuntime({ device })));
    describe(`worker, ${device}`, () => conformance(() => createRuntime({ device, worker: true })));
  } else {
    describe(`node, ${device}`, () => test.skip(`not here: ${reason}`, () => {}));
  }
}

test('a step costs little beyond ONNX Runtime itself', async () => {
  const runtime = nodeRuntime({ threads: 1 });
  const row = float32([0, 0, 0], [1, 3]);
  const loop = await runtime.loop(descent(), named({ z: row, v: row }), named({ target: row }));
  const feeds = named({ rate: float32([0.1], []) });
  for (let i = 0; i < 200; i++) await loop.step(feeds);
  const began = performance.now();
  for (let i = 0; i < 500; i++) await loop.step(feeds);
  // About 0.1 ms on the slowest machine seen, most of it the run; the bound catches an accidental copy or reopening.
  expect((performance.now() - began) / 500).toBeLessThan(2);
  await runtime.dispose();
});

test.each([0, -1, 1.5, Number.NaN])('refuses %s threads', async (threads) => {
  await expect(createRuntime({ threads })).rejects.toMatchObject({
    code: 'usage',
    message: `The number of threads must be a whole number from 1 on, not ${threads}.`,
  });
});

test('the model bytes given to a worker remain the caller’s', async () => {
  const runtime = await workerRuntime({ device: 'cpu' });
  const model = doubling();
  await (await runtime.session(model)).dispose();
  expect(model.length).toBeGreaterThan(0);
  await runtime.dispose();
});
