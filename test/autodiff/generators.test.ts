/** Every export of the generators and discriminators beside the repository: gradients as PyTorch has them in float64. */
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { readModel } from '../../src/onnx/read.ts';
import { float32, numbersOf } from '../../src/onnx/tensor.ts';
import { expectClose } from '../support/close.ts';
import { evaluate, gradientGraph, gradientsOf, type Tensors } from '../support/gradients.ts';
import { hasShared, sharedBytes, sharedJson, sharedNpz, withShared } from '../support/shared.ts';

interface Initialiser {
  readonly name: string;
  readonly key: string;
}

interface Network {
  readonly input: string;
  readonly output: string;
  readonly exports: Readonly<
    Record<
      string,
      {
        readonly file: string;
        readonly initialisers: { readonly early: Initialiser; readonly late: Initialiser };
        /** Discriminators: the weight in which the gradient of R1 is recorded. */
        readonly r1?: { readonly initialiser: string };
      }
    >
  >;
}

const networks = hasShared ? sharedJson<Record<string, Network>>('fixtures', 'generators', 'generators.json') : {};

describe.skipIf(!hasShared)(withShared('exported networks, against PyTorch in float64'), () => {
  for (const [name, network] of Object.entries(networks)) {
    const inputKey = network.input === 'image' ? 'image' : 'z';
    for (const [exporter, { file, initialisers, r1 }] of Object.entries(network.exports)) {
      it(file, async () => {
        const { graph } = readModel(sharedBytes('fixtures', 'generators', file));
        const arrays = sharedNpz('fixtures', 'generators', `${name}.npz`);
        const feeds: Tensors = new Map([[graph.inputs[0].name, arrays.get(inputKey)!]]);
        const output = graph.outputs[0].name;
        const wrt = [graph.inputs[0].name, initialisers.early.name, initialisers.late.name];
        const results = await gradientsOf(graph, feeds, new Map([[output, arrays.get('g')!]]), wrt);
        expectClose(results.get(output)!, arrays.get('y')!, 1e-5, 'y');
        const expected = [`grad_${inputKey}`, initialisers.early.key, initialisers.late.key];
        wrt.forEach((value, i) => {
          expectClose(results.get(`grad/${value}`)!, arrays.get(expected[i])!, 1e-4, `gradient of ${value}`);
        });
      }, 30_000);
      if (!r1) continue;
      it(`${file}: R1 and its gradient, second order`, async () => {
        const { graph } = readModel(sharedBytes('fixtures', 'generators', file));
        const arrays = sharedNpz('fixtures', 'generators', `${name}.npz`);
        const feeds: Tensors = new Map([[graph.inputs[0].name, arrays.get(inputKey)!]]);
        const penalty = await r1Graph(graph, feeds, r1.initialiser);
        const one: Tensors = new Map([['r1', float32([1], [])]]);
        const results = await gradientsOf(penalty.graph, penalty.feeds, one, [r1.initialiser]);
        expectClose(results.get('r1')!, float32(numbersOf(arrays.get(`${exporter}.r1`)!), []), 1e-4, 'R1');
        expectClose(results.get(`grad/${r1.initialiser}`)!, arrays.get(`${exporter}.grad_r1`)!, 1e-4, 'gradient of R1');
      }, 30_000);
    }
  }

  it('are all there', () => {
    expect(Object.values(networks).flatMap((network) => Object.keys(network.exports)).length).toBeGreaterThanOrEqual(
      24,
    );
  });
});

/** R1 = mean over the batch of |d sum(score) / d image|^2, as output `r1` of a graph of the score's inputs. */
async function r1Graph(graph: Graph, feeds: Tensors, weight: string): Promise<{ graph: Graph; feeds: Tensors }> {
  const [image] = graph.inputs;
  const [score] = (await evaluate(graph, feeds, [graph.outputs[0].name])).values();
  const ones = float32(new Float32Array(score.data.length).fill(1), score.dims);
  const cotangents: Tensors = new Map([[graph.outputs[0].name, ones]]);
  const first = await gradientGraph(graph, feeds, cotangents, [image.name, weight]);
  const b = new GraphBuilder(first);
  const batch = feeds.get(image.name)!.dims[0];
  const total = b.ReduceSumSquare(`grad/${image.name}`, undefined, false);
  b.node('Mul', [total, b.scalar(1 / batch)], {}, ['r1']);
  const all: Tensors = new Map([...feeds, [`cot/${graph.outputs[0].name}`, ones]]);
  return {
    graph: b.graph('r1', first.inputs, [{ name: 'r1', type: 'float32', dims: [] }]),
    feeds: new Map([...all].filter(([name]) => first.inputs.some((input) => input.name === name))),
  };
}
