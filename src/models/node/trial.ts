/**
 * Models whose content is not known are first run in a process of their own, within a budget of memory and time: a file may
 * crash ONNX Runtime, never end, or ask for more memory than the machine has. The outcome is remembered by content.
 */
import { spawn } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { RgiError } from '../../errors.ts';
import { sha256Of } from '../../files/node/hash.ts';
import type { Model } from '../../onnx/graph.ts';
import { processArguments, siblingModule } from '../../runtime/node/sibling.ts';
import { trainedHere } from '../metadata.ts';
import { metadataOf } from './file-metadata.ts';
import { openModel } from './model-file.ts';
import { type Outcome, recall, remember, trialKey } from './outcomes.ts';
import { watchMemory } from './resident.ts';

/** What a model may take the first time it is run. */
export interface ModelBudget {
  /** Megabytes (2^20 bytes), those of the program (about 150) included. Default: half of the machine's memory, at most 8192. */
  readonly modelMemory?: number;
  /** Default 120. */
  readonly modelSeconds?: number;
}

/** Settings on which depends what a run of the model takes. */
export interface TrialFlags extends ModelBudget {
  readonly latentShape?: readonly number[];
  readonly input?: readonly string[];
}

export const MODEL_SECONDS = 120;
const MAX_DEFAULT_MEMORY = 8192;

/** What the process of a trial is given, as JSON. */
export interface TrialOrder {
  readonly file: string;
  readonly latentShape?: readonly number[];
  readonly input?: readonly string[];
}

/** The model at `file`, after it was tried where it is not known. Throws `model` where it does not stay within its budget. */
export async function openTriedModel(file: string, flags: TrialFlags = {}): Promise<Model> {
  await tryModel(file, flags);
  return openModel(file);
}

/**
 * Known are models that `rgi train` made, those that were tried before, and all of them where the environment variable
 * RGI_TRUST_MODELS is 1. What cannot be read passes: opening it says why.
 */
async function tryModel(file: string, flags: TrialFlags): Promise<void> {
  if (process.env.RGI_TRUST_MODELS === '1') return;
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile() || found.size === 0) return;
  if (trainedHere({ metadata: metadataOf(file) })) return;
  const { latentShape, input } = flags;
  const memory = flags.modelMemory ?? Math.min(MAX_DEFAULT_MEMORY, Math.floor(totalmem() / 2 ** 21));
  const seconds = flags.modelSeconds ?? MODEL_SECONDS;
  const key = trialKey(await sha256Of(file), { latentShape, input });
  const earlier = await recall(key);
  if (earlier?.end === 'done') return;
  const stillHolds =
    (earlier?.end === 'memory' && memory <= earlier.memory) || (earlier?.end === 'time' && seconds <= earlier.seconds);
  const outcome = stillHolds ? earlier : await runTrial({ file, latentShape, input }, memory, seconds);
  // A crash is tried again: it may have been the machine's.
  if (outcome.end !== 'crash' && outcome !== earlier) await remember(key, outcome);
  if (outcome.end !== 'done') throw new RgiError('model', `${file}: ${sentenceOf(outcome)}`, { file });
}

function sentenceOf(outcome: Outcome): string {
  const { end, memory, seconds, reason } = outcome;
  const stopped = 'in a process of its own, which was stopped';
  if (end === 'memory') {
    return `running it once took more than ${memory} MB of memory, ${stopped}. If you trust the file, allow more with --model-memory ${2 * memory}.`;
  }
  if (end === 'time') {
    return `running it once took more than ${seconds} s, ${stopped}. If you trust the file, allow more with --model-seconds ${2 * seconds}.`;
  }
  return `running it once, in a process of its own, crashed (${reason}): ONNX Runtime cannot run it safely. Export it again, with another opset or exporter.`;
}

/** Runs the model in a process of its own, which is killed beyond `memory` megabytes or `seconds`. */
function runTrial(order: TrialOrder, memory: number, seconds: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const entry = processArguments(siblingModule('trial-entry', import.meta.url));
    const child = spawn(process.execPath, [`--max-old-space-size=${memory}`, ...entry, JSON.stringify(order)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stopped: 'memory' | 'time' | undefined;
    let printed = '';
    let complaint = '';
    const stop = (why: 'memory' | 'time') => {
      stopped ??= why;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => stop('time'), seconds * 1000);
    const unwatch = child.pid === undefined ? () => {} : watchMemory(child.pid, memory, () => stop('memory'));
    const end = (outcome: Pick<Outcome, 'end' | 'reason'>) => {
      clearTimeout(timer);
      unwatch();
      resolve({ ...outcome, memory, seconds });
    };
    child.stdout.on('data', (chunk) => {
      printed += chunk;
    });
    child.stderr.on('data', (chunk) => {
      complaint = (complaint + chunk).slice(-4096);
    });
    // Where no process can be started, none can be tried: the model is opened as it is.
    child.on('error', () => end({ end: 'done' }));
    child.on('close', (code, signal) => {
      if (printed.includes(TRIAL_DONE)) end({ end: 'done' });
      else if (stopped) end({ end: stopped });
      else if (/heap out of memory|bad_alloc|Array buffer allocation failed/.test(complaint)) end({ end: 'memory' });
      else end({ end: 'crash', reason: signal ?? `exit code ${code}` });
    });
  });
}

/** What the process of a trial prints when it has come to its end: with facts or with a clean error. */
export const TRIAL_DONE = 'rgi trial done';
