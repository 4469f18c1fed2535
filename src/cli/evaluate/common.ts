/** What `rgi evaluate inpaint` and `rgi evaluate detect` have in common: options, and how a run reports what it found. */
import path from 'node:path';
import type { Command } from 'commander';
import { RgiError } from '../../errors.ts';
import { type EvaluationFolder, writeResults } from '../../evaluate/node/folder.ts';
import type { Result, Results, TrialRecord } from '../../evaluate/record.ts';
import type { Fit } from '../../images/resize.ts';
import { VERSION } from '../../jobs/node/program.ts';
import type { GeneratorFlags } from '../../models/node/networks.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { choice, count, list, numberIn } from '../arguments.ts';
import { featureFile } from '../detect/feature-flags.ts';
import { EXIT, type ExitCode } from '../failures.ts';
import { type Io, printJson, say } from '../io.ts';
import { addGeneratorOptions, addRuntimeOptions, type RuntimeFlags } from '../model-flags.ts';
import { progressLine } from '../progress.ts';

export interface EvaluateFlags extends Omit<GeneratorFlags, 'generator'>, RuntimeFlags {
  readonly out: string;
  readonly methods?: readonly string[];
  readonly seed: number;
  readonly fit: Fit;
  readonly grey: 'refuse' | 'luma';
  readonly discriminator?: string;
  readonly features?: string;
  readonly batch?: number;
  readonly pictures: number;
  readonly snapshots: number;
  readonly snapshotSteps: number;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export interface OptionTexts {
  /** What is compared if nothing is said. */
  readonly methods: readonly string[];
  readonly fit: Fit;
  /** "of each case" or "of each kind". */
  readonly ofEach: string;
  /** Pictures kept of each, if nothing is said. */
  readonly pictures: number;
  /** Whose features are compared, if nothing is said. */
  readonly features: string;
  /** Options of the one command: before the data's, and among them. */
  readonly own: (command: Command) => void;
  readonly data: (command: Command) => void;
}

/** All options but the argument, the generator and `--out`. */
export function addEvaluateOptions(command: Command, texts: OptionTexts): Command {
  command.option(
    '--methods <names>',
    `methods, separated by commas (see below; default: ${texts.methods.join(',')})`,
    list,
  );
  texts.own(command);
  command
    .option('--seed <number>', 'seed of all random numbers', numberIn({ integer: true, from: 0, to: 2 ** 32 - 1 }), 0)
    .option('--discriminator <file>', "the discriminator; 'none' for none (default: the companion)")
    .option(
      '--features <file>',
      `network of the features: a file, or 'bundled' (default: ${texts.features})`,
      featureFile,
    )
    .optionsGroup('Data:');
  texts.data(command);
  command
    .addOption(
      choice('--fit <how>', 'pictures of another size', ['refuse', 'contain', 'cover', 'stretch'] as const, texts.fit),
    )
    .addOption(choice('--grey <how>', 'colour pictures for a grey generator', ['refuse', 'luma'] as const, 'luma'))
    .optionsGroup('Generator:');
  addGeneratorOptions(command);
  command.optionsGroup('Running:');
  const some = numberIn({ integer: true, from: 0 });
  return addRuntimeOptions(command)
    .option('--batch <count>', 'most pictures inverted together (default: chosen)', count)
    .option('--pictures <count>', `pictures stored ${texts.ofEach}`, some, texts.pictures)
    .option('--snapshots <count>', 'of these, how many with the course of their search', some, 1)
    .option('--snapshot-steps <count>', 'pictures along the course of a search', count, 12)
    .option('--resume', 'continue from the results in --out')
    .option('--overwrite', 'remove what an earlier evaluation wrote to --out, and start again')
    .option('--json', 'print results.json on stdout')
    .option('-q, --quiet', 'print nothing but errors');
}

/** Everything about a run but what it found. */
export type Head = Omit<Results, 'format' | 'complete' | 'versions' | 'device' | 'results' | 'trials'>;

export interface Reporter {
  progress(done: number, total: number, what: string): void;
  /** A trial that could not be kept. */
  failure(file: string, reason: string): void;
  /** Writes what there is so far. */
  group(results: readonly Result[], records: readonly TrialRecord[], about: string): Promise<void>;
  end(results: readonly Result[], records: readonly TrialRecord[], complete: boolean): Promise<ExitCode>;
}

/** Says the notes and failures of the head, and then what a run reports; writes the tables as it goes. */
export function reporter(
  head: Head,
  folder: EvaluationFolder,
  runtime: Runtime,
  flags: EvaluateFlags,
  io: Io,
): Reporter {
  const { out, quiet = false, json } = flags;
  const line = progressLine(io, quiet);
  const failed = [...head.failed];
  const all = (results: readonly Result[], records: readonly TrialRecord[], complete: boolean): Results => ({
    format: 1,
    kind: head.kind,
    complete,
    command: head.command,
    versions: { rgi: VERSION, onnxruntime: runtime.version, node: process.versions.node },
    device: runtime.device,
    settings: {
      ...head.settings,
      seed: flags.seed,
      threads: flags.threads ?? 'default',
      batch: flags.batch ?? 'default',
    },
    methods: head.methods,
    notes: head.notes,
    failed,
    results,
    trials: records.map((record) => record.key),
  });
  // A full disk is said and survived: the journal holds what could be kept.
  const save = async (results: Results) => {
    try {
      await writeResults(folder, results);
    } catch (error) {
      if (!(error instanceof RgiError)) throw error;
      line.clear();
      failed.push({ file: out, reason: error.message });
      say(io, `error: ${error.message}`);
    }
  };
  if (!quiet) for (const note of head.notes) say(io, `note: ${note}`);
  for (const { file, reason } of head.failed) say(io, `error: ${file}: ${reason}`);
  return {
    progress: (done, total, what) => line.show(done, total, what),
    failure(file, reason) {
      line.clear();
      failed.push({ file, reason });
      say(io, `error: ${file}: ${reason}`);
    },
    async group(results, records, about) {
      line.clear();
      if (!quiet) say(io, about);
      await save(all(results, records, false));
    },
    async end(results, records, complete) {
      line.clear();
      const final = all(results, records, complete);
      await save(final);
      if (json) printJson(io, final);
      if (!complete) {
        say(io, 'Interrupted. Run the same command with --resume to continue.');
        return EXIT.interrupted;
      }
      if (!quiet) say(io, `Tables in ${path.join(out, 'results.md')}; 'rgi report ${out}' makes a page of it.`);
      const diverged = results.some((result) => result.diverged > 0);
      return failed.length > 0 || diverged ? EXIT.partly : EXIT.done;
    },
  };
}

/** Flags that decide nothing about the results. */
const INCIDENTAL = new Set(['resume', 'overwrite', 'json', 'quiet', 'device', 'threads', 'signal']);

/** The command that repeats a run, into the same folder. */
export function commandLine(words: readonly string[], flags: Readonly<Record<string, unknown>>): string {
  const options = Object.entries(flags).flatMap(([key, value]) => {
    if (INCIDENTAL.has(key) || value === undefined || value === false) return [];
    const flag = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (value === true) return [flag];
    if (!Array.isArray(value)) return [flag, String(value)];
    // Values of inputs hold commas of their own.
    return key === 'input' ? value.flatMap((one) => [flag, String(one)]) : [flag, value.join(',')];
  });
  return ['rgi', ...words, ...options].map(quoted).join(' ');
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
