/**
 * Policies on disk: settings in the model file's metadata (`rgi.policies`, by name), statistics beside it in
 * MODEL.policy.npz. Whatever was exported by whatever tool stays as it is but for that entry.
 *
 * The two files are committed by the renaming of the model: before it, the statistics file holds the old arrays and the new ones, these
 * under NAME@DIGEST, and the settings say by their digest which are theirs; after it, the old ones are removed. A process may be killed at
 * any moment, and what can be read is the old policy or the new one.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { readNpz, writeNpz } from '../../arrays/npy.ts';
import { messageOf, RgiError } from '../../errors.ts';
import { removeLeftovers, writeFileAtomic } from '../../images/node/write.ts';
import { acquireLock } from '../../jobs/node/lock.ts';
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
  const digest = digestNamed(entries[name]);
  if (!settings || digest === undefined) throw damaged(file, name);
  const beside = statisticsFile(file);
  const own = ownArrays(await readStatistics(beside, file, name), name, digest);
  if (!own) {
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

/** Stores a policy, in place of one of its name. Whoever reads meanwhile, or after a crash, gets the old one or the new one. */
export async function writePolicy(file: string, policy: Policy): Promise<string[]> {
  const bytes = await readFile(file);
  const entries = entriesOf(readModel(bytes, () => new Uint8Array()));
  const arrays = statisticsArrays(policy.statistics);
  const digest = digestOf(arrays);
  const beside = statisticsFile(file);
  // Those of this name too, until the model says otherwise.
  const stored = Object.keys(entries).length > 0 ? await storedPolicies(beside, file, entries) : new Map();
  const others = new Map([...stored].filter(([key]) => !key.startsWith(`${policy.name}.`)));
  const final = new Map([...others, ...under(policy.name, arrays)]);
  const staged = new Map([...stored, ...under(`${policy.name}@${digest}`, arrays)]);
  await writeFileAtomic(beside, writeNpz(stored.size === others.size ? final : staged));
  const settings = { ...settingsOf(policy), statistics: digest };
  const value = JSON.stringify({ ...entries, [policy.name]: settings });
  await writeFileAtomic(file, withMetadata(bytes, new Map([[POLICIES, value]])));
  if (stored.size !== others.size) await writeFileAtomic(beside, writeNpz(final));
  return [file, beside];
}

/** The arrays of all policies that the model names, each as NAME.ARRAY; what no policy names (any more) is left out. */
async function storedPolicies(
  beside: string,
  file: string,
  entries: Readonly<Record<string, unknown>>,
): Promise<Map<string, Tensor>> {
  const names = Object.keys(entries);
  const all = await readStatistics(beside, file, names[0]);
  return new Map(
    names.flatMap((name) => {
      const digest = digestNamed(entries[name]);
      const own = digest === undefined ? undefined : ownArrays(all, name, digest);
      return own ? [...under(name, own)] : [];
    }),
  );
}

function under(prefix: string, arrays: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  return new Map([...arrays].map(([key, tensor]) => [`${prefix}.${key}`, tensor]));
}

function digestNamed(settings: unknown): string | undefined {
  const digest = (settings as { statistics?: unknown } | null)?.statistics;
  return typeof digest === 'string' ? digest : undefined;
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
    bytes = await readFile(beside);
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

/** A policy's arrays of this digest, those that were staged last too; undefined where there are none. */
function ownArrays(all: ReadonlyMap<string, Tensor>, name: string, digest: string): Map<string, Tensor> | undefined {
  for (const prefix of [`${name}.`, `${name}@${digest}.`]) {
    const own = new Map(
      [...all].flatMap(([key, tensor]) =>
        key.startsWith(prefix) ? [[key.slice(prefix.length), tensor] as const] : [],
      ),
    );
    if (own.size > 0 && digestOf(own) === digest) return own;
  }
  return undefined;
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
