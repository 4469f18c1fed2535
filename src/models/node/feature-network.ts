/** The feature network that a user names by its file, or the one that comes with the package. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PolicySettings } from '../../detect/policy.ts';
import { RgiError } from '../../errors.ts';
import { type FeatureNetwork, type FeatureNetworkOptions, openFeatureNetwork } from '../../features/network.ts';
import { rangeDoubt } from '../../features/range.ts';
import type { Image } from '../../images/image.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openTriedModel, type TrialFlags } from './trial.ts';
import { type ModelHashes, modelHashes } from './weight-files.ts';

/** What is said of a feature network on the command line. */
export interface FeatureFlags extends TrialFlags {
  /** A file; true or undefined for the network of the package; false for none. */
  readonly features?: string | boolean;
  /** Range of values at its input; default: as its file says. */
  readonly featureRange?: FeatureNetworkOptions['range'];
  /** Layers whose maps are used; default: as its file says, else chosen. */
  readonly featureLayers?: readonly string[];
}

/** A feature network from a file. */
export interface OpenedFeatures extends ModelHashes {
  /** The network, ready to be used. */
  readonly network: FeatureNetwork;
  /** Its path. */
  readonly file: string;
}

/** The feature network of this package: models/features/README.md says where it is from. */
export const SHIPPED_FEATURES: string = fileURLToPath(
  new URL('../../../models/features/mobilenet_v2_block10.onnx', import.meta.url),
);

/** Opens it; undefined where none is wanted. Throws `RgiError` where the file cannot be used as one. */
export async function openFeatureFile(runtime: Runtime, flags: FeatureFlags): Promise<OpenedFeatures | undefined> {
  if (flags.features === false) return undefined;
  const file = typeof flags.features === 'string' ? flags.features : SHIPPED_FEATURES;
  return { ...(await openAt(file, runtime, flags)), ...(await modelHashes(file)) };
}

async function openAt(
  file: string,
  runtime: Runtime,
  flags: Omit<FeatureFlags, 'features'>,
): Promise<Pick<OpenedFeatures, 'network' | 'file'>> {
  const { modelMemory, modelSeconds, signal } = flags;
  const model = await openTriedModel(file, { modelMemory, modelSeconds, signal });
  const network = await openFeatureNetwork(model, runtime, {
    range: flags.featureRange,
    layers: flags.featureLayers,
    name: file,
  });
  return { network, file };
}

/** The network that a policy was made with, undefined where it compares pixels alone: the file beside the model, the one of the package, or the one that is named. */
export async function openPolicyFeatures(
  runtime: Runtime,
  policy: PolicySettings,
  modelFile: string,
  flags: Omit<FeatureFlags, 'featureRange' | 'featureLayers'> = {},
): Promise<OpenedFeatures | undefined> {
  const wanted = policy.features?.network;
  if (!wanted) return undefined;
  const named = typeof flags.features === 'string' ? [flags.features] : [];
  const places = [...named, path.join(path.dirname(modelFile), wanted.file), SHIPPED_FEATURES];
  for (const file of places.filter((one) => existsSync(one))) {
    const hashes = await modelHashes(file);
    if (hashes.sha256 !== wanted.sha256) continue;
    const settings = { ...flags, featureRange: wanted.range, featureLayers: wanted.layers };
    return { ...(await openAt(file, runtime, settings)), ...hashes };
  }
  throw new RgiError(
    'model',
    `The policy of ${modelFile} was made with the feature network '${wanted.file}', which is not beside the model${named.length > 0 ? `, and ${named[0]} is another one` : ''}: copy it there, name it with --features, or calibrate again.`,
    { file: wanted.file },
  );
}

/** Sentences that a user should read about the network on these pictures. */
export async function featureNotes(network: FeatureNetwork, pictures: Image, runtime: Runtime): Promise<string[]> {
  const doubt = await rangeDoubt(network, pictures, runtime);
  return doubt === undefined ? [] : [doubt];
}
