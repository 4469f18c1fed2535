/** The models that are open in the worker, each with what came with it. */

import { type Inspector, openInspector } from '../../detect/inspector.ts';
import type { Policy } from '../../detect/policy.ts';
import { POLICIES, parsePolicy, policyNames } from '../../detect/stored-policy.ts';
import { RgiError } from '../../errors.ts';
import { type FeatureNetwork, openFeatureNetwork } from '../../features/network.ts';
import { type Reuse, reuse } from '../../inversion/compile/reuse.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { exactProblem } from '../../inversion/solve/exact/exact.ts';
import { type Method, takesEncoder, usesScore } from '../../inversion/spec/method.ts';
import { encoderFits } from '../../inversion/start/encoded.ts';
import { type OpenedCritic, openCriticModel } from '../../models/critic.ts';
import { type OpenedGenerator, openGeneratorBytes } from '../../models/generator.ts';
import { encodeModel } from '../../onnx/encode.ts';
import type { Graph } from '../../onnx/graph.ts';
import { readModel } from '../../onnx/read.ts';
import { sizeOf } from '../../onnx/tensor.ts';
import type { Runtime, Session } from '../../runtime/runtime.ts';
import type { NamedBytes, OpenedModel } from '../engine.ts';

/** A model that is open. */
export interface HeldModel {
  readonly opened: OpenedGenerator;
  readonly encoder?: Graph;
  readonly critic?: OpenedCritic;
  readonly policies: ReadonlyMap<string, Policy>;
  readonly features?: FeatureNetwork;
  readonly inspectors: Map<string, Promise<Inspector>>;
  /** The generator for searches of a method: the same object each time, on which what is made once of it hangs. */
  generatorFor(method: Method): Generator;
  /** From latents to pictures; opened once. */
  session(): Promise<Session>;
  endSession(): Promise<void>;
  /** Compiled steps and starts, for all searches of methods that begin alike. */
  reuseFor(method: Method): Reuse;
}

export interface Models {
  open(files: readonly NamedBytes[]): Promise<OpenedModel>;
  close(id: string): Promise<void>;
  /** Throws `usage` where it is not open. */
  get(id: string): HeldModel;
  inspector(id: string, policy: string): Promise<Inspector>;
}

export function createModels(runtime: Runtime): Models {
  const models = new Map<string, HeldModel>();
  let count = 0;
  const get = (id: string) => {
    const model = models.get(id);
    if (!model) throw new RgiError('usage', 'This model is not open any more; choose it again.');
    return model;
  };
  return {
    async open(files) {
      const id = `model ${++count}`;
      const { held, facts } = await openModel(files, runtime);
      models.set(id, held);
      return { id, ...facts };
    },
    async close(id) {
      const model = models.get(id);
      models.delete(id);
      for (const inspector of model?.inspectors.values() ?? []) await (await inspector).dispose();
      await model?.endSession();
    },
    get,
    inspector(id, name) {
      const { opened, encoder, features, policies, inspectors } = get(id);
      const policy = policies.get(name);
      if (!policy)
        throw new RgiError(
          'usage',
          `The model has no policy '${name}': train it on good pictures for inspection first.`,
        );
      const made =
        inspectors.get(name) ?? openInspector({ generator: opened.generator, encoder, features, policy }, runtime);
      inspectors.set(name, made);
      return made;
    },
  };
}

const roleOf = (text: string | undefined) => text?.replaceAll('"', '');

/** The generator among the files, with the others that go with it. */
async function openModel(
  files: readonly NamedBytes[],
  runtime: Runtime,
): Promise<{ readonly held: HeldModel; readonly facts: Omit<OpenedModel, 'id'> }> {
  const networks = files.filter(({ name }) => /\.onnx$/i.test(name));
  if (networks.length === 0)
    throw new RgiError('input', `${files[0]?.name ?? 'Nothing'} is no model: choose an .onnx file.`);
  const read = networks.map(({ name, bytes }) => ({ name, bytes, model: named(name, () => readModel(bytes)) }));
  const byRole = (role: string) => read.find(({ model }) => roleOf(model.metadata.get('rgi.role')) === role);
  const features = read.find(({ model }) => model.metadata.has('rgi.features'));
  const others = new Set([byRole('encoder'), byRole('discriminator'), features]);
  const main = byRole('generator') ?? read.find((one) => !others.has(one));
  if (!main) throw new RgiError('model', `${read[0].name} is not a generator: it makes no picture from a latent.`);
  const opened = await openGeneratorBytes(main.bytes, runtime, { name: main.name });
  const { generator } = opened;
  const encoder = byRole('encoder')?.model.graph;
  const discriminator = byRole('discriminator');
  const archive = files.find(({ name }) => /\.npz$/i.test(name));
  const policies = new Map<string, Policy>();
  if (archive && main.model.metadata.has(POLICIES))
    for (const name of policyNames(main.model)) policies.set(name, await parsePolicy(main.model, archive.bytes, name));
  const held: HeldModel = {
    opened,
    ...(encoder && encoderFits(generator, encoder) ? { encoder } : {}),
    ...(discriminator
      ? { critic: await openCriticModel(discriminator.model, runtime, generator, discriminator.name) }
      : {}),
    ...(features ? { features: await openFeatures(features, policies, runtime) } : {}),
    policies,
    inspectors: new Map(),
    ...sessionOf(generator, runtime),
    ...searchesOf(generator, encoder && encoderFits(generator, encoder) ? encoder : undefined),
  };
  return {
    held,
    facts: {
      name: main.name,
      width: generator.width,
      height: generator.height,
      channels: generator.channels,
      latents: generator.latents.reduce((sum, { dims }) => sum + sizeOf(dims), 0),
      isLinear: (await exactProblem(generator, runtime)) !== undefined,
      policies: [...policies.keys()],
      notes: opened.notes,
    },
  };
}

function sessionOf({ graph }: Generator, runtime: Runtime): Pick<HeldModel, 'session' | 'endSession'> {
  let opened: Promise<Session> | undefined;
  return {
    session() {
      opened ??= runtime.session(encodeModel(graph));
      return opened;
    },
    endSession: async () => (await opened)?.dispose(),
  };
}

function searchesOf(generator: Generator, encoder: Graph | undefined): Pick<HeldModel, 'generatorFor' | 'reuseFor'> {
  const encoded = encoder && { ...generator, encoder };
  const reuses = new Map<string, Reuse>();
  const generatorFor = (method: Method) => (encoded && takesEncoder(method) ? encoded : generator);
  return {
    generatorFor,
    reuseFor(method) {
      const key = JSON.stringify([method.start, generatorFor(method) === encoded, usesScore(method)]);
      const known = reuses.get(key) ?? reuse();
      reuses.set(key, known);
      return known;
    },
  };
}

/** With the input and the layers that a policy of it was made with. */
function openFeatures(
  { name, model }: { readonly name: string; readonly model: ReturnType<typeof readModel> },
  policies: ReadonlyMap<string, Policy>,
  runtime: Runtime,
): Promise<FeatureNetwork> {
  const wanted = [...policies.values()].find(({ features }) => features)?.features?.network;
  return openFeatureNetwork(model, runtime, { name, range: wanted?.range, layers: wanted?.layers });
}

/** An error of a file, by the file's name. */
function named<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RgiError)) throw error;
    throw new RgiError(error.code, `${name}: ${error.message}`, { ...error.location, file: name }, { cause: error });
  }
}
