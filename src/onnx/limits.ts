/**
 * Sizes that a file declares, held against caps before anything of that size is allocated: 200 bytes can ask for
 * gigabytes. What only a run can tell is the business of the trial in a process of its own (`models/node/trial`).
 */
import { RgiError } from '../errors.ts';
import { describeNode, type Graph, intsAttribute, type Node, type ValueInfo } from './graph.ts';
import { numbersOf, sizeOf, type Tensor } from './tensor.ts';

/** Values of an input for one picture: a grey picture of 4096 x 4096. */
export const MAX_INPUT_VALUES = 2 ** 24;
/** Values of an input with its batch axis. */
const MAX_BATCH_VALUES = 2 ** 27;
/** Values that an operator may make by constants alone: 4 GiB of float32. */
export const MAX_NODE_VALUES = 2 ** 30;

const REMEDY = 'The file is damaged, or made to exhaust the memory.';

/** Throws `model` where an input or an operator with constant sizes is larger than the caps. */
export function checkSizes(graph: Graph): void {
  for (const input of graph.inputs) checkInputSize(input);
  checkNodes(graph, () => undefined);
}

/** Throws `model` where the input's declared shape is larger than the caps. */
export function checkInputSize({ name, dims }: ValueInfo): void {
  const sizes = dims.map((dim) => (typeof dim === 'number' ? dim : 1));
  const each = sizeOf(sizes.slice(1));
  if (each <= MAX_INPUT_VALUES && sizeOf(sizes) <= MAX_BATCH_VALUES) return;
  const [values, most, per] =
    each > MAX_INPUT_VALUES ? [each, MAX_INPUT_VALUES, ' for each picture'] : [sizeOf(sizes), MAX_BATCH_VALUES, ''];
  throw new RgiError(
    'model',
    `The input '${name}' declares [${dims.join(', ')}], ${values} values${per}; at most ${most} are accepted. ${REMEDY}`,
    { tensor: name },
  );
}

type ConstantOf = (name: string) => Tensor | undefined;

function checkNodes(graph: Graph, outer: ConstantOf): void {
  const constants = new Map(graph.initializers);
  const constantOf: ConstantOf = (name) => constants.get(name) ?? outer(name);
  for (const node of graph.nodes) {
    const value = node.operator === 'Constant' ? node.attributes.value : undefined;
    if (value?.kind === 'tensor') constants.set(node.outputs[0], value.value);
    const values = valuesMade(node, constantOf);
    // NaN as well: sizes that overflow.
    if (values !== undefined && !(values <= MAX_NODE_VALUES)) {
      throw new RgiError(
        'model',
        `${describeNode(node)} makes ${values} values or more; at most ${MAX_NODE_VALUES} are accepted. ${REMEDY}`,
        { node: node.name, operator: node.operator },
      );
    }
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.kind === 'graph') checkNodes(attribute.value, constantOf);
    }
  }
}

/** Sizes are some axes' lengths: longer lists are data, and no sizes. */
const MAX_AXES = 64;

/** A lower bound of the values that a node makes, by its constants; undefined where they do not tell. */
function valuesMade(node: Node, constantOf: ConstantOf): number | undefined {
  const numbers = (slot: number): number[] | undefined => {
    const tensor = node.inputs[slot] ? constantOf(node.inputs[slot]) : undefined;
    return tensor && tensor.data.length <= MAX_AXES ? numbersOf(tensor) : undefined;
  };
  const known = () => sizeOf(constantOf(node.inputs[0])?.dims ?? []);
  switch (node.domain === '' ? node.operator : '') {
    case 'ConstantOfShape':
      return product(numbers(0));
    case 'Expand':
      return product(numbers(1));
    case 'Tile':
      return times(product(numbers(1)), known());
    case 'Resize':
      return product(numbers(3)) ?? times(product(numbers(2)), known());
    case 'Pad':
      return padded(numbers(1));
    case 'Range': {
      const [start, limit, delta] = [0, 1, 2].map((slot) => numbers(slot)?.[0]);
      if (start === undefined || limit === undefined || delta === undefined) return undefined;
      return Math.max(0, Math.ceil((limit - start) / delta));
    }
    case 'OneHot':
      return numbers(1)?.[0];
    case 'AffineGrid':
      return product(numbers(1));
    case 'HannWindow':
    case 'HammingWindow':
    case 'BlackmanWindow':
      return numbers(0)?.[0];
    case 'RandomNormal':
    case 'RandomUniform':
      return product(intsAttribute(node, 'shape'));
    case 'Conv':
    case 'ConvTranspose':
    case 'MaxPool':
    case 'AveragePool':
    case 'LpPool':
      return Math.max(padded(intsAttribute(node, 'pads')) ?? 0, product(intsAttribute(node, 'output_shape')) ?? 0);
    default:
      return undefined;
  }
}

/** Of sizes below 1 (an axis that is taken over, a scale that shrinks) the bound is 1. */
function product(sizes: readonly number[] | undefined): number | undefined {
  return sizes?.reduce((all, size) => all * Math.max(size, 1), 1);
}

function times(a: number | undefined, b: number): number | undefined {
  return a === undefined ? undefined : a * Math.max(b, 1);
}

/** Each axis is at least as long as what is added before and after it. */
function padded(pads: readonly number[] | undefined): number | undefined {
  const axes = (pads?.length ?? 0) >> 1;
  return pads && product(pads.slice(0, axes).map((begin, i) => begin + pads[axes + i]));
}
