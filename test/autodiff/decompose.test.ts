/** Composite operators are written out where a gradient must pass, and nowhere else. */
import { describe, expect, it } from 'vitest';
import { decompose } from '../../src/autodiff/decompose.ts';
import type { DecompositionTable } from '../../src/autodiff/decomposition.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { float32, tensorOf } from '../../src/onnx/tensor.ts';
import { specialise } from '../../src/passes/specialise.ts';
import { expectClose } from '../support/close.ts';
import { evaluate, valueInfo } from '../support/gradients.ts';

const table: DecompositionTable = {
  // Celu(x) = max(0, x) + min(0, alpha (exp(x / alpha) - 1)), here for alpha = 1
  Celu: ({ b, node: { inputs } }) => {
    const zero = b.scalar(0);
    return [b.Add(b.Max(zero, inputs[0]), b.Min(zero, b.Sub(b.Exp(inputs[0]), b.scalar(1))))];
  },
  Dropout: ({ node }) => [node.inputs[0]],
};

const x = float32([-2, -0.5, 0, 1.5]);
const feeds = new Map([
  ['x', x],
  ['side', x],
]);

async function example() {
  const b = new GraphBuilder();
  b.reserve('x');
  b.reserve('side');
  const [onPath] = b.node('Celu', ['x'], {}, ['on_path']);
  const [offPath] = b.node('Celu', ['side'], {}, ['off_path']);
  b.node('Dropout', [b.Add(onPath, offPath)], {}, ['y']);
  b.node('Celu', [onPath], {}, ['unused']);
  const graph = b.graph('g', [valueInfo('x', x), valueInfo('side', x)], [valueInfo('y', x)]);
  return specialise(graph, feeds, evaluate);
}

describe('decompose', () => {
  it('writes out composite nodes between wrt and an output, and only those', async () => {
    const graph = decompose(await example(), ['x'], table);
    const celus = graph.nodes.filter((node) => node.operator === 'Celu');
    expect(celus.map((node) => node.outputs[0])).toEqual(['off_path']);
    expect(graph.nodes.some((node) => node.operator === 'Dropout')).toBe(false);
  });

  it('keeps the names and values of outputs and of the decomposed node', async () => {
    const before = await example();
    const after = decompose(before, ['x'], table);
    expect(after.outputs).toEqual(before.outputs);
    const names = ['on_path', 'y'];
    const [expected, actual] = [await evaluate(before, feeds, names), await evaluate(after, feeds, names)];
    for (const name of names) expectClose(actual.get(name)!, expected.get(name)!, 1e-6, name);
    expectClose(
      actual.get('on_path')!,
      tensorOf('float32', [Math.exp(-2) - 1, Math.exp(-0.5) - 1, 0, 1.5]),
      1e-6,
      'Celu',
    );
  });

  it('returns the same graph where nothing is composite', async () => {
    const graph = await example();
    expect(decompose(graph, ['x'], {})).toBe(graph);
  });
});
