/** GridSample is linear in the image, so a difference of any step checks every tap; the grid is checked by small steps. */
import { describe, it } from 'vitest';
import { float32, numbersOf } from '../../src/onnx/tensor.ts';
import { expectDirectional, graphOf, noise } from '../support/directional.ts';
import type { Tensors } from '../support/gradients.ts';

const modes = ['linear', 'nearest', 'cubic'];
const paddings = ['zeros', 'border', 'reflection'];
const cases = modes.flatMap((mode) =>
  paddings.flatMap((padding_mode) => [0, 1].map((align_corners) => ({ mode, padding_mode, align_corners }))),
);

/** Places up to a third of the image beyond its border. */
function gridOf(dims: readonly number[]) {
  return float32(
    numbersOf(noise(dims, 4)).map((v) => v * 1.3 + 0.0043),
    dims,
  );
}

describe('GridSample', () => {
  it.each(cases)('$mode, $padding_mode, align_corners $align_corners: the image', async (attributes) => {
    const feeds: Tensors = new Map([
      ['x', noise([2, 2, 5, 4], 1)],
      ['grid', gridOf([2, 3, 6, 2])],
    ]);
    const graph = graphOf(feeds, (b) => b.node('GridSample', ['x', 'grid'], attributes)[0]);
    await expectDirectional(graph, feeds, ['x']);
  });

  it.each(cases.filter(({ mode }) => mode !== 'nearest'))(
    '$mode, $padding_mode, align_corners $align_corners: the grid',
    async (attributes) => {
      const feeds: Tensors = new Map([
        ['x', noise([1, 2, 5, 4], 1)],
        ['grid', gridOf([1, 3, 3, 2])],
      ]);
      const graph = graphOf(feeds, (b) => b.node('GridSample', ['x', 'grid'], attributes)[0]);
      await expectDirectional(graph, feeds, ['grid'], { step: 1 / 1024, tolerance: 5e-3 });
    },
  );

  it('a volume', async () => {
    const feeds: Tensors = new Map([
      ['x', noise([1, 2, 3, 4, 5], 1)],
      ['grid', gridOf([1, 2, 2, 3, 3])],
    ]);
    const graph = graphOf(feeds, (b) => b.node('GridSample', ['x', 'grid'], { mode: 'linear' })[0]);
    await expectDirectional(graph, feeds, ['x']);
  });
});
