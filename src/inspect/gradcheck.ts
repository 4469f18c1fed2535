/**
 * Are the gradients right? L = <g, y> is differentiated and compared either with central differences along random
 * directions, or with recorded gradients. The core of `rgi gradcheck`.
 */
import { dot } from '../arrays/vectors.ts';
import { differentiate } from '../autodiff/differentiate.ts';
import { nameError, RgiError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { encodeModel } from '../onnx/encode.ts';
import type { Graph, Node, ValueInfo } from '../onnx/graph.ts';
import { castTensor, float32, float32Data, isFloat, numbersOf, type Tensor, zeros } from '../onnx/tensor.ts';
import { withFrozenDraws } from '../passes/draws.ts';
import { prepareForGradient } from '../passes/prepare.ts';
import { randomFrom } from '../random.ts';
import { evaluatorOf, type Runtime, type Session, type Tensors } from '../runtime/runtime.ts';
import { stepsBetween } from './obstacles.ts';
import { lacking, matchInputs, type ReferenceArrays } from './reference.ts';

/**
 * Differences in float32 are good to a few 1e-3 along the gradient and 2e-2 along random directions: rounding, and the
 * kinks of rectifiers that a step crosses. A wrong rule is off by far more than this.
 */
export const DIFFERENCE_TOLERANCE = 3e-2;
/** Steps of the ladder: rectifiers close to their kinks need the small ones. */
const STEPS = 13;

/** Recorded float64 gradients, away from kinks: relative, in the norm. */
export const REFERENCE_TOLERANCE = 1e-4;

/** One comparison of a gradient. */
export interface GradcheckEntry {
  /** Name of the tensor that the gradient is in, or of the output. */
  readonly tensor: string;
  /** 'output', 'reference KEY', 'along the gradient', or 'random direction N'. */
  readonly against: string;
  /** Relative error: of the norm (reference), or of a derivative over the gradient's norm (differences). */
  readonly error: number;
  /** The largest relative error that passes. */
  readonly tolerance: number;
  /** Is the error within the tolerance? */
  readonly passed: boolean;
}

/** All comparisons of one check. */
export interface GradcheckResult {
  /** Did all of them pass? */
  readonly passed: boolean;
  /** One or more for each tensor, in the order in which they were asked for. */
  readonly entries: readonly GradcheckEntry[];
}

/** What `checkByDifferences` is given. */
export interface DifferenceOptions {
  /** A value for every input of the graph; the point of the check. */
  readonly inputs: Tensors;
  /** Inputs and initialisers to check; default: the float inputs. */
  readonly wrt?: readonly string[];
  /** Name of the output y of L = <g, y>; default: the graph's first. */
  readonly output?: string;
  /** Random directions per tensor, besides the gradient's own. Default 3. */
  readonly directions?: number;
  /** Of g and the random directions; default 1. */
  readonly seed?: number;
  /** Largest relative error that passes; default `DIFFERENCE_TOLERANCE`. */
  readonly tolerance?: number;
}

/**
 * Directional derivatives against central differences, extrapolated (Richardson) over a ladder of steps (Ridders). Throws
 * `unsupported-operator` where every path from a checked tensor ends in an operator whose derivative is zero everywhere.
 */
export async function checkByDifferences(
  graph: Graph,
  runtime: Runtime,
  options: DifferenceOptions,
): Promise<GradcheckResult> {
  const { directions = 3, seed = 1, tolerance = DIFFERENCE_TOLERANCE } = options;
  const random = randomFrom(seed);
  const wrt = options.wrt ?? graph.inputs.filter((input) => isFloat(input.type)).map((input) => input.name);
  const { open: drawing, feeds } = withWeightsAsInputs(graph, options.inputs, wrt);
  const open = await withFrozenDraws(drawing, feeds, evaluatorOf(runtime, encodeModel));
  const output = outputOf(open, options.output);
  // As written: ONNX Runtime's own rewrites may compute in fewer bits (a quantised product), which the gradient does not.
  const forward = await runtime.session(encodeModel({ ...open, outputs: [output] }), { optimise: 'none' });
  try {
    const y = (await forward.run(feeds)).get(output.name)!;
    const g = float32(random.normals(y.data.length), y.dims);
    const gradients = await gradientsAt(open, runtime, feeds, output.name, g, wrt, true);
    const loss = async (changed: Tensors) =>
      dot(float32Data((await forward.run(new Map([...feeds, ...changed]))).get(output.name)!), float32Data(g));
    const entries: GradcheckEntry[] = [];
    for (const name of wrt) {
      const gradient = float32Data(gradients.get(name)!);
      const norm = Math.sqrt(dot(gradient, gradient));
      for (let i = 0; i <= directions; i++) {
        const direction = i === 0 ? scaled(gradient, 1 / (norm || 1)) : random.normals(gradient.length);
        const slope = await slopeAlong(name, feeds.get(name)!, direction, loss);
        const error = Math.abs(slope - dot(gradient, direction)) / Math.max(norm, 1e-6);
        const against = i === 0 ? 'along the gradient' : `random direction ${i}`;
        entries.push({ tensor: name, against, error, tolerance, passed: error <= tolerance });
      }
    }
    return resultOf(entries);
  } finally {
    await forward.dispose();
  }
}

/** What `checkByReference` is given. */
export interface ReferenceOptions {
  /** Arrays by key: the inputs (see `matchInputs`), `y`, `g`, and recorded gradients. Floats of any width. */
  readonly reference: ReferenceArrays;
  /** Recorded gradient keys by tensor (weights, inputs, values between), besides the inputs' own `grad_z`, `grad_image` or `grad_NAME`. */
  readonly wrt?: ReadonlyMap<string, string>;
  /** Values of further inputs; those not given are looked up in the reference by name. */
  readonly inputs?: Tensors;
  /** Name of the output y of L = <g, y>; default: the graph's first. */
  readonly output?: string;
  /** Largest relative error that passes; default `REFERENCE_TOLERANCE`. */
  readonly tolerance?: number;
}

/** The output and the gradients of L = <g, y> against recorded ones, each by its relative error in the norm. */
export async function checkByReference(
  graph: Graph,
  runtime: Runtime,
  options: ReferenceOptions,
): Promise<GradcheckResult> {
  const { reference, tolerance = REFERENCE_TOLERANCE } = options;
  const keys = new Map(options.wrt);
  const { inputs, gradients: recorded } = matchInputs(
    graph,
    reference,
    options.inputs ?? new Map(),
    new Set(keys.values()),
  );
  for (const [name, key] of recorded) if (!keys.has(name)) keys.set(name, key);
  if (keys.size === 0) throw lacking("a gradient ('grad_z' or 'grad_image')", reference);
  const cotangent = reference.get('g');
  if (!cotangent) throw lacking("the cotangent 'g'", reference);
  const g = castTensor(cotangent, 'float32');
  const wrt = [...keys.keys()];
  const { open, feeds } = withWeightsAsInputs(graph, inputs, wrt, true);
  const output = outputOf(open, options.output);
  const gradients = await gradientsAt(open, runtime, feeds, output.name, g, wrt);
  const compare = (tensor: string, against: string, actual: Tensor, expected: Tensor): GradcheckEntry => {
    const error = relativeError(actual, expected);
    return { tensor, against, error, tolerance, passed: error <= tolerance };
  };
  const entries: GradcheckEntry[] = [];
  const y = reference.get('y');
  if (y) entries.push(compare(output.name, 'reference y', gradients.get(output.name)!, y));
  for (const [name, key] of keys) {
    const expected = reference.get(key);
    if (!expected) throw lacking(`the array '${key}'`, reference);
    entries.push(compare(name, `reference ${key}`, gradients.get(name)!, expected));
  }
  return resultOf(entries);
}

function resultOf(entries: readonly GradcheckEntry[]): GradcheckResult {
  return { passed: entries.every((entry) => entry.passed), entries };
}

/** Checked weights become inputs: fed, differentiated and stepped like the others. Values made by nodes stay where they are. */
function withWeightsAsInputs(graph: Graph, inputs: Tensors, wrt: readonly string[], mayBeInner = false) {
  const feeds = new Map(inputs);
  const initializers = new Map(graph.initializers);
  const opened: ValueInfo[] = [];
  const constants = new Set<Node>();
  for (const name of wrt) {
    if (graph.inputs.some((input) => input.name === name)) continue;
    const maker = graph.nodes.find((node) => node.outputs.includes(name));
    const attribute = maker?.operator === 'Constant' ? maker.attributes.value : undefined;
    const tensor = attribute?.kind === 'tensor' ? attribute.value : initializers.get(name);
    if (tensor?.type === 'float32') {
      if (maker) constants.add(maker);
      initializers.delete(name);
      feeds.set(name, tensor);
      opened.push({ name, type: tensor.type, dims: tensor.dims });
    } else if (!(maker && !attribute && mayBeInner)) {
      const sentence =
        maker && !attribute
          ? `'${name}' is neither an input nor a weight. An inner value can only be checked with a reference.`
          : `The model has no input, float weight or value named '${name}'. 'rgi inspect' lists the names.`;
      throw new RgiError(
        'usage',
        sentence,
        { tensor: name },
        { details: { kind: 'name', of: 'value', received: name } },
      );
    }
  }
  const nodes = graph.nodes.filter((node) => !constants.has(node));
  return { open: { ...graph, nodes, inputs: [...graph.inputs, ...opened], initializers }, feeds };
}

function outputOf(graph: Graph, wanted: string | undefined) {
  const output = graph.outputs.find((o) => (wanted === undefined ? isFloat(o.type) : o.name === wanted));
  if (output) return output;
  const names = graph.outputs.map((o) => `'${o.name}'`).join(', ');
  throw nameError(
    `The model has no ${wanted ? `output '${wanted}'` : 'float output'}; it has ${names}.`,
    'output',
    wanted ?? '',
    graph.outputs.map((o) => o.name),
  );
}

/** dL/d of each of `wrt` for L = <g, y>, zeros where L does not depend on it; and y itself under its name. */
async function gradientsAt(
  graph: Graph,
  runtime: Runtime,
  feeds: Tensors,
  output: string,
  g: Tensor,
  wrt: readonly string[],
  refusesSteps = false,
): Promise<Map<string, Tensor>> {
  const evaluate = evaluatorOf(runtime, encodeModel);
  const one = { ...graph, outputs: graph.outputs.filter((o) => o.name === output) };
  const primal = await prepareForGradient(one, feeds, evaluate, { wrt });
  const dims = primal.types.get(output)!.dims;
  if (dims.join() !== g.dims.join()) {
    throw new RgiError(
      'usage',
      `The cotangent g has shape [${g.dims.join(', ')}], the output [${dims.join(', ')}].`,
      {},
      { details: { kind: 'shape', of: 'g', expected: dims, received: g.dims } },
    );
  }
  const b = new GraphBuilder(primal);
  const seed = b.reserve(b.fresh('cotangent'));
  const gradients = differentiate(b, primal, new Map([[output, seed]]), wrt);
  const lost = refusesSteps ? wrt.filter((name) => !gradients.has(name)) : [];
  for (const name of lost) {
    const [step] = stepsBetween(primal, name, output);
    if (step !== undefined) throw new RgiError('unsupported-operator', step, { tensor: name });
  }
  const outputs = [...gradients].map(([name, value]) => {
    const [made] = b.node('Identity', [value], {}, 1, `grad/${name}`);
    return { of: name, info: { name: made, type: 'float32' as const, dims: [] } };
  });
  const full = b.graph(
    'gradcheck',
    [...primal.inputs, { name: seed, type: 'float32', dims: g.dims }],
    [...primal.outputs, ...outputs.map(({ info }) => info)],
  );
  const values = await runOnce(await runtime.session(encodeModel(full)), new Map([...feeds, [seed, g]]));
  const results = new Map<string, Tensor>([[output, values.get(output)!]]);
  for (const name of wrt) results.set(name, zeros('float32', (feeds.get(name) ?? primal.types.get(name)!).dims));
  for (const { of, info } of outputs) results.set(of, values.get(info.name)!);
  return results;
}

async function runOnce(session: Session, feeds: Tensors): Promise<Map<string, Tensor>> {
  try {
    return await session.run(feeds);
  } finally {
    await session.dispose();
  }
}

/**
 * dL/dt of L(x + t u) at 0. Steps from a tenth of x's root mean square down by halves; of the extrapolated values the one
 * that agrees best with its neighbours is taken: large steps suffer from curvature and kinks, small ones from rounding.
 */
async function slopeAlong(
  name: string,
  x: Tensor,
  direction: Float32Array,
  loss: (changed: Tensors) => Promise<number>,
): Promise<number> {
  const values = float32Data(x);
  const size = Math.sqrt(dot(values, values)) || Math.sqrt(values.length);
  const unit = size / (Math.sqrt(dot(direction, direction)) || 1);
  const at = (t: number) =>
    loss(
      new Map([
        [
          name,
          float32(
            values.map((v, i) => v + t * direction[i]),
            x.dims,
          ),
        ],
      ]),
    );
  const central: number[] = [];
  for (let k = 0; k < STEPS; k++) {
    const h = 0.1 * unit * 2 ** -k;
    central.push(((await at(h)) - (await at(-h))) / (2 * h));
  }
  const extrapolated = central.slice(1).map((fine, k) => (4 * fine - central[k]) / 3);
  // Three in a row that agree: two may do so by chance.
  const spreads = extrapolated.slice(2).map((value, k) => {
    const three = [extrapolated[k], extrapolated[k + 1], value];
    return Math.max(...three) - Math.min(...three);
  });
  return extrapolated[spreads.indexOf(Math.min(...spreads)) + 1];
}

function scaled(a: Float32Array, factor: number): Float32Array {
  return a.map((v) => v * factor);
}

function relativeError(actual: Tensor, expected: Tensor): number {
  const [a, e] = [numbersOf(actual), numbersOf(expected)];
  if (a.length !== e.length) return Number.POSITIVE_INFINITY;
  const norm = (values: readonly number[]) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
  return norm(a.map((v, i) => v - e[i])) / Math.max(norm(e), 1e-12);
}
