/**
 * Policies on disk: settings in the model file's metadata (`rgi.policies`, by name), statistics beside it in
 * MODEL.policy.npz. Whatever was exported by whatever tool stays as it is but for that entry.
 *
 * The two files are committed by the renaming of the model: before it, the statistics file holds the old arrays and the new ones, these
 * under NAME@DIGEST, and the settings say by their digest which are theirs; after it, the old ones are removed. A process may be killed at
 * any moment, and what can be read is the old policy or the new one.
 */
import path from 'node:path';
import { writeNpz } from '../../arrays/npy.ts';
import { messageOf, RgiError } from '../../errors.ts';
import { rememberModel } from '../../files/node/known-models.ts';
import { MAX_FILE_BYTES } from '../../files/node/limits.ts';
import { readRegular } from '../../files/node/regular.ts';
import { removeLeftovers, writeFileAtomic } from '../../images/node/write.ts';
import { acquireLock } from '../../jobs/node/lock.ts';
import type { Model } from '../../onnx/graph.ts';
import { withMetadata } from '../../onnx/metadata.ts';
import { readModel } from '../../onnx/read.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import { type Policy, settingsOf, statisticsArrays } from '../policy.ts';
import {
  DEFAULT_POLICY,
  digestNamed,
  digestOf,
  joinPolicy,
  ownArrays,
  POLICIES,
  type PolicyLabels,
  policyEntries,
  readStatistics,
  stagedName,
  storedSettings,
} from '../stored-policy.ts';

/** The file of the statistics of all policies of a model. */
export function statisticsFile(modelFile: string): string {
  return `${modelFile.replace(/\.onnx$/i, '')}.policy.npz`;
}

/**
 * The policy `name` of the model read from `file`. Throws `RgiError('usage')` where there is none, `RgiError('model')` where
 * its statistics cannot be read or do not go with it.
 */
export async function readPolicy(file: string, model: Pick<Model, 'metadata'>, name = DEFAULT_POLICY): Promise<Policy> {
  const labels = labelsOf(file);
  const stored = storedSettings(model, name, labels);
  return joinPolicy(stored, await readBeside(labels, name), name, labels);
}

/**
 * Stores a policy, in place of one of its name. Whoever reads meanwhile, or after a crash, gets the old one or the new one. Other
 * policies stay as they are: those whose statistics are lost, too.
 */
export async function writePolicy(file: string, policy: Policy): Promise<string[]> {
  const bytes = await readRegular(file, MAX_FILE_BYTES);
  const entries = policyEntries(readModel(bytes, () => new Uint8Array()));
  const arrays = statisticsArrays(policy.statistics);
  const labels = labelsOf(file);
  const beside = labels.statistics;
  const digest = await digestOf(arrays);
  // Those of this name too, until the model says otherwise.
  const { arrays: stored } = await storedPolicies(labels, entries);
  const others = new Map([...stored].filter(([key]) => !key.startsWith(`${policy.name}.`)));
  const final = new Map([...others, ...under(policy.name, arrays)]);
  const staged = new Map([...stored, ...under(stagedName(policy.name, digest), arrays)]);
  await writeFileAtomic(beside, writeNpz(stored.size === others.size ? final : staged));
  const settings = { ...settingsOf(policy), statistics: digest };
  const value = JSON.stringify({ ...entries, [policy.name]: settings });
  const changed = withMetadata(bytes, new Map([[POLICIES, value]]));
  await writeFileAtomic(file, changed);
  if (stored.size !== others.size) await writeFileAtomic(beside, writeNpz(final));
  await rememberModel(changed);
  return [file, beside];
}

function labelsOf(file: string): PolicyLabels {
  return { model: file, statistics: statisticsFile(file) };
}

/** Names of the policies of the model at `file` whose statistics are not beside it, or are of another model. */
export async function lostPolicies(file: string): Promise<readonly string[]> {
  const entries = policyEntries(readModel(await readRegular(file, MAX_FILE_BYTES), () => new Uint8Array()));
  return (await storedPolicies(labelsOf(file), entries)).lost;
}

interface StoredPolicies {
  /** The arrays of all policies that the model names, each as NAME.ARRAY; what no policy names (any more) is left out. */
  readonly arrays: Map<string, Tensor>;
  /** Names of the policies whose arrays are not there. */
  readonly lost: readonly string[];
}

async function storedPolicies(
  labels: PolicyLabels,
  entries: Readonly<Record<string, unknown>>,
): Promise<StoredPolicies> {
  const names = Object.keys(entries);
  const all = names.length > 0 ? await statisticsBeside(labels, names[0]) : undefined;
  const arrays = new Map<string, Tensor>();
  const lost: string[] = [];
  for (const name of names) {
    const digest = digestNamed(entries[name]);
    const own = digest === undefined || !all ? undefined : await ownArrays(all, name, digest);
    if (!own) lost.push(name);
    for (const [key, tensor] of own ? under(name, own) : []) arrays.set(key, tensor);
  }
  return { arrays, lost };
}

/** Undefined where the file is missing, or is no archive of arrays. */
async function statisticsBeside(labels: PolicyLabels, name: string): Promise<Map<string, Tensor> | undefined> {
  try {
    return readStatistics(await readBeside(labels, name), labels);
  } catch (error) {
    if (error instanceof RgiError && error.code === 'model') return undefined;
    throw error;
  }
}

function under(prefix: string, arrays: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  return new Map([...arrays].map(([key, tensor]) => [`${prefix}.${key}`, tensor]));
}

async function readBeside({ model, statistics }: PolicyLabels, name: string): Promise<Uint8Array> {
  try {
    return await readRegular(statistics);
  } catch (error) {
    throw new RgiError(
      'model',
      `${statistics}, the statistics of the policy '${name}' of ${model}, cannot be read (${messageOf(error)}); copy it beside the model, or calibrate again.`,
      { file: statistics },
      { cause: error },
    );
  }
}

/**
 * Takes a model for the storing of a policy, and removes what a killed process left beside it; returns how it is given back. Throws
 * `usage` where another process is at it.
 */
export async function lockModel(file: string): Promise<() => Promise<void>> {
  const folder = path.dirname(file);
  const release = await acquireLock(path.join(folder, `.${path.basename(file)}.lock`), `The model ${file}`);
  const own = [path.basename(file), path.basename(statisticsFile(file))];
  await removeLeftovers(folder, (name) => own.includes(name));
  return release;
}
