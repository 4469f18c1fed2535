/**
 * Policies on disk: settings in the model file's metadata (`rgi.policies`, by name), statistics beside it in
 * MODEL.policy.npz. Whatever was exported by whatever tool stays as it is but for that entry.
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { readNpz, writeNpz } from '../../arrays/npy.ts';
import { messageOf, RgiError } from '../../errors.ts';
import { MAX_FILE_BYTES, readRegular } from '../../files/node/regular.ts';
import { writeFileAtomic } from '../../images/node/write.ts';
import type { Model } from '../../onnx/graph.ts';
import { withMetadata } from '../../onnx/metadata.ts';
import { readModel } from '../../onnx/read.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import { type Policy, settingsOf, statisticsArrays, statisticsFrom } from '../policy.ts';
import { parseSettings } from './policy-schema.ts';

const POLICIES = 'rgi.policies';

export const DEFAULT_POLICY = 'default';

/** The file of the statistics of all policies of a model. */
export function statisticsFile(modelFile: string): string {
  return `${modelFile.replace(/\.onnx$/i, '')}.policy.npz`;
}

/** Names of the policies that a model holds, in the order they were added. */
export function policyNames(model: Pick<Model, 'metadata'>): string[] {
  return Object.keys(entriesOf(model));
}

/** The policy `name` of the model read from `file`. Throws where there is none, or its statistics do not go with it. */
export async function readPolicy(file: string, model: Pick<Model, 'metadata'>, name = DEFAULT_POLICY): Promise<Policy> {
  const entries = entriesOf(model);
  const names = Object.keys(entries);
  if (!Object.hasOwn(entries, name)) {
    const asked = name === DEFAULT_POLICY ? '' : ` --name ${name}`;
    throw new RgiError(
      'usage',
      names.length === 0
        ? `${file} is not calibrated: run 'rgi calibrate GOOD_FOLDER --generator ${file}${asked}' first.`
        : `${file} has no policy '${name}'; it has ${names.map((one) => `'${one}'`).join(', ')}. 'rgi calibrate GOOD_FOLDER --generator ${file}${asked}' makes one.`,
      { file },
    );
  }
  const settings = parseSettings(entries[name]);
  const digest = (entries[name] as { statistics?: unknown } | null)?.statistics;
  if (!settings || typeof digest !== 'string') throw damaged(file, name);
  const beside = statisticsFile(file);
  const own = ownArrays(await readStatistics(beside, file, name), name);
  if (digestOf(own) !== digest) {
    throw new RgiError(
      'model',
      `${beside} does not go with the policy '${name}' of ${file}; calibrate again, or copy both files together.`,
      { file: beside },
    );
  }
  const statistics = statisticsFrom(own);
  if (!statistics) throw damaged(file, name);
  return { ...settings, name, statistics };
}

/** Stores a policy, in place of one of its name: the statistics first, then the model file, each whole or not at all. */
export async function writePolicy(file: string, policy: Policy): Promise<string[]> {
  const bytes = await readRegular(file, MAX_FILE_BYTES);
  const entries = entriesOf(readModel(bytes, () => new Uint8Array()));
  const arrays = statisticsArrays(policy.statistics);
  const beside = statisticsFile(file);
  const others = new Map<string, Tensor>();
  const kept = Object.keys(entries).filter((name) => name !== policy.name);
  if (kept.length > 0) {
    const stored = await readStatistics(beside, file, kept[0]);
    for (const [key, tensor] of stored) if (kept.some((name) => key.startsWith(`${name}.`))) others.set(key, tensor);
  }
  const all = new Map([...others, ...[...arrays].map(([key, tensor]) => [`${policy.name}.${key}`, tensor] as const)]);
  await writeFileAtomic(beside, writeNpz(all));
  const settings = { ...settingsOf(policy), statistics: digestOf(arrays) };
  const value = JSON.stringify({ ...entries, [policy.name]: settings });
  await writeFileAtomic(file, withMetadata(bytes, new Map([[POLICIES, value]])));
  return [file, beside];
}

function entriesOf({ metadata }: Pick<Model, 'metadata'>): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(metadata.get(POLICIES) ?? '{}');
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : {};
  } catch {
    return {};
  }
}

async function readStatistics(beside: string, file: string, name: string): Promise<Map<string, Tensor>> {
  let bytes: Uint8Array;
  try {
    bytes = await readRegular(beside);
  } catch (error) {
    throw new RgiError(
      'model',
      `${beside}, the statistics of the policy '${name}' of ${file}, cannot be read (${messageOf(error)}); copy it beside the model, or calibrate again.`,
      { file: beside },
      { cause: error },
    );
  }
  try {
    return readNpz(bytes);
  } catch (error) {
    throw new RgiError('model', `${beside}: ${messageOf(error)}`, { file: beside }, { cause: error });
  }
}

function ownArrays(all: ReadonlyMap<string, Tensor>, name: string): Map<string, Tensor> {
  const prefix = `${name}.`;
  return new Map(
    [...all].flatMap(([key, tensor]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), tensor] as const] : [])),
  );
}

function digestOf(arrays: ReadonlyMap<string, Tensor>): string {
  const hash = createHash('sha256');
  for (const [name, { dims, data }] of [...arrays].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${name} ${dims.join('x')}`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex');
}

function damaged(file: string, name: string): RgiError {
  return new RgiError('model', `The policy '${name}' of ${file} is damaged, or of another version; calibrate again.`, {
    file: path.basename(file),
  });
}
