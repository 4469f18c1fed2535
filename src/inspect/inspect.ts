/** Looks at a model: what it says of itself, and what it does when it is run on a few latents. Core of `rgi inspect`. */
import { messageOf } from '../errors.ts';
import type { Evaluate, Graph, Model } from '../onnx/graph.ts';
import { numbersOf, sizeOf, type Tensor } from '../onnx/tensor.ts';
import { tiedWeights } from '../passes/tied.ts';
import { trainableWeights } from '../passes/trainable.ts';
import { randomFrom } from '../random.ts';
import type { BatchFacts, ImageRange, LatentFacts, ModelFacts } from './facts.ts';
import { guessLatent, probeFeeds } from './guess.ts';
import { gradientObstacles } from './obstacles.ts';
import { doubtOf, findPicture, rangeRefusal, type Sample } from './picture.ts';
import { furtherInputs, noPicture, openLatent, picturesToPictures } from './suitability.ts';
import { usualForm } from './usual-form.ts';
import { brokenWeight } from './weights.ts';

/** Options of `inspectModel` besides the model. */
export interface InspectOptions {
  /** Values of inputs other than the latent. */
  readonly inputs?: ReadonlyMap<string, Tensor>;
  /** Name of the latent input, where the guess would be wrong. */
  readonly latent?: string;
  /** The unknowns of a search, where they were named: inputs or inner values. */
  readonly unknowns?: readonly string[];
  /** Name of the output that is the picture; default: the largest that looks like one. */
  readonly output?: string;
  /** [C, H, W] of a picture whose output has other axes. */
  readonly shape?: readonly number[];
  /** The picture's value range, where it is known. */
  readonly range?: ImageRange;
  /** Of the latents at which the model is run; the facts hardly depend on it. */
  readonly seed?: number;
}

/** Facts about `model`. A model that does not run gives what can be read off it, and a note with the reason. */
export async function inspectModel(
  given: Model,
  evaluate: Evaluate,
  options: InspectOptions = {},
): Promise<ModelFacts> {
  const model = usualForm(given);
  const { graph } = model;
  const notes = [...model.notes];
  const weights = trainableWeights(graph);
  const broken = brokenWeight(graph);
  const said = {
    inputs: given.graph.inputs,
    outputs: given.graph.outputs,
    opset: model.sourceOpset,
    producer: model.producer,
    role: roleOf(model),
    operators: operatorCounts(given.graph),
    parameters: weights.reduce((sum, name) => sum + sizeOf(graph.initializers.get(name)!.dims), 0),
    weights: weights.length,
    tiedGroups: tiedWeights(graph).length,
  };
  const unsearched = { ...said, withoutDerivative: [] };
  const latent = guessLatent(model, options.latent ?? inputAmong(options.unknowns, graph));
  if (!latent) {
    notes.push('The model has no float input, so it has no latent to search.');
    return { ...unsearched, refusals: [], notes };
  }
  const open = options.inputs?.has(latent.name) ? undefined : openLatent(graph, latent);
  if (open) return { ...unsearched, latent, refusals: [open], notes };
  const runs = await tryBatches(graph, latent, evaluate, options);
  if (runs.accepted.length === 0) {
    notes.push(`The model could not be run: ${runs.reason}`);
    return { ...unsearched, latent, refusals: broken ? [broken] : [], notes };
  }
  const size = runs.accepted[0];
  const found = findPicture(model, runs.samples, options);
  const image = found?.image && { ...found.image, range: options.range ?? found.image.range };
  const further = furtherInputs(graph, latent, options);
  notes.push(...(found ? found.notes : [noPicture(latent, runs.samples, options.shape)]));
  const doubt = image && !options.range ? doubtOf(image) : undefined;
  if (doubt) notes.push(doubt);
  const { couplesImages } = runs;
  const drawing = RANDOM.filter((operator) => said.operators[operator]);
  if (drawing.length > 0) {
    notes.push(`The model draws random numbers (${drawing.join(', ')}); one draw is used for a whole inversion.`);
  }
  const feeds = probeFeeds(graph, latent, size, randomFrom(options.seed ?? 1), options.inputs);
  const notFinite = found && !found.finite && !broken;
  return {
    ...said,
    latent,
    ...(image ? { image } : {}),
    batch: {
      symbolic: runs.symbolic,
      accepted: runs.accepted,
      ...(couplesImages === undefined ? {} : { couplesImages }),
    },
    withoutDerivative: await gradientObstacles(
      graph,
      feeds,
      latent.name,
      image?.output ?? options.output ?? graph.outputs[0].name,
      evaluate,
    ),
    refusals: [
      ...(broken ? [broken] : []),
      ...(notFinite ? [NOT_FINITE] : []),
      ...(image ? picturesToPictures(latent, image, options) : []),
      ...(image && further ? [further] : []),
      ...(image?.range === 'unknown' && !notFinite ? [rangeRefusal(image)] : []),
    ],
    notes,
  };
}

const NOT_FINITE =
  'its pictures hold values that are not finite (NaN or infinite) at random latents. Export it again, in float32 and from a training that did not diverge.';

function inputAmong(names: readonly string[] | undefined, graph: Graph): string | undefined {
  return names?.find((name) => graph.inputs.some((input) => input.name === name && input.type === 'float32'));
}

const RANDOM = ['RandomNormal', 'RandomNormalLike', 'RandomUniform', 'RandomUniformLike', 'Multinomial', 'Bernoulli'];

interface Runs extends BatchFacts {
  readonly samples: readonly Sample[];
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
  const samples: Sample[] = [];
  const reasons = new Map<number, string>();
  let couplesImages: boolean | undefined;
  for (const size of sizes) {
    const feeds = probeFeeds(graph, latent, size, randomFrom(seed), inputs);
    try {
      samples.push({ size, values: await evaluate(graph, feeds, wanted) });
      accepted.push(size);
    } catch (error) {
      reasons.set(size, messageOf(error));
      continue;
    }
    if (size < 2 || couplesImages !== undefined) continue;
    const others = new Map(feeds);
    others.set(latent.name, withOtherRows(feeds.get(latent.name)!, size, seed + 1));
    couplesImages = differs(await evaluate(graph, others, wanted), samples[samples.length - 1].values, size);
  }
  // The size that the file declares is the one that should have worked; where it is open, one picture.
  const reason = reasons.get(typeof declared === 'number' ? declared : sizes[0]) ?? '';
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
