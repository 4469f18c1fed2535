/** The detectors an evaluation names, on the networks that go with them. */

import { inversionBatch } from '../../detect/inverter.ts';
import { inOneSpace } from '../../detect/joining.ts';
import { readPolicy } from '../../detect/node/policy-files.ts';
import { settingsOf } from '../../detect/policy.ts';
import { RgiError } from '../../errors.ts';
import type { Detector } from '../../evaluate/detect/detector.ts';
import { padimDetector, patchcoreDetector } from '../../evaluate/detect/features.ts';
import type { NamedDetector } from '../../evaluate/detect/methods.ts';
import { autoencoderDetector, fanoganDetector } from '../../evaluate/detect/networks.ts';
import { gaussianDetector, pcaDetector } from '../../evaluate/detect/plain.ts';
import { productDetector } from '../../evaluate/detect/product.ts';
import { searchDetector } from '../../evaluate/detect/search.ts';
import type { Candidate, LearnContext } from '../../evaluate/node/detect.ts';
import { type AutoencoderSettings, trainAutoencoder } from '../../gan/autoencoder.ts';
import type { Image, Size } from '../../images/image.ts';
import { batchSize } from '../../inversion/solve/restore.ts';
import { openEncoder } from '../../models/node/encoder.ts';
import { openFeatureFile, openPolicyFeatures } from '../../models/node/feature-network.ts';
import { type OpenedGenerator, openGeneratorFile } from '../../models/node/networks.ts';
import { modelHashes } from '../../models/node/weight-files.ts';
import { encodeModel } from '../../onnx/encode.ts';
import type { Graph } from '../../onnx/graph.ts';
import { readModel } from '../../onnx/read.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { type Networks, openCritics, resolve } from './contestants.ts';
import type { DetectFlags } from './detect-flags.ts';

/** Pictures that a detector without a search looks at together. */
const PLAIN_BATCH = 32;
/** f-AnoGAN's, whose discriminator may stand in the graph once per picture. */
const FANOGAN_BATCH = 8;

export interface PictureShape {
  readonly channels: number;
  readonly size?: Size;
}

export interface OpenedModel {
  readonly opened: OpenedGenerator;
  readonly networks: Networks;
  readonly file: string;
  readonly description: unknown;
}

/** The generator and its networks; undefined where no method needs one. Throws `usage` where one does and none is given. */
export async function openDetectModel(
  runtime: Runtime,
  named: readonly NamedDetector[],
  flags: DetectFlags,
): Promise<OpenedModel | undefined> {
  if (!named.some(needsGenerator) || flags.generator === undefined) return undefined;
  const file = flags.generator;
  const withGenerator = { ...flags, generator: file };
  const alone = await openGeneratorFile(runtime, withGenerator);
  const encoder = await openEncoder(alone, withGenerator);
  const opened = { ...alone, generator: { ...alone.generator, encoder: encoder?.graph } };
  const networks = await openCritics(runtime, opened, withGenerator);
  const { latents } = opened.generator;
  const description = {
    file,
    ...(await modelHashes(file)),
    latents,
    law: opened.law,
    ...(encoder ? { encoder: await modelHashes(encoder.file) } : {}),
  };
  return { opened, networks, file, description };
}

export function checkNeeds(
  named: readonly NamedDetector[],
  { generator, detector }: Pick<DetectFlags, 'generator' | 'detector'>,
): void {
  if (detector === undefined && named.some(({ kind }) => kind === 'detector'))
    throw new RgiError('usage', "The method 'detector' needs a file of 'rgi export': give it with --detector.");
  const needs = named.find(needsGenerator);
  if (!needs || generator !== undefined) return;
  throw new RgiError(
    'usage',
    `The method '${needs.name}' needs a generator of good pictures: give it with --generator.`,
  );
}

function needsGenerator({ kind }: NamedDetector): boolean {
  return kind === 'search' || kind === 'f-anogan' || kind === 'policy';
}

/**
 * What pictures must be: of the generator's size, unless a policy inspects tiles of larger ones. Throws `usage` where both are
 * asked for.
 */
export async function pictureShape(
  named: readonly NamedDetector[],
  model: OpenedModel | undefined,
): Promise<PictureShape | undefined> {
  if (!model) return undefined;
  const { channels, height, width } = model.opened.generator;
  const forms = new Map<string, 'object' | 'tiles'>();
  for (const one of named.filter(needsGenerator)) {
    const policy = one.kind === 'policy' ? await readPolicy(model.file, model.opened.model, one.policy) : undefined;
    forms.set(one.name, policy?.form ?? 'object');
  }
  const [tiles] = [...forms].find(([, form]) => form === 'tiles') ?? [];
  const [whole] = [...forms].find(([, form]) => form === 'object') ?? [];
  if (tiles === undefined) return { channels, size: { height, width } };
  if (whole === undefined) return { channels };
  throw new RgiError(
    'usage',
    `The method '${tiles}' inspects pictures by tiles and '${whole}' whole pictures of the generator's size: evaluate them in separate runs.`,
  );
}

export async function candidateOf(
  named: Exclude<NamedDetector, { kind: 'detector' }>,
  runtime: Runtime,
  model: OpenedModel | undefined,
  flags: DetectFlags,
): Promise<Candidate> {
  const { name, kind } = named;
  const plain = { name, batch: PLAIN_BATCH, walks: false };
  switch (kind) {
    case 'gaussian':
      return { ...plain, description: { kind }, learn: async (good) => gaussianDetector(good) };
    case 'pca': {
      const { components } = named;
      return {
        ...plain,
        description: { kind, components },
        learn: (good) => pcaDetector(good, components, runtime),
      };
    }
    case 'autoencoder': {
      const { settings } = named;
      return {
        ...plain,
        description: { kind, settings },
        learn: (good, context) => learnAutoencoder(good, settings, runtime, context),
      };
    }
    case 'padim':
    case 'patchcore':
      return featureCandidate(named, runtime, flags);
    case 'f-anogan':
      return fanoganCandidate(named, runtime, model!);
    case 'policy':
      return productCandidate(named, runtime, model!, flags);
    case 'search': {
      const { opened, networks, description } = model!;
      const { generator } = opened;
      const contestant = resolve(named.recipe, opened, networks);
      const { method, critic, recipe } = contestant;
      const scoredBy = method.name === 'anogan' ? 'loss' : 'map';
      const job = { generator, method, critic, thresholdGrey: recipe.thresholdGrey, scoredBy } as const;
      return {
        name,
        description: { generator: description, scoredBy, ...(contestant.description as object) },
        batch: batchSize({ generator, method, batch: flags.batch }),
        walks: true,
        learn: async () => searchDetector(job, runtime),
      };
    }
  }
}

/** The network that an earlier run trained, or a new one, stored for a later run. */
async function learnAutoencoder(
  good: Image,
  settings: AutoencoderSettings,
  runtime: Runtime,
  { learnt, onProgress, signal }: LearnContext,
): Promise<Detector | undefined> {
  const kept = graphOf(await learnt.load());
  if (kept) return autoencoderDetector(kept, runtime);
  const onStep = (step: number) => onProgress(step, settings.steps);
  const graph = await trainAutoencoder(good, settings, runtime, { onStep, signal });
  if (!graph) return undefined;
  await learnt.store(encodeModel(graph, new Map([['rgi.training', JSON.stringify(settings)]])));
  return autoencoderDetector(graph, runtime);
}

/** Undefined for no file, or one that is no model. */
function graphOf(bytes: Uint8Array | undefined): Graph | undefined {
  try {
    return bytes && readModel(bytes).graph;
  } catch {
    return undefined;
  }
}

/** Of the network that comes with the package, or the one that is named. */
async function featureCandidate(
  named: NamedDetector & { kind: 'padim' | 'patchcore' },
  runtime: Runtime,
  flags: DetectFlags,
): Promise<Candidate> {
  const { network, sha256, weights } = (await openFeatureFile(runtime, {
    ...flags,
    features: flags.features ?? true,
  }))!;
  const { range, size, layers } = network;
  const facts = { sha256, weights, range, size, layers: layers.map((layer) => layer.name) };
  const learning = ({ onProgress, signal }: LearnContext) => ({ onProgress, signal });
  return {
    name: named.name,
    batch: PLAIN_BATCH,
    walks: false,
    ...(named.kind === 'padim'
      ? {
          description: { kind: 'padim', network: facts },
          learn: (good, context) => padimDetector(good, network, runtime, learning(context)),
        }
      : {
          description: { kind: 'patchcore', bank: named.bank, seed: flags.seed, network: facts },
          learn: (good, context) =>
            patchcoreDetector(good, network, runtime, { bank: named.bank, seed: flags.seed }, learning(context)),
        }),
  };
}

function fanoganCandidate(
  { name, kappa }: NamedDetector & { kind: 'f-anogan' },
  runtime: Runtime,
  { opened, networks, description }: OpenedModel,
): Candidate {
  const { generator } = opened;
  const fail = (what: string) => new RgiError('usage', `The method '${name}' needs ${what}`);
  const layer = networks.layers.at(-1);
  const { critic } = networks.contestant;
  if (!critic || layer === undefined)
    throw fail('a discriminator with activations, whose features it compares: give it with --discriminator.');
  const { encoder } = generator;
  if (encoder === undefined)
    throw fail("an encoder, from pictures to latents: give it with --encoder ('rgi train' makes one).");
  return {
    name,
    description: { kind: 'f-anogan', kappa, layer, generator: description, networks: networks.described },
    batch: FANOGAN_BATCH,
    walks: false,
    learn: async () => fanoganDetector({ generator, encoder, critic, layer, kappa }, runtime),
  };
}

/** What `rgi detect` does with the model. */
async function productCandidate(
  { name, policy: asked, space }: NamedDetector & { kind: 'policy' },
  runtime: Runtime,
  model: OpenedModel,
  flags: DetectFlags,
): Promise<Candidate> {
  const { opened, file, description } = model;
  const { generator } = opened;
  const stored = await readPolicy(file, opened.model, asked);
  const policy = space ? inOneSpace(stored, space) : stored;
  const features = await openPolicyFeatures(runtime, policy, file, flags);
  return {
    name,
    // The policy names the file of features by its hash, but not files of weights beside it.
    description: { kind: 'policy', policy: settingsOf(policy), generator: description, features: features?.weights },
    batch: flags.batch ?? inversionBatch(generator),
    walks: false,
    learn: async () =>
      productDetector(
        { generator, encoder: generator.encoder, features: features?.network, policy, batch: flags.batch },
        runtime,
      ),
  };
}
