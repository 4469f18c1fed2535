/** Sizes that a file declares and that no number of ours holds. */
import { expect, it } from 'vitest';
import { readModel } from '../../src/onnx/read.ts';
import { handmade, node } from '../support/protos.ts';

it('a dimension beyond 2^53 is refused, of an output too', () => {
  const read = (size: number) => readModel(handmade({ nodes: [node('Neg', 'x', 'y')], outputs: { y: ['N', size] } }));
  expect(read(2 ** 53 - 1).graph.outputs[0].dims).toEqual(['N', 2 ** 53 - 1]);
  expect(() => read(2 ** 53)).toThrow(
    "'y' declares a dimension of 9007199254740992, which no tensor has: the model is damaged.",
  );
});
