/** The order of nodes: theirs, but that what is read stands before its first reader. */
import { expect, test } from 'vitest';
import type { Graph, Node } from '../../src/onnx/graph.ts';
import { inOrder } from '../../src/onnx/order.ts';

const node = (inputs: string, output: string): Node => ({
  name: `made ${output}`,
  domain: '',
  operator: 'Add',
  inputs: inputs.split(' '),
  outputs: [output],
  attributes: {},
});
const graphOf = (nodes: Node[]): Graph => ({ name: 'g', inputs: [], outputs: [], initializers: new Map(), nodes });
const orderOf = (...nodes: Node[]) =>
  inOrder(graphOf(nodes))
    .nodes.map(({ outputs }) => outputs[0])
    .join(' ');

test('nodes that are in order stay as they are', () => {
  expect(orderOf(node('x x', 'b'), node('x x', 'a'), node('a x', 'd'), node('b x', 'c'))).toBe('b a d c');
});

test('a node that stands after a reader comes to stand just before the first one', () => {
  expect(
    orderOf(node('x x', 'a'), node('late a', 'b'), node('a a', 'c'), node('later x', 'late'), node('x x', 'later')),
  ).toBe('a later late b c');
});

test('a chain written backwards may be long', () => {
  const count = 20000;
  const chain = Array.from({ length: count }, (_, i) => node(`v${i + 1} x`, `v${i}`));
  const { nodes } = inOrder(graphOf(chain));
  expect([nodes[0], nodes[count - 1]]).toEqual([chain[count - 1], chain[0]]);
});

test('a circle is refused, and a node of it is named, not one that waits for it', () => {
  expect(() => orderOf(node('b x', 'waits'), node('c x', 'b'), node('b x', 'c'))).toThrow(
    "The model runs in a circle: Add 'made b' needs a value that is made from its own result.",
  );
});
