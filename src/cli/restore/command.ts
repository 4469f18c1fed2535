/** `rgi restore`: opens what is named, resolves the method, inverts the pictures batch by batch, writes as it goes. */

import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { RgiError } from '../../errors.ts';
import type { PictureList } from '../../images/node/listing.ts';
import { checkMemory, inGigabytes, type MemoryPlan, planMemory } from '../../inversion/compile/memory.ts';
import { withinMemory } from '../../inversion/compile/plan.ts';
import { adaptingReuse, type Reuse, reuse } from '../../inversion/compile/reuse.ts';
import type { Critic } from '../../inversion/generator/critic.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { buildMethod } from '../../inversion/methods/index.ts';
import type { MethodOptions } from '../../inversion/methods/options.ts';
import { FAST } from '../../inversion/methods/rgi.ts';
import { batchSize } from '../../inversion/solve/restore.ts';
import { isSolvedExactly } from '../../inversion/solve/sequential-tuning.ts';
import { type Method, stageTunesWeights, takesEncoder, tunesWeights } from '../../inversion/spec/method.ts';
import { evenBatch } from '../../jobs/batches.ts';
import type { JobEvent } from '../../jobs/job.ts';
import { openEncoder } from '../../models/node/encoder.ts';
import { openModel } from '../../models/node/model-file.ts';
import { openGeneratorFile } from '../../models/node/networks.ts';
import { modelHashes } from '../../models/node/weight-files.ts';
import type { ImageRecord } from '../../restore/node/manifest.ts';
import { findSources } from '../../restore/node/pictures.ts';
import { type RestoreFilesResult, restoreFiles } from '../../restore/node/run.ts';
import { createRuntime } from '../../runtime/node/index.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { EXIT, type ExitCode } from '../failures.ts';
import { inputOptions } from '../inputs.ts';
import { type Io, printWritten, say } from '../io.ts';
import { progressLine } from '../progress.ts';
import { checkUse, contextOf, criticFor } from './critics.ts';
import type { RestoreFlags } from './flags.ts';
import { flagOf, methodOptionsOf } from './method-flags.ts';

export async function restore(patterns: readonly string[], flags: RestoreFlags, io: Io): Promise<ExitCode> {
  const options = methodOptionsOf(flags);
  // What can be wrong without a network is said before one is opened.
  await findSources(patterns, { ...flags, latents: flags.fromLatents }, inputOptions(flags, io));
  await checkFolder(flags.out);
  const reporter = reporterOf(flags, io);
  const result = await restoreNamed(patterns, options, flags, io, reporter);
  if (flags.json) printWritten(io, await writtenManifest(result));
  return conclude(result, reporter, flags, io);
}

/** Who is told what happens to the pictures. */
export interface Reporter<R> {
  event(event: JobEvent<R>, notes: readonly string[]): void;
  /** Removes what is shown of the progress. */
  clear(): void;
}

/** Opens the networks that the flags name, and restores what is named. */
export async function restoreNamed(
  files: readonly string[] | PictureList,
  options: MethodOptions,
  flags: RestoreFlags,
  io: Io,
  reporter: Reporter<ImageRecord>,
): Promise<RestoreFilesResult> {
  const runtime = await createRuntime({ device: flags.device, threads: flags.threads, worker: io.worker });
  try {
    return await restoreOn(runtime, files, options, flags, io, reporter);
  } finally {
    reporter.clear();
    await runtime.dispose();
  }
}

async function restoreOn(
  runtime: Runtime,
  files: readonly string[] | PictureList,
  options: MethodOptions,
  flags: RestoreFlags,
  io: Io,
  reporter: Reporter<ImageRecord>,
): Promise<RestoreFilesResult> {
  checkPlace(flags);
  const opened = await openGeneratorFile(runtime, flags);
  const critic = await criticFor(runtime, opened, options, flags);
  const method = buildMethod(options, contextOf(opened, flags, critic));
  checkUse(method, options, flags, critic);
  const encoder = takesEncoder(method) ? await openEncoder(opened, flags) : undefined;
  const generator = { ...opened.generator, encoder: encoder?.graph };
  const notes = [
    ...opened.notes,
    ...critic.notes,
    ...(await searchNotes(generator, method, options, runtime, {
      encoder: encoder?.file,
      fromLatents: flags.fromLatents,
    })),
  ];
  const shared = flags.memory === undefined ? reuse() : adaptingReuse(withinMemory(flags.memory));
  const plan = await memoryPlan(generator, method, files, flags, io, {
    runtime,
    reuse: shared,
    critic: critic.critic,
  });
  const recomputing = plan?.recomputing ?? [];
  if (plan && recomputing.length > 0) notes.push(recomputingNote(plan));
  if (flags.memory !== undefined && flags.align === 'auto')
    notes.push('--memory does not count the search for the alignment (--align auto).');
  const thresholdGrey = flags.threshold ?? FAST.thresholdGrey;
  return restoreFiles(
    {
      files,
      reuse: shared,
      recursive: flags.recursive,
      out: flags.out,
      masks: flags.mask,
      keep: flags.keep,
      hide: flags.hide,
      latents: flags.fromLatents,
      region: flags.region,
      alignment: flags.align,
      tiles: flags.tiles === true ? 1 : flags.tiles,
      generator,
      method,
      critic: critic.critic,
      fit: flags.fit,
      grey: flags.grey,
      batch: flags.batch,
      thresholdGrey,
      blend: flags.blend,
      grow: flags.grow,
      format: flags.format,
      npy: flags.npy,
      // As the user's file has it, not as adapted: so that it is used with the same options.
      tunedModel: flags.saveGenerator ? await openModel(flags.generator) : undefined,
      resume: flags.resume,
      overwrite: flags.overwrite,
      upload: flags.upload,
      signal: io.signal,
      onEvent: (event) => reporter.event(event, notes),
      notes,
      // Not of what decides the results: they are the same to rounding, and `recomputing` depends on how many pictures there are.
      facts: { threads: flags.threads ?? 'default', ...(recomputing.length > 0 ? { recomputing } : {}) },
      description: {
        options: {
          ...options,
          thresholdGrey,
          fit: flags.fit,
          grey: flags.grey,
          blend: flags.blend,
          grow: flags.grow,
          format: flags.format ?? 'own',
          region: flags.region,
          alignment: flags.align,
          tiles: flags.tiles === true ? 1 : flags.tiles,
          npy: flags.npy ?? false,
          saveGenerator: flags.saveGenerator ?? false,
          masked: flags.mask !== undefined,
          // Sums of another order: the numbers of another batch differ in their last bits.
          batch: flags.batch,
        },
        generator: {
          file: flags.generator,
          ...(await modelHashes(flags.generator)),
          output: opened.facts.image?.output,
          range: flags.range ?? opened.facts.image?.range,
          layout: flags.layout ?? opened.facts.image?.layout,
          latents: generator.latents,
          law: opened.law,
          inputs: flags.input ?? [],
          image: [generator.channels, generator.height, generator.width],
        },
        discriminator: await described(critic.discriminator),
        features: await described(critic.features, critic.layers),
        encoder: await described(encoder?.file),
      },
    },
    runtime,
  ).catch(inFlags);
}

/** What is said of steps that compute inner values again. */
function recomputingNote({ stage, total, recomputing }: MemoryPlan): string {
  const stages = recomputing.map((name) => `'${name}'`).join(', ');
  return (
    `To keep to --memory, the steps of ${stages} compute inner values twice, which takes longer; ` +
    `the largest step of the search, of '${stage}', needs about ${inGigabytes(total)} GB.`
  );
}

/** The memory of a search where `--memory` bounds it; throws `usage` before the search begins if it needs more. */
async function memoryPlan(
  generator: Generator,
  method: Method,
  files: readonly string[] | PictureList,
  flags: RestoreFlags,
  io: Io,
  { runtime, reuse, critic }: { readonly runtime: Runtime; readonly reuse: Reuse; readonly critic?: Critic },
): Promise<MemoryPlan | undefined> {
  const { memory, batch } = flags;
  if (memory === undefined) return undefined;
  // What is solved exactly takes no steps, but for those that tune weights.
  const isSolved = await isSolvedExactly(generator, method, runtime);
  const stages = isSolved ? method.stages.filter(stageTunesWeights) : method.stages;
  if (stages.length === 0) return undefined;
  const stepped = { ...method, stages };
  const most = batchSize({ generator, method, batch });
  const count = await countOf(files, flags, io);
  // Of a run that is resumed, any number may be left.
  const pictures = Number.isFinite(count) && !flags.resume ? evenBatch(count, most) : Math.min(most, count);
  const plan = await planMemory(generator, stepped, pictures, runtime, reuse, critic);
  checkMemory(plan, memory, stepped, pictures);
  return plan;
}

/** How many pictures are named; of a list, an array or tiles, as many as there may be. */
async function countOf(files: readonly string[] | PictureList, flags: RestoreFlags, io: Io): Promise<number> {
  if ('named' in files || flags.tiles !== undefined) return Number.POSITIVE_INFINITY;
  const sources = await findSources(files, flags, inputOptions({ ...flags, quiet: true }, io));
  return sources.some(({ path: file }) => /\.npy$/i.test(file)) ? Number.POSITIVE_INFINITY : sources.length;
}

/** What is said of the search: a linear generator has none, and takes no options of one. */
async function searchNotes(
  generator: Generator,
  method: Method,
  options: MethodOptions,
  runtime: Runtime,
  { encoder, fromLatents }: { readonly encoder: string | undefined; readonly fromLatents?: string },
): Promise<string[]> {
  if (!(await isSolvedExactly(generator, method, runtime)))
    return encoder && fromLatents === undefined
      ? [`The encoder ${path.basename(encoder)} provides one of the starts.`]
      : [];
  // The steps of a method that tunes weights are also those of its tuning.
  const ofSearches = tunesWeights(method) ? SEARCH_OPTIONS.filter((key) => key !== 'steps') : SEARCH_OPTIONS;
  const given = [
    ...ofSearches.filter((key) => options[key] !== undefined).map(flagOf),
    ...(fromLatents === undefined ? [] : ['--from-latents']),
  ];
  if (given.length === 0) return [];
  const verb = given.length === 1 ? 'has' : 'have';
  return [
    `The generator is linear in its latents: the best ones are computed, not searched for. ${given.join(', ')} ${verb} no effect.`,
  ];
}

/** Options of a search for latents. */
const SEARCH_OPTIONS = ['steps', 'starts', 'pool', 'latentRate'] as const satisfies readonly (keyof MethodOptions)[];

/** The manifest as this run wrote it. A full disk leaves none, or that of an earlier save. */
async function writtenManifest({ manifest, saved }: RestoreFilesResult): Promise<string> {
  if (!saved)
    throw new RgiError(
      'input',
      `${manifest} could not be written, so that --json has nothing to print; free some space, and run the same command with --resume.`,
      { file: manifest },
    );
  return readFile(manifest, 'utf8');
}

/** Says what becomes of each picture, as it happens. */
function reporterOf(flags: RestoreFlags, io: Io) {
  const progress = progressLine(io, flags.quiet ?? false);
  let [diverged, notRestored] = [0, 0];
  const tell = (line: string, always = false) => {
    progress.clear();
    if (always || !flags.quiet) say(io, line);
  };
  // Many pictures have the same to say: it is said with the first.
  const said = new Set<string>();
  const tellOnce = (sentence: string) => {
    if (!said.has(sentence)) tell(`note: ${sentence}`);
    said.add(sentence);
  };
  const tellDone = (record: ImageRecord) => {
    for (const sentence of [...(record.notes ?? []), ...(record.losses ?? [])]) tellOnce(sentence);
    const masked = `${(100 * record.maskedShare!).toFixed(1)}% masked`;
    if (record.domain === 'outside')
      tell(
        `warning: ${record.name} is probably outside the generator's domain: the unmasked part differs by ${record.misfitGrey!.toFixed(0)} grey levels (RMS), and ${masked}.`,
      );
    tell(`${record.name}: ${masked}, loss ${record.loss?.toPrecision(4)}, ${record.seconds!.toFixed(1)} s`);
  };
  return {
    clear: () => progress.clear(),
    diverged: () => diverged,
    notRestored: () => notRestored,
    event(event: JobEvent<ImageRecord>, notes: readonly string[]) {
      if (event.kind === 'begin') for (const note of notes) tell(`note: ${note}`);
      else if (event.kind === 'progress') progress.show(event.done, event.total, event.what);
      else if (event.kind === 'warning') {
        said.add(event.message);
        tell(`warning: ${event.message}`, true);
      } else if (event.kind === 'record' && !event.kept) {
        const { status, record } = event.entry;
        if (record.code === 'diverged') diverged++;
        if (record.code === 'not-restored') notRestored++;
        if (status === 'done') tellDone(record);
        else if (record.code === 'not-restored') tell(`${record.name}: not restored. ${record.message}`, true);
        else if (record.code === 'diverged') tell(`${record.name}: failed. ${record.message}`);
        else tell(`error: ${withFlagNames(record.message)}`, true);
      }
    },
  };
}

/** An alignment places the generator's picture in the whole of each picture: a region beside it would have no effect. */
function checkPlace({ region, align, tiles }: RestoreFlags): void {
  if (align === undefined) return;
  if (region)
    throw new RgiError('usage', "Give --region or --align, not both: each says where the generator's picture lies.");
  if (tiles !== undefined)
    throw new RgiError(
      'usage',
      'Give --tiles or --align, not both: tiles have the places that the picture gives them.',
    );
}

function conclude(
  { done, failed, interrupted, manifest }: RestoreFilesResult,
  { diverged, notRestored }: Pick<ReturnType<typeof reporterOf>, 'diverged' | 'notRestored'>,
  flags: RestoreFlags,
  io: Io,
): ExitCode {
  if (interrupted) {
    say(io, `Interrupted; ${done} done. Run the same command with --resume to continue.`);
    return EXIT.interrupted;
  }
  if (!flags.quiet) say(io, `${done} of ${done + failed} restored into ${path.dirname(manifest)}`);
  if (failed === 0) return EXIT.done;
  if (done > 0 || notRestored() > 0) return EXIT.partly;
  return failed === diverged() ? EXIT.check : EXIT.unusable;
}

/** The library speaks of a fit and of luma; here they are flags. */
export function withFlagNames(message: string): string {
  return message
    .replace('choose a fit: contain, cover or stretch.', 'choose --fit contain, cover or stretch.')
    .replace('choose grey by luma to convert it.', 'convert it with --grey luma.');
}

function inFlags(error: unknown): never {
  if (!(error instanceof RgiError)) throw error;
  throw new RgiError(error.code, withFlagNames(error.message), error.location, { cause: error });
}

async function described(file: string | undefined, layers?: readonly string[]) {
  return file === undefined ? undefined : { file, ...(await modelHashes(file)), ...(layers ? { layers } : {}) };
}

/** Said before anything is computed; the folder itself is made with the first file. */
export async function checkFolder(folder: string): Promise<void> {
  if (folder === '') throw new RgiError('usage', '--out is empty; name a folder.');
  const found = await stat(folder).catch(() => undefined);
  if (found && !found.isDirectory())
    throw new RgiError('usage', `--out ${folder} is a file; name a folder.`, { file: folder });
  let existing = path.resolve(folder);
  while (path.dirname(existing) !== existing && !(await stat(existing).catch(() => undefined))) {
    existing = path.dirname(existing);
  }
  const isFolder = (await stat(existing)).isDirectory();
  const writable = await access(existing, constants.W_OK).then(
    () => true,
    () => false,
  );
  if (isFolder && writable) return;
  const reason = isFolder ? `${existing} may not be written` : `${existing} is a file`;
  throw new RgiError('input', `--out ${folder} cannot be made: ${reason}.`, { file: folder });
}
