/** Bodies of ONNX's Loop: values of a body must not have names of the graph around it, unless they are its values. */
import { GraphBuilder, type Value } from '../../onnx/builder.ts';
import type { Graph, ValueInfo } from '../../onnx/graph.ts';
import { appendGraph } from '../../onnx/merge.ts';

/** The number of the round in a body, an int64 scalar from 0. */
export const ROUND = 'round';

/**
 * The body of a Loop. `graph` maps a state (its inputs) to the next one (its outputs, in the same order); it may read `ROUND` and the values
 * `captured` of the graph around it. `goesOn`: a bool scalar of the graph; without it as many rounds are made as the Loop says.
 */
export function loopBody(graph: Graph, goesOn: Value | undefined, prefix: string, captured: ReadonlySet<Value>): Graph {
  const b = new GraphBuilder();
  const own = (name: string) => `${prefix}/${name}`;
  const inputs: ValueInfo[] = [
    { name: own(ROUND), type: 'int64', dims: [] },
    { name: own('going'), type: 'bool', dims: [] },
    ...graph.inputs.map((input) => ({ ...input, name: own(input.name) })),
  ];
  for (const { name } of inputs) b.reserve(name);
  const kept = new Map([...captured].map((name) => [name, name]));
  appendGraph(b, graph, own(''), kept);
  b.node('Identity', [goesOn === undefined ? own('going') : own(goesOn)], {}, [own('condition')]);
  return b.graph(graph.name, inputs, [
    { name: own('condition'), type: 'bool', dims: [] },
    ...graph.outputs.map((output) => ({ ...output, name: own(output.name) })),
  ]);
}
