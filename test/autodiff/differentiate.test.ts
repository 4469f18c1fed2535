/** What the walker promises: sums over uses, nothing for what has no influence, refusal instead of a silent zero. */
import { describe, expect, it } from 'vitest';
import { missingRules } from '../../src/autodiff/differentiate.ts';
import type { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph, Node } from '../../src/onnx/graph.ts';
import { float32, numbersOf, type Tensor } from '../../src/onnx/tensor.ts';
import { specialise } from '../../src/passes/specialise.ts';
import { type Problem, problemOf } from '../support/differences.ts';
import { evaluate, gradientsOf, valueInfo } from '../support/gradients.ts';

const x = float32([1, -2, 3]);

async function gradients({ graph, feeds }: Problem, wrt: string[], cotangent: Tensor = float32([1, 1, 1])) {
  return gradientsOf(graph, feeds, new Map([[graph.outputs[0].name, cotangent]]), wrt);
}

/** If(sum(x) > 0) then x else -x: the branches read x from outside, the node's only input is the condition. */
function branching(): Problem {
  const branch = (operator: string): Graph => {
    const node: Node = { operator, domain: '', name: '', inputs: ['x'], outputs: [`of_${operator}`], attributes: {} };
    return {
      name: operator,
      inputs: [],
      outputs: [valueInfo(`of_${operator}`, x)],
      initializers: new Map(),
      nodes: [node],
    };
  };
  return problemOf({ x }, (b: GraphBuilder) => {
    const condition = b.Greater(b.ReduceSum('x', undefined, false), b.scalar(0));
    return b.node('If', [condition], {
      then_branch: { kind: 'graph', value: branch('Identity') },
      else_branch: { kind: 'graph', value: branch('Neg') },
    })[0];
  });
}

describe('differentiate', () => {
  it('adds up the uses of a value', async () => {
    const problem = problemOf({ x }, (b) => b.Add(b.Mul('x', 'x'), 'x'));
    const result = (await gradients(problem, ['x'])).get('grad/x')!;
    expect(numbersOf(result)).toEqual([3, -3, 7]);
  });

  it('gives no gradient for what has no influence, or only through steps', async () => {
    const problem = problemOf({ x, other: x }, (b) => b.Mul('x', b.node('Round', ['other'])[0]));
    const results = await gradients(problem, ['x', 'other']);
    expect(results.has('grad/x')).toBe(true);
    expect(results.has('grad/other')).toBe(false);
  });

  it('differentiates for an intermediate value', async () => {
    const problem = problemOf({ x }, (b) => {
      const [middle] = b.node('Exp', ['x'], {}, ['middle']);
      return b.Mul(middle, middle);
    });
    const results = await gradients(problem, ['middle']);
    const expected = numbersOf(x).map((v) => 2 * Math.exp(v));
    numbersOf(results.get('grad/middle')!).forEach((v, i) => {
      expect(v).toBeCloseTo(expected[i], 4);
    });
  });

  it('refuses what has no rule, naming operator and node, only where a derivative must pass', async () => {
    const unusual = (b: GraphBuilder, value: string) => b.node('Unique', [value], {}, ['strange'])[0];
    const through = problemOf({ x }, (b) => unusual(b, 'x'));
    await expect(gradients(through, ['x'])).rejects.toMatchObject({
      code: 'unsupported-operator',
      location: { operator: 'Unique', node: 'strange' },
    });
    const beside = problemOf({ x, other: x }, (b) => b.Mul('x', unusual(b, 'other')));
    expect((await gradients(beside, ['x'])).has('grad/x')).toBe(true);
  });

  it('refuses a branch that reads the value from outside: not a silent zero', async () => {
    const problem = branching();
    await expect(gradients(problem, ['x'])).rejects.toMatchObject({ code: 'unsupported-operator' });
    const graph = await specialise(problem.graph, problem.feeds, evaluate);
    const missing = missingRules(
      graph,
      graph.outputs.map((output) => output.name),
      ['x'],
    );
    expect(missing.map(({ node }) => node.operator)).toEqual(['If']);
  });
});
