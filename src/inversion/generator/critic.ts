/**
 * A second network that looks at images: a discriminator's score as a prior, its (or a VGG's) inner layers as features.
 * A network that couples the images of a batch (minibatch statistics) is applied to each image by itself, so that a
 * batched run answers as single runs would.
 */
import { RgiError } from '../../errors.ts';
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import type { Graph } from '../../onnx/graph.ts';
import { producersOf } from '../../onnx/graph.ts';
import { appendGraph } from '../../onnx/merge.ts';

/** A second network that looks at pictures [N,C,H,W] in [-1,1], as fragments of a graph (`criticOf`). */
export interface Critic {
  /** D's scalar per image, [N]; larger = more real. */
  score(b: GraphBuilder, image: Value, batch: number): Value;
  /** The named inner values for a batch of images, batch axis first. */
  features(b: GraphBuilder, image: Value, batch: number, layers: readonly string[]): readonly Value[];
}

const ACTIVATIONS = new Set([
  'Relu',
  'LeakyRelu',
  'PRelu',
  'Elu',
  'Selu',
  'Gelu',
  'Softplus',
  'Tanh',
  'HardSwish',
  'Mish',
]);

/** The outputs of the network's activations in order: the layers whose features are compared if none are named. */
export function activationLayers(graph: Graph): string[] {
  return graph.nodes.filter((node) => ACTIVATIONS.has(node.operator)).map((node) => node.outputs[0]);
}

/** `couples`: do the images of a batch influence each other in it? (found by running it, see `rgi inspect`) */
export function criticOf(graph: Graph, couples: boolean): Critic {
  if (graph.inputs.length !== 1) {
    throw new RgiError(
      'model',
      `The discriminator needs exactly one input, an image batch; it has ${graph.inputs.length}: ${graph.inputs.map((i) => i.name).join(', ')}.`,
    );
  }
  const producers = producersOf(graph);
  let copies = 0;
  const shared = new WeakMap<GraphBuilder, Map<string, Value>>();
  /** Nodes are copied per application, initialisers are shared within a graph. */
  const apply = (b: GraphBuilder, image: Value, wanted: readonly string[]): Value[] => {
    const weights = shared.get(b) ?? new Map<string, Value>();
    shared.set(b, weights);
    const prefix = `critic.${copies++}/`;
    const bindings = new Map([[graph.inputs[0].name, image], ...weights]);
    const fresh = new Map([...graph.initializers].filter(([name]) => !weights.has(name)));
    const names = appendGraph(b, { ...graph, initializers: fresh }, prefix, bindings, wanted);
    for (const name of fresh.keys()) weights.set(name, prefix + name);
    return wanted.map((name) => names.get(name)!);
  };
  const perImage = (b: GraphBuilder, image: Value, batch: number, wanted: readonly string[]): Value[] => {
    if (!couples || batch === 1) return apply(b, image, wanted);
    const singles = b
      .Split(
        image,
        Array.from({ length: batch }, () => 1),
        0,
      )
      .map((single) => apply(b, single, wanted));
    return wanted.map((_, i) =>
      b.Concat(
        singles.map((values) => values[i]),
        0,
      ),
    );
  };
  return {
    score: (b, image, batch) => b.Reshape(perImage(b, image, batch, [graph.outputs[0].name])[0], [batch]),
    features: (b, image, batch, layers) => {
      for (const layer of layers) {
        if (!producers.has(layer))
          throw new RgiError(
            'usage',
            `The feature network has no value named '${layer}'. 'rgi inspect' lists the names.`,
          );
      }
      return perImage(b, image, batch, layers);
    },
  };
}
