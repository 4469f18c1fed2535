/**
 * Policies as they are stored: settings in a model's metadata (`rgi.policies`, by name), statistics as arrays of an `.npz`
 * archive, which the settings name by their hash. Read from bytes, so that a browser can; files: `node/policy-files.ts`.
 */

import { readNpz, writeNpz } from '../arrays/npy.ts';
import { sha256Hex } from '../arrays/sha256.ts';
import { messageOf, RgiError } from '../errors.ts';
import { concatenatedBytes } from '../onnx/concatenate.ts';
import type { Model } from '../onnx/graph.ts';
import { withMetadata } from '../onnx/metadata.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { type Policy, type PolicySettings, settingsOf, statisticsArrays, statisticsFrom } from './policy.ts';
import { parseSettings } from './policy-schema.ts';

/** The key of a model's metadata under which its policies stand. */
export const POLICIES = 'rgi.policies';

/** The name of the policy that is made and used where none is named. */
export const DEFAULT_POLICY = 'default';

/** What errors call the model and its statistics: names of files, where there are files. */
export interface PolicyLabels {
  /** Default 'The model'. */
  readonly model: string;
  /** Default 'The archive of statistics'. */
  readonly statistics: string;
}

const UNNAMED: PolicyLabels = { model: 'The model', statistics: 'The archive of statistics' };

/** Settings that were found in a model, and the hash of the statistics that go with them. */
export interface StoredSettings {
  readonly settings: PolicySettings;
  /** SHA-256, as `digestOf` makes it. */
  readonly digest: string;
}

/** Names of the policies that a model holds, in the order they were added. */
export function policyNames(model: Pick<Model, 'metadata'>): string[] {
  return Object.keys(policyEntries(model));
}

/**
 * The policy `name` of a model, with its statistics from the bytes of `MODEL.policy.npz`: what `rgi calibrate` writes, read
 * without files. Throws `RgiError('usage')` where the model has no policy of that name, `RgiError('model')` where one of
 * both is damaged or they do not go together. Needs `crypto.subtle`, which browsers have on pages from https or localhost.
 *
 * @example
 * ```ts
 * import { readFile } from 'node:fs/promises';
 * import { fileURLToPath } from 'node:url';
 * import { parsePolicy, readModel } from 'rgi';
 *
 * const bytes = (file: string) => readFile(fileURLToPath(import.meta.resolve(`rgi/models/bsd-pitting/${file}`)));
 * const model = readModel(await bytes('generator.onnx'));
 * const policy = await parsePolicy(model, await bytes('generator.policy.npz'));
 * console.log(policy.name, policy.form); // default object
 * ```
 */
export async function parsePolicy(
  model: Pick<Model, 'metadata'>,
  statistics: Uint8Array,
  name: string = DEFAULT_POLICY,
): Promise<Policy> {
  return joinPolicy(storedSettings(model, name), statistics, name);
}

/** The settings of the policy `name`. Throws `usage` where there is none, `model` where it is damaged. */
export function storedSettings(
  model: Pick<Model, 'metadata'>,
  name: string,
  labels: PolicyLabels = UNNAMED,
): StoredSettings {
  const entries = policyEntries(model);
  if (!Object.hasOwn(entries, name)) throw missing(Object.keys(entries), name, labels.model);
  const settings = parseSettings(entries[name]);
  const digest = digestNamed(entries[name]);
  if (!settings || digest === undefined) throw damaged(labels.model, name);
  return { settings, digest };
}

/** Settings and their statistics, of which `bytes` is the archive. Throws `model` where they do not go together. */
export async function joinPolicy(
  { settings, digest }: StoredSettings,
  bytes: Uint8Array,
  name: string,
  labels: PolicyLabels = UNNAMED,
): Promise<Policy> {
  const own = await ownArrays(readStatistics(bytes, labels), name, digest);
  if (!own) {
    throw new RgiError(
      'model',
      `${labels.statistics} does not belong to the policy '${name}' of ${labels.model}; calibrate again, or copy both files together.`,
      { file: labels.statistics },
    );
  }
  const statistics = statisticsFrom(own);
  if (!statistics) throw damaged(labels.model, name);
  return { ...settings, name, statistics };
}

/** The stored settings of every policy by name, not checked yet; empty where there are none. */
export function policyEntries({ metadata }: Pick<Model, 'metadata'>): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(metadata.get(POLICIES) ?? '{}');
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : {};
  } catch {
    return {};
  }
}

/** The arrays of all policies of an archive, keyed "POLICY.ARRAY". */
export function readStatistics(bytes: Uint8Array, labels: PolicyLabels): Map<string, Tensor> {
  try {
    return readNpz(bytes);
  } catch (error) {
    throw new RgiError(
      'model',
      `${labels.statistics}: ${messageOf(error)}`,
      { file: labels.statistics },
      { cause: error },
    );
  }
}

/** SHA-256 of arrays, their names and shapes, in hexadecimal; the same in whatever order they come. */
export async function digestOf(arrays: ReadonlyMap<string, Tensor>): Promise<string> {
  const parts = [...arrays]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, { dims, data }]) => [
      new TextEncoder().encode(`${name} ${dims.join('x')}`),
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    ]);
  return sha256Hex(concatenatedBytes(parts));
}

/** A model's file with `policy` in it, and the bytes of its archive of statistics: of a model that has no other policy. */
export async function withPolicy(
  model: Uint8Array,
  policy: Policy,
): Promise<{ readonly model: Uint8Array; readonly statistics: Uint8Array }> {
  const arrays = statisticsArrays(policy.statistics);
  const settings = { ...settingsOf(policy), statistics: await digestOf(arrays) };
  const named = new Map([...arrays].map(([name, tensor]) => [`${policy.name}.${name}`, tensor]));
  return {
    model: withMetadata(model, new Map([[POLICIES, JSON.stringify({ [policy.name]: settings })]])),
    statistics: writeNpz(named),
  };
}

/** The hash that a policy's stored settings name; undefined where they name none. */
export function digestNamed(settings: unknown): string | undefined {
  const digest = (settings as { statistics?: unknown } | null)?.statistics;
  return typeof digest === 'string' ? digest : undefined;
}

/** Under this name arrays wait in the archive until the model names their hash: a model and its statistics change together. */
export function stagedName(name: string, digest: string): string {
  return `${name}@${digest}`;
}

/** A policy's arrays of this hash, those that were staged last too; undefined where there are none. */
export async function ownArrays(
  all: ReadonlyMap<string, Tensor>,
  name: string,
  digest: string,
): Promise<Map<string, Tensor> | undefined> {
  for (const prefix of [`${name}.`, `${stagedName(name, digest)}.`]) {
    const own = new Map(
      [...all].flatMap(([key, tensor]) =>
        key.startsWith(prefix) ? [[key.slice(prefix.length), tensor] as const] : [],
      ),
    );
    if (own.size > 0 && (await digestOf(own)) === digest) return own;
  }
  return undefined;
}

function missing(names: readonly string[], name: string, model: string): RgiError {
  const asked = name === DEFAULT_POLICY ? '' : ` --name ${name}`;
  const file = model === UNNAMED.model ? 'MODEL.onnx' : model;
  const command = `rgi calibrate GOOD_FOLDER --generator ${file}${asked}`;
  return new RgiError(
    'usage',
    names.length === 0
      ? `${model} is not calibrated: run '${command}' first.`
      : `${model} has no policy '${name}'; it has ${names.map((one) => `'${one}'`).join(', ')}. '${command}' makes one.`,
    { file: model },
  );
}

function damaged(model: string, name: string): RgiError {
  return new RgiError('model', `The policy '${name}' of ${model} is damaged, or of another version; calibrate again.`, {
    file: model.slice(model.lastIndexOf('/') + 1),
  });
}
