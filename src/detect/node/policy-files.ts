/**
 * Policies on disk: settings in the model file's metadata (`rgi.policies`, by name), statistics beside it in
 * MODEL.policy.npz. Whatever was exported by whatever tool stays as it is but for that entry.
 */
import { writeNpz } from '../../arrays/npy.ts';
import { messageOf, RgiError } from '../../errors.ts';
import { MAX_FILE_BYTES, readRegular } from '../../files/node/regular.ts';
import { writeFileAtomic } from '../../images/node/write.ts';
import type { Model } from '../../onnx/graph.ts';
import { withMetadata } from '../../onnx/metadata.ts';
import { readModel } from '../../onnx/read.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import { type Policy, settingsOf, statisticsArrays } from '../policy.ts';
import {
  DEFAULT_POLICY,
  digestOf,
  joinPolicy,
  POLICIES,
  type PolicyLabels,
  policyEntries,
  readStatistics,
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

/** Stores a policy, in place of one of its name: the statistics first, then the model file, each whole or not at all. */
export async function writePolicy(file: string, policy: Policy): Promise<string[]> {
  const bytes = await readRegular(file, MAX_FILE_BYTES);
  const entries = policyEntries(readModel(bytes, () => new Uint8Array()));
  const arrays = statisticsArrays(policy.statistics);
  const labels = labelsOf(file);
  const beside = labels.statistics;
  const others = new Map<string, Tensor>();
  const kept = Object.keys(entries).filter((name) => name !== policy.name);
  if (kept.length > 0) {
    const stored = readStatistics(await readBeside(labels, kept[0]), labels);
    for (const [key, tensor] of stored) if (kept.some((name) => key.startsWith(`${name}.`))) others.set(key, tensor);
  }
  const all = new Map([...others, ...[...arrays].map(([key, tensor]) => [`${policy.name}.${key}`, tensor] as const)]);
  await writeFileAtomic(beside, writeNpz(all));
  const settings = { ...settingsOf(policy), statistics: await digestOf(arrays) };
  const value = JSON.stringify({ ...entries, [policy.name]: settings });
  await writeFileAtomic(file, withMetadata(bytes, new Map([[POLICIES, value]])));
  return [file, beside];
}

function labelsOf(file: string): PolicyLabels {
  return { model: file, statistics: statisticsFile(file) };
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
