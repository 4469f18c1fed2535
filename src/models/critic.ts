/** Opens a network that looks at pictures of a generator's size: a discriminator, or one whose layers are compared. */
import { RgiError } from '../errors.ts';
import { inspectModel } from '../inspect/inspect.ts';
import { brokenWeight } from '../inspect/weights.ts';
import { activationLayers, type Critic, criticOf } from '../inversion/generator/critic.ts';
import type { Generator } from '../inversion/generator/generator.ts';
import { encodeModel } from '../onnx/encode.ts';
import type { Model } from '../onnx/graph.ts';
import { evaluatorOf, type Runtime } from '../runtime/runtime.ts';
import { trainedHere } from './metadata.ts';

/** Said where the recipes of the RGI paper leave out their critic term. */
export const LOGISTIC_NOTE =
  "The RGI paper's critic term is off: it needs a Wasserstein critic, and this discriminator was trained with a logistic loss.";

export interface OpenedCritic {
  readonly critic: Critic;
  /** Trained by `rgi train`, with a logistic loss? */
  readonly logistic: boolean;
  /** Its activations: what features are taken from where no layers are named. */
  readonly layers: readonly string[];
  /** Every value that can be named as a layer. */
  readonly values: ReadonlySet<string>;
}

/** `name` is what errors call the network. Throws `model` where it does not take the generator's pictures alone. */
export async function openCriticModel(
  model: Model,
  runtime: Runtime,
  generator: Pick<Generator, 'channels' | 'height' | 'width'>,
  name: string,
): Promise<OpenedCritic> {
  const { inputs } = model.graph;
  const wanted = [generator.channels, generator.height, generator.width];
  const dims = inputs[0]?.dims.slice(1) ?? [];
  const fits = dims.length === 3 && dims.every((dim, axis) => typeof dim !== 'number' || dim === wanted[axis]);
  if (inputs.length !== 1 || inputs[0].type !== 'float32' || !fits) {
    const has = inputs.map((input) => `'${input.name}' ${input.type} [${input.dims.join(', ')}]`).join(', ');
    throw new RgiError(
      'model',
      `${name} must take one batch of pictures [N, ${wanted.join(', ')}]; its inputs: ${has || 'none'}.`,
      { file: name },
    );
  }
  const broken = brokenWeight(model.graph);
  if (broken) throw new RgiError('model', `${name}: ${broken}`, { file: name });
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
