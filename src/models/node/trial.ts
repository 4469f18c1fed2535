/**
 * Models whose content is not known are first run in a process of their own, within a budget of memory and time: a file may
 * crash ONNX Runtime, never end, or ask for more memory than the machine has. The outcome is remembered by content.
 */
import { spawn } from 'node:child_process';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { RgiError } from '../../errors.ts';
import { sha256Of } from '../../files/node/hash.ts';
import { isModelKnown } from '../../files/node/known-models.ts';
import type { Model } from '../../onnx/graph.ts';
import { processArguments, siblingModule } from '../../runtime/node/sibling.ts';
import { usableMemory } from './memory.ts';
import { openModel } from './model-file.ts';
import { type Outcome, recall, remember, trialKey } from './outcomes.ts';
import { watchMemory } from './resident.ts';
import { SHIPPED_MODELS } from './shipped.ts';
import { weightFiles } from './weight-files.ts';

/** What a model may take the first time it is run. */
export interface ModelBudget {
  /** Megabytes (2^20 bytes), those of the program (about 150) included. Default: half of the memory of the machine or container, at most 8192. */
  readonly modelMemory?: number;
  /** Default 120. */
  readonly modelSeconds?: number;
}

/** Settings on which depends what a run of the model takes. */
export interface TrialFlags extends ModelBudget {
  /** Shape of one latent, where the file leaves it open. */
  readonly latentShape?: readonly number[];
  /** NAME=VALUE or NAME=FILE.npy: values of further inputs. */
  readonly input?: readonly string[];
  /** Aborted, it kills a trial that is running; the call rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export const MODEL_SECONDS = 120;
const MAX_DEFAULT_MEMORY = 8192;

/** What the process of a trial is given, as JSON. */
export interface TrialOrder {
  /** Process that the trial is made for: without it, the trial ends. */
  readonly parent: number;
  readonly file: string;
  readonly latentShape?: readonly number[];
  readonly input?: readonly string[];
}

/**
 * The model at `file`, after it was tried where it is not known. Throws `model` where it does not stay within its budget, and
 * the reason of the signal where that is aborted.
 */
export async function openTriedModel(file: string, flags: TrialFlags = {}): Promise<Model> {
  await tryModel(file, flags);
  return openModel(file);
}

/**
 * Known by their content are the models that come with this package, those that this user's `rgi train` and `rgi calibrate`
 * wrote, and those that were tried before; all of them where the environment variable RGI_TRUST_MODELS is 1. What a file says
 * of itself does not count. What cannot be read passes: opening it says why.
 */
async function tryModel(file: string, flags: TrialFlags): Promise<void> {
  if (process.env.RGI_TRUST_MODELS === '1') return;
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile() || found.size === 0) return;
  const sha256 = await sha256Of(file).catch(() => undefined);
  if (sha256 === undefined || SHIPPED_MODELS.has(sha256) || (await isModelKnown(sha256))) return;
  const { latentShape, input, signal } = flags;
  const memory = flags.modelMemory ?? Math.min(MAX_DEFAULT_MEMORY, Math.floor(usableMemory() / 2 ** 21));
  const seconds = flags.modelSeconds ?? MODEL_SECONDS;
  const key = trialKey(sha256, {
    latentShape,
    input,
    contents: await contentsOf(input),
    weights: await weightFilesOf(file),
  });
  const earlier = await recall(key);
  if (earlier?.end === 'done') return;
  const stillHolds =
    (earlier?.end === 'memory' && memory <= earlier.memory) || (earlier?.end === 'time' && seconds <= earlier.seconds);
  const order = { parent: process.pid, file, latentShape, input };
  const outcome = stillHolds ? earlier : await runTrial(order, memory, seconds, signal);
  signal?.throwIfAborted();
  if (outcome !== earlier) await remember(key, outcome);
  if (!OPENED.has(outcome.end)) throw new RgiError('model', `${file}: ${sentenceOf(outcome)}`, { file });
}

/** Content hashes of the arrays among the values of inputs: another content under the same name is another trial. */
function contentsOf(input: readonly string[] = []): Promise<(string | undefined)[]> {
  const files = input.filter((text) => text.endsWith('.npy')).map((text) => text.slice(text.indexOf('=') + 1));
  return Promise.all(files.map((file) => sha256Of(file).catch(() => undefined)));
}

/**
 * Names, sizes and times of the files that hold the model's weights: other weights are another trial. To hash gigabytes would take longer
 * than most commands.
 */
async function weightFilesOf(file: string): Promise<readonly unknown[]> {
  const found = (await weightFiles(file)).map(async (location) => {
    const { size, mtimeMs } = (await stat(path.join(path.dirname(file), location)).catch(() => undefined)) ?? {};
    return [location, size, mtimeMs];
  });
  return Promise.all(found);
}

/** Where no process can be started, none can be tried: the model is opened as it is. */
const OPENED: ReadonlySet<Outcome['end']> = new Set(['done', 'untried']);

function sentenceOf(outcome: Outcome): string {
  const { end, memory, seconds, reason } = outcome;
  const stopped = 'in a process of its own, which was stopped';
  if (end === 'memory') {
    return `running it once took more than ${memory} MB of memory, ${stopped}. If you trust the file, allow more with --model-memory ${2 * memory}.`;
  }
  if (end === 'time') {
    return `running it once took more than ${seconds} s, ${stopped}. If you trust the file, allow more with --model-seconds ${2 * seconds}.`;
  }
  if (end === 'killed') {
    return `running it once, in a process of its own, was ended by the system (${reason}), probably for lack of memory. Free some, or run it within what the machine has: --model-memory gives its megabytes (now ${memory}).`;
  }
  return `running it once, in a process of its own, crashed (${reason}): ONNX Runtime cannot run it safely. Export it again, with another opset or exporter.`;
}

/** Runs the model in a process of its own, which is killed beyond `memory` megabytes or `seconds`, and with its caller. */
function runTrial(order: TrialOrder, memory: number, seconds: number, signal?: AbortSignal): Promise<Outcome> {
  signal?.throwIfAborted();
  return new Promise((resolve) => {
    const entry = processArguments(siblingModule('trial-entry', import.meta.url));
    const child = spawn(process.execPath, [`--max-old-space-size=${memory}`, ...entry, JSON.stringify(order)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stopped: 'memory' | 'time' | undefined;
    let printed = '';
    let complaint = '';
    const kill = () => {
      child.kill('SIGKILL');
    };
    const stop = (why: 'memory' | 'time') => {
      stopped ??= why;
      kill();
    };
    const timer = setTimeout(() => stop('time'), seconds * 1000);
    const unwatch = child.pid === undefined ? () => {} : watchMemory(child.pid, memory, () => stop('memory'));
    process.once('exit', kill);
    signal?.addEventListener('abort', kill);
    const end = (outcome: Pick<Outcome, 'end' | 'reason'>) => {
      clearTimeout(timer);
      unwatch();
      process.off('exit', kill);
      signal?.removeEventListener('abort', kill);
      resolve({ ...outcome, memory, seconds });
    };
    child.stdout.on('data', (chunk) => {
      printed += chunk;
    });
    child.stderr.on('data', (chunk) => {
      complaint = (complaint + chunk).slice(-4096);
    });
    child.on('error', () => end({ end: 'untried' }));
    child.on('close', (code, killedBy) => {
      if (printed.includes(TRIAL_DONE)) end({ end: 'done' });
      else if (stopped) end({ end: stopped });
      else if (/heap out of memory|bad_alloc|Array buffer allocation failed/.test(complaint)) end({ end: 'memory' });
      else if (killedBy === 'SIGKILL') end({ end: 'killed', reason: killedBy });
      else end({ end: 'crash', reason: killedBy ?? `exit code ${code}` });
    });
  });
}

/** What the process of a trial prints when it has come to its end: with facts or with a clean error. */
export const TRIAL_DONE = 'rgi trial done';
