/** Models of unusual form brought to the usual one, before anything is asked of them: each change is a sentence in the notes. */
import { GraphBuilder } from '../onnx/builder.ts';
import { type Graph, intAttribute, type Model, type Node, producersOf, readsOf } from '../onnx/graph.ts';
import type { ElementType } from '../onnx/tensor.ts';
import { guessLatent, MOVES } from './guess.ts';

/**
 * `model` with float pictures and a latent with a batch axis: a last rounding to whole numbers is left out, and a latent
 * [n] becomes [1, n]. A model of the usual form is returned as it is.
 */
export function usualForm(model: Model): Model {
  return withLatentBatch(withoutFinalRounding(model));
}

const WHOLE: ReadonlySet<ElementType> = new Set(['uint8', 'int8', 'uint16', 'int16', 'int32']);
/** Element types of ONNX that a Cast leaves a float: float32, float16, float64, bfloat16. */
const FLOATS = new Set([1, 10, 11, 16]);
const ROUNDINGS = new Set(['Round', 'Floor', 'Ceil']);

function withoutFinalRounding(model: Model): Model {
  const { graph } = model;
  const removed = new Map<Node, string>();
  const outputs = graph.outputs.map((output) => {
    const last = WHOLE.has(output.type) ? finalRounding(graph, output.name) : [];
    for (const node of last) removed.set(node, output.name);
    return last.length > 0 ? { ...output, type: 'float32' as const } : output;
  });
  if (removed.size === 0) return model;
  const nodes = graph.nodes.map((node) =>
    removed.has(node) ? { ...node, operator: 'Identity', attributes: {}, inputs: node.inputs.slice(0, 1) } : node,
  );
  const said = graph.outputs
    .filter((output, i) => outputs[i] !== output)
    .map(({ name, type }) => {
      const steps = [...removed].filter(([, of]) => of === name).map(([node]) => node.operator);
      return `The output '${name}' is ${type}: its last rounding (${steps.reverse().join(', ')}) is left out, so that a gradient passes.`;
    });
  return { ...model, notes: [...model.notes, ...said], graph: { ...graph, nodes, outputs } };
}

/**
 * The nodes that turn a float value into the whole numbers of `output`, the last one first: a Cast, with what rounds
 * before it. Empty where the chain of nodes is another, or where one of its values is read elsewhere.
 */
function finalRounding(graph: Graph, output: string): Node[] {
  const producers = producersOf(graph);
  const reads = new Map<string, number>();
  for (const name of [...graph.nodes.flatMap(readsOf), ...graph.outputs.map(({ name }) => name)])
    reads.set(name, (reads.get(name) ?? 0) + 1);
  const found: Node[] = [];
  let value = output;
  for (;;) {
    const node = producers.get(value);
    if (node?.domain !== '' || reads.get(value) !== 1) break;
    const isCast = node.operator === 'Cast' && !FLOATS.has(intAttribute(node, 'to', 1));
    // Bounds of a Clip after the Cast are whole numbers themselves.
    if (found.length === 0 && !isCast && !MOVES.has(node.operator)) return [];
    if (isCast || ROUNDINGS.has(node.operator)) found.push(node);
    else if (!MOVES.has(node.operator) && node.operator !== 'Clip') break;
    value = node.inputs[0];
  }
  const maker = producers.get(value);
  // An index or a test is a whole number from the beginning.
  return maker && NEVER_FLOAT.has(maker.operator) ? [] : found;
}

const NEVER_FLOAT = new Set([
  'ArgMax',
  'ArgMin',
  'Shape',
  'Size',
  'NonZero',
  'Equal',
  'Less',
  'Greater',
  'And',
  'Or',
  'Not',
]);

/** A latent of one axis and a fixed length above 1 is one image's. */
function withLatentBatch(model: Model): Model {
  const { graph } = model;
  const latent = guessLatent(model);
  const input = graph.inputs.find(({ name }) => name === latent?.name);
  const length = input?.dims[0];
  if (input?.dims.length !== 1 || typeof length !== 'number' || length < 2) return model;
  const captured = graph.nodes.some((node) => readsOf(node).includes(input.name) && !node.inputs.includes(input.name));
  if (captured) return model;
  const b = new GraphBuilder(graph);
  const row = b.fresh(`${input.name}/row`);
  const [flat] = b.node('Reshape', [input.name, b.ints([length])], {}, [row]);
  const rest = graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((name) => (name === input.name ? flat : name)),
  }));
  const inputs = graph.inputs.map((one) => (one === input ? { ...one, dims: [1, length] } : one));
  return {
    ...model,
    notes: [...model.notes, `The latent '${input.name}' [${length}] has no batch axis: one picture is made at a time.`],
    graph: { ...b.graph(graph.name, inputs, graph.outputs), nodes: [...b.nodes.slice(graph.nodes.length), ...rest] },
  };
}
