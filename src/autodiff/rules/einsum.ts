/**
 * Einsum: the gradient in one operand is the Einsum of the cotangent and the other operands to that operand's indices.
 * An index that only this operand has was summed alone: a vector of ones spreads the cotangent along it again.
 */
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import { stringAttribute } from '../../onnx/graph.ts';
import { float32 } from '../../onnx/tensor.ts';
import { type Rule, type RuleContext, refuse } from '../rule.ts';

interface Term {
  readonly value: Value;
  readonly labels: readonly string[];
  readonly dims: readonly number[];
}

export const einsum: Rule = {
  gradient: (context) => {
    const { node, cotangents, dims, outputDims, wants } = context;
    const equation = resolve(context);
    const operands = node.inputs.map((value, i) => ({ value, labels: equation.operands[i], dims: dims(i) }));
    const cotangent = { value: cotangents[0]!, labels: equation.output, dims: outputDims(0) };
    const unused = LETTERS.filter((letter) => !equation.operands.flat().includes(letter));
    return operands.map((operand, i) => {
      if (!wants(i)) return undefined;
      return gradientOf(context.b, operand, [cotangent, ...operands.filter((_, j) => j !== i)], unused);
    });
  },
};

function gradientOf(b: GraphBuilder, operand: Term, others: readonly Term[], unused: readonly string[]): Value {
  const terms = [...others];
  const spare = [...unused];
  const size = (label: string) =>
    Math.max(0, ...terms.flatMap((term) => term.labels.flatMap((l, i) => (l === label ? [term.dims[i]] : []))));
  const result: string[] = [];
  operand.labels.forEach((label, i) => {
    const d = operand.dims[i];
    // A broadcast dimension of 1 is summed over (left out here, put back by the reshape).
    if (d === 1) return;
    if (size(label) < d) terms.push({ value: b.floats(new Float32Array(d).fill(1)), labels: [label], dims: [d] });
    if (!result.includes(label)) {
      result.push(label);
      return;
    }
    // A repeated index reads a diagonal: its gradient is put back on it by an identity matrix.
    const copy = spare.shift()!;
    terms.push({ value: identity(b, d), labels: [label, copy], dims: [d, d] });
    result.push(copy);
  });
  const left = terms.map((term) => term.labels.join('')).join(',');
  const value = b.Einsum(
    terms.map((term) => term.value),
    `${left}->${result.join('')}`,
  );
  return result.length === operand.dims.length ? value : b.Reshape(value, operand.dims);
}

function identity(b: GraphBuilder, size: number): Value {
  const data = new Float32Array(size * size);
  for (let i = 0; i < size; i++) data[i * (size + 1)] = 1;
  return b.constant(float32(data, [size, size]), 'identity');
}

const LETTERS = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'];

/** The indices of operands and output, one letter each: ellipses get letters of their own, an absent output is made. */
function resolve({ node, dims }: RuleContext): { operands: string[][]; output: string[] } {
  const equation = stringAttribute(node, 'equation', '').replace(/\s+/g, '');
  const [left, right] = equation.split('->');
  const terms = left.split(',');
  const free = LETTERS.filter((letter) => !equation.includes(letter));
  const hidden = terms.map((term, i) => (term.includes('...') ? dims(i).length - (term.length - 3) : 0));
  const most = Math.max(0, ...hidden);
  if (most > free.length) refuse(node, 'the equation has too many indices.');
  const ellipsis = free.slice(0, most);
  const expand = (term: string, count: number): string[] => {
    const at = term.indexOf('...');
    if (at < 0) return [...term];
    return [...term.slice(0, at), ...ellipsis.slice(most - count), ...term.slice(at + 3)];
  };
  const operands = terms.map((term, i) => expand(term, hidden[i]));
  if (right !== undefined) return { operands, output: expand(right, most) };
  const named = [...left.replace(/[^A-Za-z]/g, '')].sort();
  const once = named.filter((letter) => named.indexOf(letter) === named.lastIndexOf(letter));
  return { operands, output: [...ellipsis, ...once] };
}
