/** Which inputs of a graph are unknowns: others get values, and a cut makes inner values inputs. */
import { nameError, RgiError } from '../../errors.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import { type Graph, producersOf, type ValueInfo } from '../../onnx/graph.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import { withoutDeadCode } from '../../passes/dead-code.ts';

/**
 * Fixed inputs as constants. One of a single row where the model takes one per image (a class label) is repeated for the
 * batch at hand, which is the first axis of the value `sized` (default: the first open input).
 */
export function withFixedInputs(
  graph: Graph,
  fixed: ReadonlyMap<string, Tensor>,
  wanted?: string,
  sized?: string,
): Graph {
  for (const name of fixed.keys()) {
    if (!graph.inputs.some((input) => input.name === name)) {
      throw new RgiError(
        'usage',
        `The generator has no input '${name}'; it has ${graph.inputs.map((i) => `'${i.name}'`).join(', ')}.`,
      );
    }
  }
  const output = wanted ? graph.outputs.find((o) => o.name === wanted) : graph.outputs[0];
  if (!output)
    throw new RgiError(
      'usage',
      `The generator has no output '${wanted}'; it has ${graph.outputs.map((o) => `'${o.name}'`).join(', ')}.`,
    );
  const inputs = graph.inputs.filter((input) => !fixed.has(input.name));
  const other = inputs.find((input) => input.type !== 'float32');
  if (other)
    throw new RgiError(
      'usage',
      `The generator's input '${other.name}' is ${other.type}: give it a value with --input ${other.name}=VALUE or a .npy file.`,
    );
  const anchor = sized ?? inputs.find((input) => typeof input.dims[0] === 'string')?.name;
  const perImage = graph.inputs.filter(
    ({ name, dims }) => typeof dims[0] === 'string' && fixed.get(name)?.dims[0] === 1,
  );
  if (anchor === undefined || perImage.length === 0) {
    const initializers = new Map([...graph.initializers, ...fixed]);
    return withoutDeadCode({ ...graph, inputs, outputs: [output], initializers });
  }
  const repeated = new Set(perImage.map((input) => input.name));
  const b = new GraphBuilder(graph);
  for (const [name, tensor] of fixed) if (!repeated.has(name)) b.initializer(name, tensor);
  const [count] = b.node('Shape', [anchor], { start: 0, end: 1 });
  for (const { name } of perImage) {
    const tensor = fixed.get(name)!;
    const row = b.initializer(b.fresh(`${name}/row`), tensor);
    const shape = tensor.dims.length > 1 ? b.Concat([count, b.ints(tensor.dims.slice(1))], 0) : count;
    b.node('Expand', [row, shape], {}, [name]);
  }
  const prepared = b.nodes.slice(graph.nodes.length);
  return withoutDeadCode({ ...b.graph(graph.name, inputs, [output]), nodes: [...prepared, ...graph.nodes] });
}

/** The graph from the named values on: they become its inputs, and what only served to make them goes. */
export function cutAt(graph: Graph, names: readonly string[]): Graph {
  const producers = producersOf(graph);
  const inputs = names.map((name): ValueInfo => {
    const input = graph.inputs.find((i) => i.name === name);
    if (input) return input;
    if (!producers.has(name))
      throw nameError(`The generator has no value named '${name}'. 'rgi inspect' lists the names.`, 'value', name);
    return { name, type: 'float32', dims: [] };
  });
  const cut = new Set(names);
  const nodes = graph.nodes.flatMap((node) => {
    if (!node.outputs.some((output) => cut.has(output))) return [node];
    const outputs = node.outputs.map((output) => (cut.has(output) ? '' : output));
    return outputs.some((output) => output) ? [{ ...node, outputs }] : [];
  });
  const pruned = withoutDeadCode({ ...graph, inputs, nodes });
  const read = new Set(pruned.nodes.flatMap((node) => node.inputs));
  const open = graph.inputs.filter((input) => !cut.has(input.name) && read.has(input.name));
  const decisive = open.find((input) => isReadByValue(pruned, input.name));
  if (decisive) {
    throw new RgiError(
      'usage',
      `Cutting at ${names.map((n) => `'${n}'`).join(', ')} leaves the image dependent on '${decisive.name}': add it to --latent, or give its value (--input).`,
    );
  }
  return open.length === 0 ? pruned : withStandIns(pruned, open, names[0]);
}

/** Does the output depend on what is in `name`, not on its shape alone? */
function isReadByValue(graph: Graph, name: string): boolean {
  const reached = new Set([name]);
  for (const node of graph.nodes) {
    if (node.operator === 'Shape' || node.operator === 'Size') continue;
    if (node.inputs.some((input) => reached.has(input))) for (const output of node.outputs) reached.add(output);
  }
  return graph.outputs.some((output) => reached.has(output.name));
}

/** Exporters ask a latent for the batch size (Shape of z): zeros of its shape, as many as `anchor` has rows, answer too. */
function withStandIns(graph: Graph, open: readonly ValueInfo[], anchor: string): Graph {
  const b = new GraphBuilder(graph);
  const [count] = b.node('Shape', [anchor], { start: 0, end: 1 });
  for (const input of open) {
    const dims = latentDims(input);
    b.node('ConstantOfShape', [dims.length > 0 ? b.Concat([count, b.ints(dims)], 0) : count], {}, [input.name]);
  }
  const standIns = b.nodes.slice(graph.nodes.length);
  return { ...b.graph(graph.name, graph.inputs, graph.outputs), nodes: [...standIns, ...graph.nodes] };
}

export function batchOf(graph: Graph): number | 'any' {
  const sizes = graph.inputs.map((input) => input.dims[0]).filter((dim): dim is number => typeof dim === 'number');
  return sizes.length > 0 ? sizes[0] : 'any';
}

export function latentDims(input: ValueInfo): number[] {
  return input.dims.slice(1).map((dim) => {
    if (typeof dim === 'number') return dim;
    throw new RgiError(
      'usage',
      `The generator's input '${input.name}' has a dynamic dimension '${dim}' besides the batch: fix it in the export, or give the input's value (--input).`,
    );
  });
}
