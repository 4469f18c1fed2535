/** The arrays of a gradient reference: which one feeds which input, and which one is that input's recorded gradient. */
import { nameError, type RgiError } from '../errors.ts';
import type { Graph, ValueInfo } from '../onnx/graph.ts';
import { castTensor, isFloat, type Tensor } from '../onnx/tensor.ts';
import type { Tensors } from '../runtime/runtime.ts';

/** Keys of the reference itself: an input of such a name is found under `in.NAME` or `input_NAME`. */
const RESERVED = new Set(['y', 'g']);

/** Arrays by key: a map, or an archive that unpacks those that are asked for (`openNpz`). */
export interface ReferenceArrays {
  has(key: string): boolean;
  keys(): Iterable<string>;
  get(key: string): Tensor | undefined;
}

export interface MatchedInputs {
  /** A value for every input, in the type it declares. */
  readonly inputs: Map<string, Tensor>;
  /** The key of the recorded gradient of each input that has one. */
  readonly gradients: Map<string, string>;
}

/**
 * `given` first; then an array under the input's name; `z` or `image` is the only float input; and what is left over is
 * taken where only one array can be meant. Throws `usage` where an input stays without a value.
 */
export function matchInputs(
  graph: Graph,
  reference: ReferenceArrays,
  given: Tensors,
  used: ReadonlySet<string>,
): MatchedInputs {
  const inputs = new Map<string, Tensor>();
  const gradients = new Map<string, string>();
  const byName = (name: string) =>
    [...(RESERVED.has(name) ? [] : [name]), `in.${name}`, `input_${name}`].find((key) => reference.has(key));
  const open = graph.inputs.filter(({ name }) => !given.has(name) && byName(name) === undefined);
  const floats = open.filter((input) => isFloat(input.type));
  const usual = floats.length === 1 ? ['z', 'image'].find((key) => reference.has(key)) : undefined;
  const named = new Set([...graph.inputs.map(({ name }) => byName(name)), usual]);
  const spare = [...reference.keys()].filter(
    (key) => !RESERVED.has(key) && !key.includes('grad_') && !used.has(key) && !named.has(key),
  );
  const leftOver = (input: ValueInfo) => {
    const candidates = spare.filter((key) => isFloat(reference.get(key)!.type) === isFloat(input.type));
    const rivals = open.filter((other) => isFloat(other.type) === isFloat(input.type));
    return candidates.length === 1 && rivals.length === 1 ? candidates[0] : undefined;
  };
  for (const input of graph.inputs) {
    const { name } = input;
    const key = byName(name) ?? (floats[0] === input ? usual : undefined) ?? leftOver(input);
    const value = given.get(name) ?? (key === undefined ? undefined : reference.get(key));
    if (!value) throw lacking(`a value of the input '${name}'`, reference);
    inputs.set(name, input.undeclared === 'type' ? value : castTensor(value, input.type));
    const short = key?.replace(/^(in\.|input_)/, '');
    const recorded = [name, short].map((known) => `grad_${known}`).find((known) => reference.has(known));
    if (recorded) gradients.set(name, recorded);
  }
  return { inputs, gradients };
}

export function lacking(what: string, reference: ReferenceArrays): RgiError {
  const names = [...reference.keys()];
  return nameError(`The reference has no array for ${what}; it has ${names.join(', ')}.`, 'array', what, names);
}
