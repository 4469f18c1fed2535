/** Opens a generator from its bytes or its graph: adapted, described, and refused where it cannot be searched as it is. */
import { RgiError } from '../errors.ts';
import { adaptGenerator } from '../inspect/adapt.ts';
import type { ImageFacts, ImageRange, ModelFacts } from '../inspect/facts.ts';
import { guessLatent } from '../inspect/guess.ts';
import { inspectModel } from '../inspect/inspect.ts';
import { gradientObstacles } from '../inspect/obstacles.ts';
import { usualForm } from '../inspect/usual-form.ts';
import { type Generator, openGenerator } from '../inversion/generator/generator.ts';
import type { LatentLaw } from '../inversion/generator/latent-law.ts';
import { noiseFromText } from '../inversion/generator/noise-file.ts';
import type { NoiseModel } from '../inversion/generator/noise-model.ts';
import { inStyleSpace, styleSpaceOf } from '../inversion/generator/style-space.ts';
import { splitModel } from '../onnx/encode.ts';
import type { Model } from '../onnx/graph.ts';
import { checkInputSize } from '../onnx/limits.ts';
import { readModel } from '../onnx/read.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { randomFrom } from '../random.ts';
import { evaluatorOf, type Runtime } from '../runtime/runtime.ts';
import { checkInputs } from './inputs.ts';

/** What a file does not say, or says wrongly. */
export interface OpeningOptions {
  /** Names of the unknowns: inputs or inner values, or 'w' or 'w+' alone (`StyleSpace`); default: the latent input. */
  readonly latents?: readonly string[];
  /** What the latents are drawn from; default: as the file says, else N(0, 1). */
  readonly law?: LatentLaw;
  /** Shape of one latent, without its batch axis, where the file leaves it open. */
  readonly latentShape?: readonly number[];
  /** Values of inputs that are not searched, by name. */
  readonly inputs?: ReadonlyMap<string, Tensor>;
  /** Name of the output that is the picture; default: the largest that looks like one. */
  readonly output?: string;
  /** The picture's value range; default: detected. */
  readonly range?: ImageRange;
  /** The picture's axes; default: detected. */
  readonly layout?: 'NCHW' | 'NHWC';
  /** [C, H, W] of a picture whose output has other axes, such as [N, C * H * W]. */
  readonly shape?: readonly number[];
  /** What errors call the model: a file's path. Default 'The model'. */
  readonly name?: string;
}

/** A model opened as a generator. */
export interface OpenedGenerator {
  /** What `restoreImages`, `calibrate` and the solver take. */
  readonly generator: Generator;
  /** The model with its picture as the first output: float32 [N, C, H, W] in [-1, 1]. */
  readonly model: Model;
  /** What `inspectModel` found. */
  readonly facts: ModelFacts;
  /** The distribution that random latents are drawn from. */
  readonly law: LatentLaw;
  /** What was adapted or assumed, one sentence each. */
  readonly notes: readonly string[];
}

/** As `openGeneratorModel`, from an ONNX file's bytes (whose weights are all in it). */
export function openGeneratorBytes(
  bytes: Uint8Array,
  runtime: Runtime,
  options: OpeningOptions = {},
): Promise<OpenedGenerator> {
  return openGeneratorModel(readModel(bytes), runtime, options);
}

/**
 * Runs `model` on a few latents, adapts its picture to float32 [N, C, H, W] in [-1, 1], and describes it as a generator.
 * Throws `usage` where an input or a size is open, `model` where it is no generator of pictures, `unsupported-operator` where
 * no gradient passes; each sentence says which option settles it.
 */
export async function openGeneratorModel(
  given: Model,
  runtime: Runtime,
  options: OpeningOptions = {},
): Promise<OpenedGenerator> {
  const { name = 'The model', inputs = new Map<string, Tensor>() } = options;
  checkOutput(given, options.output, name);
  const model = usualForm(withLatentShape(given, options, name));
  const space = styleSpaceOf(model.graph, options.latents);
  const latents = space ? undefined : options.latents;
  checkInputs(model.graph.inputs, inputs, latents, name);
  const evaluate = evaluatorOf(runtime, splitModel);
  const { output, shape, range } = options;
  const facts = await inspectModel(model, evaluate, { inputs, unknowns: latents, output, shape, range });
  if (facts.refusals.length > 0) throw new RgiError('model', `${name}: ${facts.refusals[0]}`, { file: options.name });
  const image = imageOf(facts, options.layout, name);
  const adapted = adaptGenerator(model, image);
  const law = options.law ?? facts.latent!.law;
  const open = () =>
    openGenerator(adapted.graph, runtime, { latents, law, fixed: inputs, output: adapted.graph.outputs[0].name });
  const obstacle = facts.withoutDerivative.at(0);
  if (obstacle !== undefined && options.latents === undefined) throw noGradient(name, obstacle, options.name);
  const base = await open();
  const opened = space ? await inStyleSpace(base, space, runtime) : base;
  const noise = storedNoise(model, opened, options);
  const generator = noise ? { ...opened, noise } : opened;
  if (obstacle !== undefined) await checkGradient(generator, runtime, name, options.name);
  const assumed =
    options.law === undefined && facts.latent!.from === 'guess'
      ? ['The file does not state the distribution of its latents; N(0,1) is assumed (--latent-law).']
      : [];
  const notes = [...new Set([...facts.notes, ...adapted.notes, ...assumed])];
  return { generator, model: adapted, facts, law, notes };
}

/** The noise model that the file brings, where the picture is what it was measured on. */
function storedNoise(
  { metadata }: Model,
  { channels, height, width }: Generator,
  { range, layout, shape }: OpeningOptions,
): NoiseModel | undefined {
  const text = metadata.get('rgi.noise');
  if (text === undefined || (range ?? layout ?? shape) !== undefined) return undefined;
  return noiseFromText(text, [channels, height, width]);
}

function checkOutput({ graph }: Model, wanted: string | undefined, name: string): void {
  const { outputs } = graph;
  if (wanted === undefined || outputs.some((output) => output.name === wanted)) return;
  const names = outputs.map((output) => `'${output.name}'`).join(', ');
  throw new RgiError('usage', `${name} has no output '${wanted}'; it has ${names}.`, { file: name });
}

/** The latent's open sizes as they were given. */
export function withLatentShape(model: Model, { latents, latentShape }: OpeningOptions, name: string): Model {
  if (latentShape === undefined) return model;
  const named = latents?.find((latent) => model.graph.inputs.some((input) => input.name === latent));
  const latent = guessLatent(model, named);
  const input = model.graph.inputs.find((one) => one.name === latent?.name);
  const inner = input?.dims.slice(1) ?? [];
  const fits =
    inner.length === latentShape.length &&
    inner.every((dim, axis) => typeof dim !== 'number' || dim === latentShape[axis]);
  if (!input || !fits) {
    const has = input ? `its latent '${input.name}' is [${input.dims.join(', ')}]` : 'it has no latent';
    throw new RgiError('usage', `${name}: --latent-shape ${latentShape.join(',')} does not fit: ${has}.`, {
      file: name,
    });
  }
  const sized = { ...input, dims: [input.dims[0], ...latentShape] };
  checkInputSize(sized);
  const inputs = model.graph.inputs.map((one) => (one === input ? sized : one));
  return { ...model, graph: { ...model.graph, inputs } };
}

function imageOf(facts: ModelFacts, layout: OpeningOptions['layout'], name: string): ImageFacts {
  const { image } = facts;
  if (!image) {
    const failed = facts.notes.find((note) => note.startsWith('The model could not be run'));
    throw new RgiError('model', `${name}: ${failed ?? facts.notes.find((note) => NO_PICTURE.test(note))}`, {
      file: name,
    });
  }
  const { channels, height, width } = image;
  if (layout === undefined || layout === image.layout || !(image.layout === 'NCHW' || image.layout === 'NHWC')) {
    return image;
  }
  const swapped =
    image.layout === 'NCHW'
      ? { channels: width, height: channels, width: height }
      : { channels: height, height: width, width: channels };
  return { ...image, layout, ...swapped };
}

const NO_PICTURE = /^No (output|input)|takes pictures and no output/;

/** Where no gradient passes from the latent input: does one pass from the unknowns that were named? */
async function checkGradient(generator: Generator, runtime: Runtime, name: string, file?: string): Promise<void> {
  const feeds = await generator.draw(generator.batch === 'any' ? 1 : generator.batch, randomFrom(1));
  const evaluate = evaluatorOf(runtime, splitModel);
  for (const latent of generator.latents) {
    const [found] = await gradientObstacles(generator.graph, feeds, latent.name, generator.output, evaluate);
    if (found) throw noGradient(name, found, file);
  }
}

function noGradient(name: string, obstacle: ModelFacts['withoutDerivative'][number], file?: string): RgiError {
  const { message, ...where } = obstacle;
  return new RgiError('unsupported-operator', `${name}: ${message}`, { file, ...where });
}
