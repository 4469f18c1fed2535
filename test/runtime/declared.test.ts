/** What is known of the outputs of a session, whichever package opened it. */
import { expect, test } from 'vitest';
import { declared, declaredTypes } from '../../src/runtime/tensors.ts';

test('a size that is open is none, however a package says it', () => {
  // By name in both; without a name -1 in Node, and -1 as an unsigned number of 32 bits in browsers.
  const shape = ['N', 3, -1, 2 ** 32 - 1];
  const value = { name: 'image', isTensor: true, type: 'float32', shape } as const;
  expect(declaredTypes(declared([value])).get('image')).toEqual({
    type: 'float32',
    dims: [undefined, 3, undefined, undefined],
  });
});
