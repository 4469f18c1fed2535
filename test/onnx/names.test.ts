/** Names in a file that every JavaScript object has, too: they are names like any other. */
import { expect, it } from 'vitest';
import { readModel } from '../../src/onnx/read.ts';
import { trainableWeights } from '../../src/passes/trainable.ts';
import { floatAttribute, floats, handmade, longs, node, stringAttribute } from '../support/protos.ts';

const weight = floats('w', [4], [1, 2, 3, 4]);

it.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])('an operator %s has no weights', (operator) => {
  const { graph } = readModel(
    handmade({ nodes: [node(operator, 'x w', 'h'), node('Add', 'h w', 'y')], initializers: [weight] }),
  );
  expect(graph.nodes.map((one) => one.operator)).toEqual([operator, 'Add']);
  expect(trainableWeights(graph)).toEqual(['w']);
});

it('an attribute may have any name', () => {
  const attributes = [floatAttribute('__proto__', 2), floatAttribute('constructor', 3)];
  const { graph } = readModel(handmade({ nodes: [node('Elu', 'x', 'y', attributes)] }));
  expect(Object.entries(graph.nodes[0].attributes)).toEqual([
    ['__proto__', { kind: 'float', value: 2 }],
    ['constructor', { kind: 'float', value: 3 }],
  ]);
});

it('a mode of another opset is not looked up among the members of objects', () => {
  const { graph } = readModel(
    handmade({
      nodes: [node('GridSample', 'x w', 'y', [stringAttribute('mode', 'constructor')])],
      initializers: [weight],
    }),
  );
  expect(graph.nodes[0].attributes.mode).toEqual({ kind: 'string', value: 'constructor' });
});

it('a position beyond the sizes of a list, or no whole number, is said', () => {
  const read = (position: ReturnType<typeof longs>) => () =>
    readModel(
      handmade({
        nodes: [node('SplitToSequence', 'x sizes', 'list'), node('SequenceAt', 'list at', 'y')],
        initializers: [longs('sizes', [1], [2]), position],
      }),
    );
  expect(read(longs('at', [], [1]))).toThrow(
    "SequenceAt 'SequenceAt_y' works on a list of tensors, and its list has 1 tensors and no number 1. Export the model with fixed sizes, or index tensors in place of lists.",
  );
  expect(read(longs('at', [0], []))).toThrow('its position is not a whole number');
});
