/**
 * Reverse mode, graph to graph: extends a graph by the nodes that compute gradients. Only standard operators that have
 * rules themselves are emitted, so the result can be differentiated again (after `specialise` has typed it).
 */
import { RgiError } from '../errors.ts';
import type { GraphBuilder, Value } from '../onnx/builder.ts';
import { describeNode, type Node, readsOf, type StaticGraph } from '../onnx/graph.ts';
import { activeValues, isZero, typeIn } from './active-values.ts';
import { DECOMPOSITIONS } from './decompositions/index.ts';
import { type RuleContext, type RuleTable, scalarLike, sumTo } from './rule.ts';
import { RULES } from './rules/index.ts';

/** A value and the cotangent dL/dvalue flowing into it from outside. */
export type Seeds = ReadonlyMap<Value, Value>;

export interface DifferentiateOptions {
  readonly rules?: RuleTable;
  /** Values taken as constants: no gradient passes through them. */
  readonly detached?: ReadonlySet<Value>;
}

/** A node on the differentiated path that has no rule. */
export interface MissingRule {
  readonly node: Node;
  readonly message: string;
}

/**
 * Emits into `b` (which already holds `graph`) the gradient of L with respect to each value of `wrt` (graph inputs,
 * initialisers or intermediate values), given dL/dvalue for the values of `seeds`.
 * A value L does not depend on has no entry. Throws `unsupported-operator` where a derivative must pass and cannot.
 *
 * @example
 * ```ts
 * import { differentiate, encodeModel, evaluatorOf, float32, GraphBuilder, specialise } from 'rgi';
 * import { createRuntime } from 'rgi/node';
 *
 * const b = new GraphBuilder();
 * b.node('Mul', ['x', 'x'], {}, ['y']);
 * const value = { type: 'float32', dims: [3] } as const;
 * const graph = b.graph('square', [{ name: 'x', ...value }], [{ name: 'y', ...value }]);
 * const x = new Map([['x', float32([1, 2, 3])]]);
 * const runtime = await createRuntime();
 * const primal = await specialise(graph, x, evaluatorOf(runtime, encodeModel));
 * const whole = new GraphBuilder(primal);
 * const gradients = differentiate(whole, primal, new Map([['y', whole.floats([1, 1, 1])]]), ['x']);
 * const name = gradients.get('x')!;
 * const session = await runtime.session(encodeModel(whole.graph('gradient', primal.inputs, [{ name, ...value }])));
 * console.log((await session.run(x)).get(name)?.data.join(' ')); // 2 4 6
 * await runtime.dispose();
 * ```
 */
export function differentiate(
  b: GraphBuilder,
  graph: StaticGraph,
  seeds: Seeds,
  wrt: readonly Value[],
  { rules = RULES, detached }: DifferentiateOptions = {},
): Map<Value, Value> {
  const reached = activeValues(graph, wrt, rules, detached);
  const contributions = new Map<Value, Value[]>();
  for (const [value, cotangent] of seeds) contributions.set(value, [cotangent]);
  const totals = new Map<Value, Value>();
  const total = (value: Value): Value | undefined => {
    const parts = contributions.get(value);
    if (!parts) return undefined;
    const known = totals.get(value);
    if (known !== undefined) return known;
    const sum = parts.reduce((a, c) => b.Add(a, c));
    totals.set(value, sum);
    return sum;
  };

  const stop = new Set(wrt);
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i];
    if (!readsOf(node).some((input) => reached.has(input))) continue;
    if (!node.outputs.some((output) => contributions.has(output) && reached.has(output))) continue;
    const rule = rules[node.operator];
    if (!rule || node.domain !== '') throw missing(node);
    if (isZero(rules, node)) continue;
    const cotangents = node.outputs.map((output) => (reached.has(output) ? total(output) : undefined));
    const context = contextOf(b, graph, node, cotangents, reached);
    const results = b.scope(`grad/${node.outputs[0]}`, () => rule.gradient(context));
    node.inputs.forEach((input, position) => {
      const cotangent = results[position];
      if (cotangent === undefined || !reached.has(input)) return;
      const own = rule.broadcasts
        ? sumTo(b, cotangent, typeIn(graph, node.outputs[0]).dims, typeIn(graph, input).dims)
        : cotangent;
      const parts = contributions.get(input) ?? [];
      parts.push(own);
      contributions.set(input, parts);
    });
  }

  const gradients = new Map<Value, Value>();
  for (const value of stop) {
    const gradient = total(value);
    if (gradient !== undefined) gradients.set(value, gradient);
  }
  return gradients;
}

/**
 * Nodes through which a derivative from any of `outputs` to any of `wrt` must pass, but that have no rule and are not
 * composite (see `decompose`).
 */
export function missingRules(
  graph: StaticGraph,
  outputs: readonly Value[],
  wrt: readonly Value[],
  rules: RuleTable = RULES,
): MissingRule[] {
  const reached = activeValues(graph, wrt, rules);
  const live = new Set(outputs);
  const found: MissingRule[] = [];
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i];
    if (!node.outputs.some((output) => live.has(output) && reached.has(output))) continue;
    const reads = readsOf(node).filter((input) => reached.has(input));
    if (reads.length === 0) continue;
    for (const input of reads) live.add(input);
    if (node.domain !== '' || !(rules[node.operator] || DECOMPOSITIONS[node.operator]))
      found.push({ node, message: missing(node).message });
  }
  return found.reverse();
}

function contextOf(
  b: GraphBuilder,
  graph: StaticGraph,
  node: Node,
  cotangents: (Value | undefined)[],
  reached: Set<Value>,
): RuleContext {
  const typeOf = (value: Value) => typeIn(graph, value);
  return {
    b,
    node,
    cotangents,
    wants: (i) => reached.has(node.inputs[i]),
    typeOf,
    dims: (i) => typeIn(graph, node.inputs[i]).dims,
    outputDims: (i) => typeIn(graph, node.outputs[i]).dims,
    constant: (i) => graph.initializers.get(node.inputs[i]),
    has: (i) => Boolean(node.inputs[i]),
    scalar: (value, i = 0) => scalarLike({ b, typeOf, node }, value, i),
  };
}

function missing(node: Node): RgiError {
  const operator = node.domain ? `${node.domain}.${node.operator}` : node.operator;
  return new RgiError(
    'unsupported-operator',
    `${describeNode(node)}: the operator ${operator} has no derivative rule, and the gradient must pass through it. ` +
      'Export the model with standard operators (PyTorch: torch.onnx.export, opset_version=17, model.eval()), or cut the graph after it with --latent.',
    { node: node.name, operator },
  );
}
