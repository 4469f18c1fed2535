/** Trained networks as ONNX files that say what they are (metadata `rgi.*`, JSON values). */
import { noiseToText } from '../inversion/generator/noise-file.ts';
import type { NoiseModel } from '../inversion/generator/noise-model.ts';
import { elementCode } from '../onnx/element-codes.ts';
import { encodeModel } from '../onnx/encode.ts';
import type { Graph, Node } from '../onnx/graph.ts';
import { castTensor, type Tensor } from '../onnx/tensor.ts';
import type { Role } from './steps/update.ts';

export interface ModelFacts {
  readonly channels: number;
  readonly size: number;
  readonly latent: number;
  /** How it was trained: settings, data, figures; plain JSON. */
  readonly training: Readonly<Record<string, unknown>>;
  /** Licence of the data and so of the model, and whom to name. */
  readonly licence?: { readonly name: string; readonly attribution?: string };
  /** What a generator leaves out of good pictures. */
  readonly noise?: NoiseModel;
  /** Files beside the generator, with their SHA-256. */
  readonly companions?: Readonly<Record<string, { readonly file: string; readonly sha256: string }>>;
}

/** The bytes of a network's file. `half` stores weights in 16 bits, widened by a Cast where they are read. */
export function exportNetwork(graph: Graph, role: Role, facts: ModelFacts, half = false): Uint8Array {
  const { channels, size, latent, training, licence, companions } = facts;
  const image = { channels, size: [size, size], range: [-1, 1], layout: 'NCHW' };
  const entries: [string, unknown][] = [
    ['rgi.role', role],
    ['rgi.image', image],
    ...(role === 'discriminator'
      ? []
      : ([['rgi.latent', { input: 'z', shape: [latent], law: 'normal' }]] as [string, unknown][])),
    ['rgi.training', training],
    ...(licence ? ([['rgi.licence', licence]] as [string, unknown][]) : []),
    ...(companions ? ([['rgi.companions', companions]] as [string, unknown][]) : []),
  ];
  const metadata = new Map(entries.map(([key, value]) => [key, JSON.stringify(value)]));
  if (facts.noise && role === 'generator') metadata.set('rgi.noise', noiseToText(facts.noise));
  return encodeModel(half ? inHalf(graph) : graph, metadata);
}

/** Fewer elements than this are left in 32 bits: biases cost nothing. */
const MIN_HALF_LENGTH = 256;

/** Large float32 weights in 16 bits, widened by a Cast where they are read: any runtime computes in float32. */
function inHalf(graph: Graph): Graph {
  const casts: Node[] = [];
  const widened = new Map<string, string>();
  const initializers = new Map<string, Tensor>();
  for (const [name, tensor] of graph.initializers) {
    const small = tensor.type !== 'float32' || tensor.data.length < MIN_HALF_LENGTH;
    initializers.set(name, small ? tensor : castTensor(tensor, 'float16'));
    if (small) continue;
    const output = `${name}.float`;
    const attributes = { to: { kind: 'int', value: elementCode('float32') } } as const;
    casts.push({ operator: 'Cast', domain: '', name: output, inputs: [name], outputs: [output], attributes });
    widened.set(name, output);
  }
  const nodes = graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map((name) => widened.get(name) ?? name) }));
  return { ...graph, initializers, nodes: [...casts, ...nodes] };
}
