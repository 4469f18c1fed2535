/** What a gradient cannot pass on its way from the latent to the picture: operators without a rule, and steps. */

import { activeValues } from '../autodiff/active-values.ts';
import { differentiate, missingRules } from '../autodiff/differentiate.ts';
import { RULES } from '../autodiff/rules/index.ts';
import { RgiError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { describeNode, type Evaluate, type Graph, type Node, readsOf, type StaticGraph } from '../onnx/graph.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { prepareForGradient } from '../passes/prepare.ts';
import type { ModelFacts } from './facts.ts';

/** A sentence for each node that no gradient of `output` in `latent` can pass; empty where one arrives. */
export async function gradientObstacles(
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
  latent: string,
  output: string,
  evaluate: Evaluate,
): Promise<ModelFacts['withoutDerivative']> {
  const one = { ...graph, outputs: graph.outputs.filter((o) => o.name === output) };
  try {
    const primal = await prepareForGradient(one, feeds, evaluate, { wrt: [latent] });
    const missing = missingRules(primal, [output], [latent]);
    if (missing.length > 0)
      return missing.map(({ node, message }) => ({ message, operator: node.operator, node: node.name }));
    // A rule may still refuse a form of its operator: only emitting the gradient tells.
    const b = new GraphBuilder(primal);
    const gradients = differentiate(b, primal, new Map([[output, b.reserve(b.fresh('cotangent'))]]), [latent]);
    if (gradients.has(latent)) return [];
    const steps = stepsBetween(primal, latent, output);
    if (steps.length === 0) return [{ message: `The output '${output}' does not depend on '${latent}'.` }];
    return steps.map((message) => ({ message }));
  } catch (error) {
    if (!(error instanceof RgiError)) throw error;
    const { operator, node } = error.location;
    return [{ message: error.message, ...(operator === undefined ? {} : { operator, node }) }];
  }
}

/** Operators that read a shape, not a value: no gradient is lost in them. */
const SHAPES = new Set(['Shape', 'Size', 'ConstantOfShape', 'EyeLike']);

/**
 * Sentences that name the nodes whose derivative is zero everywhere (rounding, casts to whole numbers, comparisons) and that
 * end every path from `from` to `output`; empty where there is no path at all.
 */
export function stepsBetween(graph: StaticGraph, from: string, output: string): string[] {
  const reached = activeValues(graph, [from], RULES);
  const leading = new Set([output]);
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i];
    if (SHAPES.has(node.operator) || !node.outputs.some((name) => leading.has(name))) continue;
    for (const name of readsOf(node)) leading.add(name);
  }
  const steps = graph.nodes.filter(
    (node) =>
      !SHAPES.has(node.operator) &&
      !node.operator.startsWith('Random') &&
      readsOf(node).some((name) => reached.has(name)) &&
      node.outputs.some((name) => leading.has(name)) &&
      !node.outputs.some((name) => reached.has(name)),
  );
  const around = steps.length > 1 ? 'avoids such operators' : 'avoids it';
  return steps.map(
    (node) =>
      `${describeNode(node)}: the derivative of ${kindOf(node, graph)} is zero everywhere, and no path from '${from}' to '${output}' ${around}. Export the model without it.`,
  );
}

function kindOf(node: Node, graph: StaticGraph): string {
  const type = graph.types.get(node.outputs[0])?.type;
  return node.operator === 'Cast' ? `Cast to ${type}` : node.operator;
}
