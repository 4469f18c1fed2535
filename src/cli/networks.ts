/** Opens the networks a user names: the generator, adapted and described; a discriminator or feature network. */
import path from 'node:path';
import { readNpy } from '../arrays/npy.ts';
import { messageOf, RgiError } from '../errors.ts';
import { readBytes } from '../images/node/decode.ts';
import { adaptGenerator } from '../inspect/adapt.ts';
import type { ImageFacts, ImageRange, ModelFacts } from '../inspect/facts.ts';
import { inspectModel } from '../inspect/inspect.ts';
import { activationLayers, type Critic, criticOf } from '../inversion/critic.ts';
import { type Generator, type LatentLaw, openGenerator } from '../inversion/generator.ts';
import { encodeModel } from '../onnx/encode.ts';
import type { Model, ValueInfo } from '../onnx/graph.ts';
import { castTensor, isFloat, sizeOf, type Tensor, tensorOf } from '../onnx/tensor.ts';
import { openModel } from '../runtime/node/model-file.ts';
import { evaluatorOf, type Runtime } from '../runtime/runtime.ts';
import { trainedHere } from './metadata.ts';

export interface GeneratorFlags {
  readonly generator: string;
  readonly latent?: readonly string[];
  readonly latentLaw?: LatentLaw;
  readonly input?: readonly string[];
  readonly outputName?: string;
  readonly range?: ImageRange;
  readonly layout?: ImageFacts['layout'];
}

export interface OpenedGenerator {
  readonly generator: Generator;
  readonly model: Model;
  readonly facts: ModelFacts;
  readonly law: LatentLaw;
  /** What was adapted or assumed, one sentence each. */
  readonly notes: readonly string[];
}

export async function openGeneratorFile(runtime: Runtime, flags: GeneratorFlags): Promise<OpenedGenerator> {
  const file = flags.generator;
  const model = withOutputFirst(await openModel(file), flags.outputName, file);
  const fixed = await fixedInputs(model.graph.inputs, flags.input ?? []);
  checkInputs(model.graph.inputs, fixed, flags.latent, file);
  const facts = await inspectModel(model, evaluatorOf(runtime, encodeModel), { inputs: fixed });
  const image = imageOf(facts, flags, file);
  if (facts.withoutDerivative.length > 0 && flags.latent === undefined) {
    const [{ message, ...where }] = facts.withoutDerivative;
    throw new RgiError('unsupported-operator', `${file}: ${message}`, { file, ...where });
  }
  const adapted = adaptGenerator(model, image);
  const law = flags.latentLaw ?? facts.latent!.law;
  const generator = await openGenerator(adapted.graph, runtime, {
    latents: flags.latent,
    law,
    fixed,
    output: adapted.graph.outputs[0].name,
  });
  const assumed =
    flags.latentLaw === undefined && facts.latent!.from === 'guess'
      ? ['The file does not say how its latents are distributed: N(0,1) is assumed (--latent-law).']
      : [];
  const several =
    generator.latents.length > 1 && flags.latent === undefined
      ? [`The unknowns are ${generator.latents.map((latent) => `'${latent.name}'`).join(', ')} (--latent, --input).`]
      : [];
  return { generator, model: adapted, facts, law, notes: [...adapted.notes, ...assumed, ...several] };
}

function withOutputFirst(model: Model, wanted: string | undefined, file: string): Model {
  if (wanted === undefined) return model;
  const { outputs } = model.graph;
  const first = outputs.find((output) => output.name === wanted);
  if (!first) {
    const names = outputs.map((output) => `'${output.name}'`).join(', ');
    throw new RgiError('usage', `${file} has no output '${wanted}'; it has ${names}.`, { file });
  }
  return { ...model, graph: { ...model.graph, outputs: [first, ...outputs.filter((output) => output !== first)] } };
}

/** Every input that is no tensor of floats per image needs a value; said before anything runs. */
function checkInputs(
  inputs: readonly ValueInfo[],
  fixed: ReadonlyMap<string, Tensor>,
  latents: readonly string[] | undefined,
  file: string,
): void {
  const open = inputs.filter((input) => !fixed.has(input.name) && !latents?.includes(input.name));
  const odd = open.find((input) => input.type !== 'float32' || input.dims.length === 0);
  if (odd) {
    const kind = odd.type === 'float32' ? 'a single number' : odd.type;
    throw new RgiError(
      'usage',
      `${file}: its input '${odd.name}' is ${kind} and no latent; give its value with --input ${odd.name}=VALUE or ${odd.name}=FILE.npy.`,
      { file },
    );
  }
}

function imageOf(facts: ModelFacts, flags: GeneratorFlags, file: string): ImageFacts {
  if (facts.image && (flags.outputName === undefined || facts.image.output === flags.outputName)) {
    const { layout, channels, height, width } = facts.image;
    const other = flags.layout !== undefined && flags.layout !== layout;
    const swapped =
      layout === 'NCHW'
        ? { channels: width, height: channels, width: height }
        : { channels: height, height: width, width: channels };
    return {
      ...facts.image,
      ...(other ? { layout: flags.layout, ...swapped } : {}),
      range: flags.range ?? facts.image.range,
    };
  }
  const failed = facts.notes.find((note) => note.startsWith('The model could not be run'));
  const reason =
    failed ??
    'None of its outputs is a batch of pictures ([N, C, H, W] or [N, H, W, C], 1 to 4 channels): no generator.';
  throw new RgiError('model', `${file}: ${reason}`, { file });
}

/** The values of --input NAME=VALUE and NAME=FILE.npy, in the type and shape that the model declares. */
export async function fixedInputs(
  inputs: readonly ValueInfo[],
  given: readonly string[],
): Promise<Map<string, Tensor>> {
  const fixed = new Map<string, Tensor>();
  for (const text of given) {
    const at = text.indexOf('=');
    if (at <= 0) throw new RgiError('usage', `--input ${text}: write NAME=VALUE or NAME=FILE.npy.`);
    const [name, value] = [text.slice(0, at), text.slice(at + 1)];
    const info = inputs.find((input) => input.name === name);
    if (!info) {
      const names = inputs.map((input) => `'${input.name}'`).join(', ');
      throw new RgiError('usage', `--input ${text}: the model has no input '${name}'; it has ${names}.`);
    }
    if (fixed.has(name)) throw new RgiError('usage', `--input ${name} is given twice.`);
    fixed.set(name, value.endsWith('.npy') ? await inputFromFile(info, value) : inputFromText(info, value));
  }
  return fixed;
}

async function inputFromFile(info: ValueInfo, file: string): Promise<Tensor> {
  let stored: Tensor;
  try {
    stored = readNpy(await readBytes(file));
  } catch (error) {
    if (error instanceof RgiError && error.message.startsWith(file)) throw error;
    throw new RgiError('input', `${file} cannot be used: ${messageOf(error)}`, { file }, { cause: error });
  }
  const fits =
    stored.dims.length === info.dims.length &&
    info.dims.every((dim, axis) => typeof dim !== 'number' || dim === stored.dims[axis]);
  if (!fits) {
    throw new RgiError(
      'input',
      `${file} is [${stored.dims.join(', ')}]; the input '${info.name}' is [${info.dims.join(', ')}].`,
      { file },
    );
  }
  return castTensor(stored, info.type);
}

function inputFromText(info: ValueInfo, text: string): Tensor {
  const numbers = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  const dims = info.dims.map((dim) => (typeof dim === 'number' ? dim : 1));
  const size = sizeOf(dims);
  const whole = isFloat(info.type) || numbers.every(Number.isInteger);
  if (!numbers.every(Number.isFinite) || !whole || (numbers.length !== 1 && numbers.length !== size)) {
    throw new RgiError(
      'usage',
      `--input ${info.name}=${text}: the input '${info.name}' is ${info.type} [${info.dims.join(', ')}]; give one number, ${size > 1 ? `${size} with commas between them, ` : ''}or a .npy file.`,
    );
  }
  return tensorOf(
    info.type,
    Array.from({ length: size }, (_, i) => numbers[numbers.length === 1 ? 0 : i]),
    dims,
  );
}

/** Said where the recipes of the RGI paper leave out their critic term. */
export const LOGISTIC_NOTE =
  "The discriminator was trained with a logistic loss: the RGI paper's critic term, made for a Wasserstein critic, is off.";

export interface OpenedCritic {
  readonly critic: Critic;
  /** Trained by `rgi train`, with a logistic loss? */
  readonly logistic: boolean;
  /** Its activations: what features are taken from where no layers are named. */
  readonly layers: readonly string[];
  /** Every value that can be named as a layer. */
  readonly values: ReadonlySet<string>;
}

/** A network that looks at pictures of the generator's size. */
export async function openCriticFile(runtime: Runtime, file: string, generator: Generator): Promise<OpenedCritic> {
  const model = await openModel(file);
  const { inputs } = model.graph;
  const wanted = [generator.channels, generator.height, generator.width];
  const dims = inputs[0]?.dims.slice(1) ?? [];
  const fits = dims.length === 3 && dims.every((dim, axis) => typeof dim !== 'number' || dim === wanted[axis]);
  if (inputs.length !== 1 || inputs[0].type !== 'float32' || !fits) {
    const has = inputs.map((input) => `'${input.name}' ${input.type} [${input.dims.join(', ')}]`).join(', ');
    throw new RgiError(
      'model',
      `${path.basename(file)} must take one batch of pictures [N, ${wanted.join(', ')}]; its inputs: ${has || 'none'}.`,
      { file },
    );
  }
  const open = {
    ...model,
    graph: { ...model.graph, inputs: [{ ...inputs[0], dims: [inputs[0].dims[0], ...wanted] }] },
  };
  const facts = await inspectModel(open, evaluatorOf(runtime, encodeModel));
  return {
    critic: criticOf(model.graph, facts.batch?.couplesImages ?? true),
    logistic: trainedHere(model),
    layers: activationLayers(model.graph),
    values: new Set(model.graph.nodes.flatMap((node) => node.outputs)),
  };
}
