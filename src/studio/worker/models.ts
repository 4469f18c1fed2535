/** Models that are open: a generator with its companions, and what is shared between its searches. */

import { policyNames } from '../../detect/stored-policy.ts';
import { RgiError } from '../../errors.ts';
import { featureMetadata } from '../../features/network.ts';
import { type Reuse, reuse } from '../../inversion/compile/reuse.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { exactProblem } from '../../inversion/solve/exact/exact.ts';
import { encoderFits } from '../../inversion/start/encoded.ts';
import { type OpenedGenerator, openGeneratorBytes } from '../../models/generator.ts';
import { namedCompanions } from '../../models/metadata.ts';
import type { Graph, Model } from '../../onnx/graph.ts';
import { readModel } from '../../onnx/read.ts';
import type { Runtime, Session } from '../../runtime/runtime.ts';
import type { NamedBytes, OpenedModel } from '../engine.ts';
import type { OpenPolicy } from './inspect.ts';

export interface OpenModel {
  readonly facts: Omit<OpenedModel, 'id'>;
  readonly generator: Generator;
  /** As its file has it, with its metadata. */
  readonly model: Model;
  readonly encoder?: Graph;
  /** All that was opened together. */
  readonly files: readonly NamedBytes[];
  /** Policies that were opened, by name. */
  readonly policies: Map<string, Promise<OpenPolicy>>;
  /** For methods that take a start from an encoder. */
  readonly withEncoder: Generator;
  /** What runs of one start rule share. */
  reuseFor(key: unknown): Reuse;
  /** Latents to pictures, once it was asked for. */
  session?: Promise<Session>;
}

export async function openModel(files: readonly NamedBytes[], runtime: Runtime): Promise<OpenModel> {
  const main = mainOf(files);
  const product = await openGeneratorBytes(main.bytes, runtime, { name: main.name });
  // What is made once of a generator hangs on this very object: searches are given it as it is.
  const { generator, model, notes } = product;
  const encoder = encoderOf(files, product);
  const isLinear = (await exactProblem(generator, runtime)) !== undefined;
  const reuses = new Map<string, Reuse>();
  return {
    generator,
    model,
    encoder,
    files,
    policies: new Map(),
    withEncoder: encoder ? { ...generator, encoder } : generator,
    facts: {
      name: main.name,
      width: generator.width,
      height: generator.height,
      channels: generator.channels,
      latents: generator.latents.reduce((sum, { dims }) => sum + dims.reduce((a, b) => a * b, 1), 0),
      isLinear,
      policies: policyNames(model),
      notes,
    },
    reuseFor(key) {
      const name = JSON.stringify(key);
      const known = reuses.get(name) ?? reuse();
      reuses.set(name, known);
      return known;
    },
  };
}

function isFeatureNetwork(bytes: Uint8Array): boolean {
  try {
    return featureMetadata(readModel(bytes)) !== undefined;
  } catch {
    // What cannot be read is refused as a generator, in words.
    return false;
  }
}

/** The generator among the files: the one that no other file names as its companion. */
function mainOf(files: readonly NamedBytes[]): NamedBytes {
  const networks = files.filter(({ name, bytes }) => /\.onnx$/i.test(name) && !isFeatureNetwork(bytes));
  if (networks.length === 0) {
    const names = files.map(({ name }) => name).join(', ') || 'nothing';
    throw new RgiError('usage', `A model is an .onnx file with its companions; ${names} was given.`);
  }
  if (networks.length === 1) return networks[0];
  const companions = new Set(
    networks.flatMap(({ bytes }) => {
      const named = namedCompanions(readModel(bytes));
      return named === 'invalid' ? [] : Object.values(named).map(({ file }) => file);
    }),
  );
  const main = networks.filter(({ name }) => !companions.has(name));
  if (main.length === 1) return main[0];
  const names = main.map(({ name }) => name).join(', ');
  throw new RgiError('usage', `It is not clear which of these files is the generator: ${names}. Open them one by one.`);
}

function encoderOf(files: readonly NamedBytes[], { model, generator }: OpenedGenerator): Graph | undefined {
  const named = namedCompanions(model);
  const companion = named === 'invalid' ? undefined : named.encoder;
  const file = companion && files.find(({ name }) => name === companion.file);
  if (!file) return undefined;
  const { graph } = readModel(file.bytes);
  return encoderFits(generator, graph) ? graph : undefined;
}
