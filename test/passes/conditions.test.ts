/** If with a constant condition folded away: branches in branches, on values of the graphs around them. */
import { expect, it } from 'vitest';
import { readModel } from '../../src/onnx/read.ts';
import { float32, numbersOf } from '../../src/onnx/tensor.ts';
import { specialise } from '../../src/passes/specialise.ts';
import { evaluate } from '../support/gradients.ts';
import { floats, graphAttribute, handmade, infos, intAttribute, node } from '../support/protos.ts';

it('an If within an If, reading a value of the outer branch, becomes plain nodes', async () => {
  const unnamed = { name: '' };
  const inner = node('If', 'no', 'out', [
    graphAttribute('then_branch', { name: 't', node: [node('Identity', 'x', 'a')], output: infos({ a: [] }) }),
    graphAttribute('else_branch', { name: 'e', node: [node('Mul', 'doubled doubled', 'a')], output: infos({ a: [] }) }),
  ]);
  const { graph } = readModel(
    handmade({
      nodes: [
        node('Cast', 'one', 'yes', [intAttribute('to', 9)]),
        node('If', 'yes', 'y', [
          graphAttribute('then_branch', {
            name: 'then',
            node: [node('Not', 'yes', 'no', [], unnamed), node('Add', 'x x', 'doubled', [], unnamed), inner],
            output: infos({ out: [] }),
          }),
          graphAttribute('else_branch', { name: 'else', node: [node('Neg', 'x', 'out')], output: infos({ out: [] }) }),
        ]),
      ],
      initializers: [floats('one', [], [1])],
    }),
  );
  const feeds = new Map([['x', float32([1, 2, 3, -4], [1, 4])]]);
  const folded = await specialise(graph, feeds, evaluate);
  expect(folded.nodes.map((n) => n.operator)).not.toContain('If');
  const y = (await evaluate(folded, feeds, ['y'])).get('y')!;
  expect(numbersOf(y)).toEqual([4, 16, 36, 64]);
});
