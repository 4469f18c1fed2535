/** Which values a derivative can flow through. */
import { RgiError } from '../errors.ts';
import type { Value } from '../onnx/builder.ts';
import { type Node, readsOf, type StaticGraph } from '../onnx/graph.ts';
import { isFloat, type TensorType } from '../onnx/tensor.ts';
import type { RuleTable } from './rule.ts';

/**
 * All float values that depend on `wrt` (itself included) through nodes with a non-zero derivative, and not only through
 * `detached` values.
 */
export function activeValues(
  graph: StaticGraph,
  wrt: readonly Value[],
  rules: RuleTable,
  detached: ReadonlySet<Value> = new Set(),
): Set<Value> {
  const reached = new Set(wrt);
  for (const node of graph.nodes) {
    if (isZero(rules, node) || !readsOf(node).some((input) => reached.has(input))) continue;
    for (const output of node.outputs) {
      if (output && !detached.has(output) && isFloat(typeIn(graph, output).type)) reached.add(output);
    }
  }
  return reached;
}

/** Is the derivative of this node zero everywhere? */
export function isZero(rules: RuleTable, node: Node): boolean {
  const zero = node.domain === '' ? rules[node.operator]?.zero : false;
  return typeof zero === 'function' ? zero(node) : Boolean(zero);
}

/** Element type and shape of a value; a value without is an error of the caller (not specialised). */
export function typeIn(graph: StaticGraph, value: Value): TensorType {
  const type = graph.types.get(value);
  if (!type)
    throw new RgiError('model', `The value '${value}' has no known shape: the graph was not specialised.`, {
      tensor: value,
    });
  return type;
}
