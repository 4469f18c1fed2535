/** `rgi detect`: opens the model and its policy, inspects the pictures, says what it finds as it goes. */

import { readPolicy } from '../../detect/node/policy-files.ts';
import type { DetectRecord } from '../../detect/node/record.ts';
import { type DetectFilesResult, detectFiles } from '../../detect/node/run.ts';
import { VERDICT_WORDS, verdictOf } from '../../detect/verdict.ts';
import { expandInputs } from '../../images/node/inputs.ts';
import type { PictureList } from '../../images/node/listing.ts';
import type { JobEvent } from '../../jobs/job.ts';
import { openPolicyFeatures } from '../../models/node/feature-network.ts';
import { openProduct } from '../../models/node/product.ts';
import { modelHashes } from '../../models/node/weight-files.ts';
import { createRuntime } from '../../runtime/node/index.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { EXIT, type ExitCode } from '../failures.ts';
import { inputOptions } from '../inputs.ts';
import { type Io, printJsonLine, say } from '../io.ts';
import { progressLine } from '../progress.ts';
import { checkFolder, type Reporter } from '../restore/command.ts';
import type { DetectFlags } from './flags.ts';

export async function detectCommand(patterns: readonly string[], flags: DetectFlags, io: Io): Promise<ExitCode> {
  // What can be wrong without a network is said before one is opened.
  await expandInputs(patterns, inputOptions(flags, io));
  await checkFolder(flags.out);
  return conclude(await detectNamed(patterns, flags, io, reporterOf(flags, io)), flags, io);
}

/** Opens the networks and the policy that the flags name, and inspects what is named. */
export async function detectNamed(
  files: readonly string[] | PictureList,
  flags: DetectFlags,
  io: Io,
  reporter: Reporter<DetectRecord>,
): Promise<DetectFilesResult> {
  const runtime = await createRuntime({ device: flags.device, threads: flags.threads, worker: io.worker });
  try {
    return await detectOn(runtime, files, flags, io, reporter);
  } finally {
    reporter.clear();
    await runtime.dispose();
  }
}

async function detectOn(
  runtime: Runtime,
  files: readonly string[] | PictureList,
  flags: DetectFlags,
  io: Io,
  reporter: Reporter<DetectRecord>,
): Promise<DetectFilesResult> {
  const product = await openProduct(runtime, flags);
  const policy = await readPolicy(flags.generator, product.model, flags.policy);
  const { generator, encoder, encoderFile, notes } = product;
  const features = await openPolicyFeatures(runtime, policy, flags.generator, flags);
  const described = async (file: string | undefined) =>
    file === undefined ? undefined : { file, ...(await modelHashes(file)) };
  return detectFiles(
    {
      files,
      recursive: flags.recursive,
      out: flags.out,
      generator,
      encoder,
      features: features?.network,
      policy,
      batch: flags.batch,
      resume: flags.resume,
      overwrite: flags.overwrite,
      upload: flags.upload,
      signal: io.signal,
      onEvent: (event) => reporter.event(event, notes),
      notes,
      facts: { threads: flags.threads ?? 'default' },
      description: {
        generator: await described(flags.generator),
        encoder: await described(encoderFile),
        // The policy names the file of features by its hash, but not files of weights beside it.
        features: features?.weights,
        options: { input: flags.input ?? [], latent: flags.latent, batch: flags.batch },
      },
    },
    runtime,
  );
}

/** Says what becomes of each picture, as it happens. */
function reporterOf(flags: DetectFlags, io: Io) {
  const progress = progressLine(io, flags.quiet ?? false);
  const tell = (line: string) => {
    progress.clear();
    say(io, line);
  };
  return {
    clear: () => progress.clear(),
    event(event: JobEvent<DetectRecord>, notes: readonly string[]) {
      if (event.kind === 'begin' && !flags.quiet) for (const note of notes) tell(`note: ${note}`);
      else if (event.kind === 'progress') progress.show(event.done, event.total, event.what);
      else if (event.kind === 'warning') tell(`warning: ${event.message}`);
      else if (event.kind === 'record') {
        const { record } = event.entry;
        progress.clear();
        if (flags.json) printJsonLine(io, record);
        if (record.status === 'failed') tell(`error: ${record.message}`);
        else if (!flags.quiet) tell(lineOf(record));
      }
    },
  };
}

function conclude({ done, failed, defective, interrupted }: DetectFilesResult, flags: DetectFlags, io: Io): ExitCode {
  if (interrupted) {
    say(io, `Interrupted; ${done} done. Run the same command with --resume to continue.`);
    return EXIT.interrupted;
  }
  if (!flags.quiet) say(io, `${defective} of ${done} pictures are defective; results in ${flags.out}`);
  if (failed === 0) return EXIT.done;
  return done > 0 ? EXIT.partly : EXIT.unusable;
}

function lineOf({ name, defective, score, defects = [], message }: DetectRecord): string {
  const regions = defects.length === 1 ? '1 region' : `${defects.length} regions`;
  const verdict = verdictOf(defective ?? false, defects.length);
  const found = verdict === 'good' ? '' : `, ${regions}`;
  return `${name}: ${VERDICT_WORDS[verdict]}${found}, score ${score!.toPrecision(3)}${message ? ` (${message})` : ''}`;
}
