/** A method is labelled as given the mask only where it is given it: by what it needs, not by its name. */
import { expect, test } from 'vitest';
import { resolve } from '../../src/cli/evaluate/contestants.ts';
import { METHOD_NAMES } from '../../src/inversion/spec/method.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { float32 } from '../../src/onnx/tensor.ts';

const b = new GraphBuilder();
const w = b.initializer('w', float32(new Float32Array(8), [2, 4]));
b.node('Reshape', [b.MatMul('z', w), b.ints([-1, 1, 2, 2])], {}, ['image']);
const graph = b.graph(
  'g',
  [{ name: 'z', type: 'float32', dims: ['N', 2] }],
  [{ name: 'image', type: 'float32', dims: ['N', 1, 2, 2] }],
);
const opened = { generator: { channels: 1, graph } } as unknown as Parameters<typeof resolve>[1];
const networks = { contestant: {}, layers: ['image'], scores: true, logistic: false, described: {}, notes: [] };

test.each(METHOD_NAMES)('%s+mask', (method) => {
  const recipe = { name: `${method}+mask`, maskGiven: true, options: { method }, thresholdGrey: 20 };
  let needsMask: boolean;
  try {
    needsMask = resolve(recipe, opened, networks).method.needsMask;
  } catch (error) {
    expect((error as Error).message).toBe(
      `The method '${method}+mask': it does not use the true mask; leave +mask out.`,
    );
    return;
  }
  expect(needsMask).toBe(true);
});
