/** Looks at a model: what it says of itself, and what it does when it is run on a few latents. Core of `rgi inspect`. */
import { differentiate, missingRules } from '../autodiff/differentiate.ts';
import { messageOf, RgiError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Evaluate, Graph, Model } from '../onnx/graph.ts';
import { numbersOf, sizeOf, type Tensor } from '../onnx/tensor.ts';
import { prepareForGradient } from '../passes/prepare.ts';
import { tiedWeights } from '../passes/tied.ts';
import { trainableWeights } from '../passes/trainable.ts';
import { randomFrom } from '../random.ts';
import type { BatchFacts, LatentFacts, ModelFacts } from './facts.ts';
import { findImage, guessLatent, probeFeeds } from './guess.ts';

export interface InspectOptions {
  /** Values of inputs other than the latent. */
  readonly inputs?: ReadonlyMap<string, Tensor>;
  /** Name of the latent input, where the guess would be wrong. */
  readonly latent?: string;
  readonly seed?: number;
}

/** Facts about `model`. A model that does not run gives what can be read off it, and a note with the reason. */
export async function inspectModel(
  model: Model,
  evaluate: Evaluate,
  options: InspectOptions = {},
): Promise<ModelFacts> {
  const { graph } = model;
  const notes = [...model.notes];
  const weights = trainableWeights(graph);
  const said = {
    inputs: graph.inputs,
    outputs: graph.outputs,
    opset: model.sourceOpset,
    producer: model.producer,
    role: roleOf(model),
    operators: operatorCounts(graph),
    parameters: weights.reduce((sum, name) => sum + sizeOf(graph.initializers.get(name)!.dims), 0),
    weights: weights.length,
    tiedGroups: tiedWeights(graph).length,
  };
  const latent = guessLatent(model, options.latent);
  if (!latent) {
    notes.push('No input is a float tensor: there is no latent to search.');
    return { ...said, withoutDerivative: [], notes };
  }
  const runs = await tryBatches(graph, latent, evaluate, options);
  if (runs.accepted.length === 0) {
    notes.push(`The model could not be run: ${runs.reason}`);
    return { ...said, latent, withoutDerivative: [], notes };
  }
  const size = runs.accepted[0];
  const image = findImage(model, runs.samples);
  if (!image) notes.push(noImage(latent));
  const { couplesImages } = runs;
  const drawing = RANDOM.filter((operator) => said.operators[operator]);
  if (drawing.length > 0) {
    notes.push(`The model draws random numbers (${drawing.join(', ')}): one draw is kept for a whole inversion.`);
  }
  const feeds = probeFeeds(graph, latent, size, randomFrom(options.seed ?? 1), options.inputs);
  return {
    ...said,
    latent,
    ...(image ? { image } : {}),
    batch: {
      symbolic: runs.symbolic,
      accepted: runs.accepted,
      ...(couplesImages === undefined ? {} : { couplesImages }),
    },
    withoutDerivative: await refusals(graph, feeds, latent.name, image?.output ?? graph.outputs[0].name, evaluate),
    notes,
  };
}

function noImage(latent: LatentFacts): string {
  const pictures = latent.dims.length === 3 && latent.dims[0] <= 4 && latent.dims[1] > 4;
  return pictures
    ? `The input '${latent.name}' takes pictures and no output makes any: this is a discriminator or an encoder, not a generator.`
    : 'No output looks like a batch of pictures ([N, C, H, W] or [N, H, W, C] with 1 to 4 channels).';
}

const RANDOM = ['RandomNormal', 'RandomNormalLike', 'RandomUniform', 'RandomUniformLike', 'Multinomial', 'Bernoulli'];

interface Runs extends BatchFacts {
  readonly samples: readonly ReadonlyMap<string, Tensor>[];
  readonly reason: string;
}

/** Runs at batch 1, 2, 3 and the declared one; at the first above 1 also with all latents but the first replaced. */
async function tryBatches(
  graph: Graph,
  latent: LatentFacts,
  evaluate: Evaluate,
  { inputs, seed = 1 }: InspectOptions,
): Promise<Runs> {
  const declared = graph.inputs.find((input) => input.name === latent.name)!.dims[0];
  const wanted = graph.outputs.map((output) => output.name);
  const sizes = [...new Set([1, 2, 3, ...(typeof declared === 'number' ? [declared] : [])])].sort((a, b) => a - b);
  const accepted: number[] = [];
  const samples: ReadonlyMap<string, Tensor>[] = [];
  let reason = '';
  let couplesImages: boolean | undefined;
  for (const size of sizes) {
    const feeds = probeFeeds(graph, latent, size, randomFrom(seed), inputs);
    try {
      samples.push(await evaluate(graph, feeds, wanted));
      accepted.push(size);
    } catch (error) {
      reason = messageOf(error);
      continue;
    }
    if (size < 2 || couplesImages !== undefined) continue;
    const others = new Map(feeds);
    others.set(latent.name, withOtherRows(feeds.get(latent.name)!, size, seed + 1));
    couplesImages = differs(await evaluate(graph, others, wanted), samples[samples.length - 1], size);
  }
  return { symbolic: typeof declared === 'string', accepted, samples, reason, couplesImages };
}

/** The same first row; the others drawn anew. */
function withOtherRows(tensor: Tensor, rows: number, seed: number): Tensor {
  const random = randomFrom(seed);
  const row = tensor.data.length / rows;
  const data = Float32Array.from(tensor.data as Float32Array, (v, i) => (i < row ? v : random.normal()));
  return { ...tensor, type: 'float32', data };
}

/** Do the first rows of any output differ by more than rounding? */
function differs(a: ReadonlyMap<string, Tensor>, b: ReadonlyMap<string, Tensor>, rows: number): boolean {
  return [...a].some(([name, tensor]) => {
    const other = b.get(name)!;
    const count = Math.floor(tensor.data.length / rows);
    const [x, y] = [numbersOf(tensor).slice(0, count), numbersOf(other).slice(0, count)];
    const scale = Math.max(...y.slice(0, 65536).map(Math.abs), 1e-6);
    return x.some((v, i) => Math.abs(v - y[i]) > 1e-4 * scale);
  });
}

async function refusals(
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
    return [{ message: `The output '${output}' does not depend on '${latent}' through operators with a derivative.` }];
  } catch (error) {
    if (error instanceof RgiError) {
      const { operator, node } = error.location;
      return [{ message: error.message, ...(operator === undefined ? {} : { operator, node }) }];
    }
    throw error;
  }
}

function roleOf(model: Model): string | undefined {
  const said = model.metadata.get('rgi.role');
  return said?.replaceAll('"', '');
}

function operatorCounts(graph: Graph): Record<string, number> {
  const counts = new Map<string, number>();
  const visit = (g: Graph): void => {
    for (const node of g.nodes) {
      const name = node.domain ? `${node.domain}.${node.operator}` : node.operator;
      counts.set(name, (counts.get(name) ?? 0) + 1);
      for (const attribute of Object.values(node.attributes)) if (attribute.kind === 'graph') visit(attribute.value);
    }
  };
  visit(graph);
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}
