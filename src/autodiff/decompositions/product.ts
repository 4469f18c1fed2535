/** ReduceProd as a tree of products of halves: exact where elements are zero, differentiable to any order. */
import { intAttribute } from '../../onnx/graph.ts';
import { numbersOf, sizeOf, tensorOf } from '../../onnx/tensor.ts';
import type { Decomposition } from '../decomposition.ts';

export const reduceProd: Decomposition = ({ b, node, dims, outputDims, constant, has, typeOf }) => {
  const rank = dims(0).length;
  const given = has(1) ? constant(1) : undefined;
  // Computed axes are left to the rules, which have none for ReduceProd and say so.
  if (has(1) && !given) return [b.node('ReduceProd', node.inputs, node.attributes)[0]];
  const listed = given ? numbersOf(given).map((axis) => (axis < 0 ? axis + rank : axis)) : [];
  const noop = listed.length === 0 && intAttribute(node, 'noop_with_empty_axes', 0) === 1;
  const axes = listed.length > 0 || noop ? listed : dims(0).map((_, i) => i);
  if (axes.length === 0) return [b.Identity(node.inputs[0])];
  const kept = dims(0).flatMap((_, i) => (axes.includes(i) ? [] : [i]));
  const ordered = [...kept, ...axes];
  const outer = sizeOf(kept.map((i) => dims(0)[i]));
  let count = sizeOf(axes.map((i) => dims(0)[i]));
  if (count === 0) {
    const one = b.constant(tensorOf(typeOf(node.inputs[0]).type, [1], []));
    return [b.Expand(one, outputDims(0))];
  }
  const inPlace = ordered.every((axis, i) => axis === i);
  let value = b.Reshape(inPlace ? node.inputs[0] : b.Transpose(node.inputs[0], ordered), [outer, count]);
  while (count > 1) {
    const half = Math.floor(count / 2);
    const product = b.Mul(b.Slice(value, [0], [half], [1]), b.Slice(value, [half], [2 * half], [1]));
    value = count % 2 ? b.Concat([product, b.Slice(value, [2 * half], [count], [1])], 1) : product;
    count = half + (count % 2);
  }
  return [b.Reshape(value, outputDims(0))];
};
