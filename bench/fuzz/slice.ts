/** A part of the inputs of a kind, made from the seed and read one after the other. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { RgiError } from '../../src/errors.ts';
import { type Random, randomFrom } from '../../src/random.ts';
import { arrays } from './arrays.ts';
import { journals } from './journals.ts';
import type { FuzzFiles, FuzzKind } from './kind.ts';
import { models } from './models.ts';
import { options } from './options.ts';
import { pictures } from './pictures.ts';
import { policies } from './policies.ts';

export const KINDS = ['models', 'pictures', 'arrays', 'policies', 'journals', 'options'] as const;

export type KindName = (typeof KINDS)[number];

const MAKERS: Readonly<Record<KindName, () => FuzzKind | Promise<FuzzKind>>> = {
  models,
  pictures,
  arrays,
  policies,
  journals,
  options,
};

export interface Outcome {
  readonly index: number;
  readonly outcome: 'accepted' | 'refused' | 'exception';
  /** What was thrown: its stack, where it is no clean error. */
  readonly message?: string;
}

/** Reads inputs `from` to `to` (that one left out); `onStart` is called before each, `onEnd` after it. */
export async function runSlice(
  kind: KindName,
  seed: number,
  [from, to]: readonly [number, number],
  hooks: { readonly onStart?: (index: number) => void; readonly onEnd: (outcome: Outcome) => void },
): Promise<void> {
  const { make, read } = await MAKERS[kind]();
  const folder = await mkdtemp(path.join(os.tmpdir(), 'rgi-fuzz-'));
  try {
    for (let index = from; index < to; index++) {
      const files = make(randomOf(kind, seed, index));
      hooks.onStart?.(index);
      hooks.onEnd({ index, ...(await outcomeOf(() => read(files, folder))) });
      for (const name of await readdir(folder)) await rm(path.join(folder, name), { recursive: true });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The input of one index alone. */
export async function inputOf(kind: KindName, seed: number, index: number): Promise<FuzzFiles> {
  return (await MAKERS[kind]()).make(randomOf(kind, seed, index));
}

function randomOf(kind: KindName, seed: number, index: number): Random {
  return randomFrom(
    (Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b) ^ (KINDS.indexOf(kind) << 28)) >>> 0,
  );
}

async function outcomeOf(read: () => Promise<void>): Promise<Pick<Outcome, 'outcome' | 'message'>> {
  try {
    await read();
    return { outcome: 'accepted' };
  } catch (error) {
    if (error instanceof RgiError) return { outcome: 'refused', message: error.message };
    return { outcome: 'exception', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
