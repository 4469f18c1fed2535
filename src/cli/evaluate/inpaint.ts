/** `rgi evaluate inpaint`: opens what is named, resolves the methods, runs the protocol, writes the tables. */
import path from 'node:path';
import { messageOf, RgiError } from '../../errors.ts';
import { aggregate } from '../../evaluate/aggregate.ts';
import { parseCases } from '../../evaluate/cases.ts';
import { evaluateInpaint, type InpaintJob, type LoadedPicture } from '../../evaluate/node/inpaint.ts';
import { findPictures, type PictureSet } from '../../evaluate/node/layouts.ts';
import { openStore, writeResults } from '../../evaluate/node/store.ts';
import { parseRecipes } from '../../evaluate/recipes.ts';
import type { Results, TrialRecord } from '../../evaluate/record.ts';
import { imageAt } from '../../images/image.ts';
import { readPicture } from '../../images/node/read.ts';
import { createRuntime } from '../../runtime/node/index.ts';
import { EXIT, type ExitCode } from '../failures.ts';
import { type Io, printJson, say } from '../io.ts';
import { type OpenedGenerator, openGeneratorFile } from '../networks.ts';
import { progressLine } from '../progress.ts';
import { checkFolder } from '../restore/command.ts';
import { sha256Of, VERSION } from '../version.ts';
import { openCritics, resolve } from './contestants.ts';
import { commandLine, type InpaintFlags } from './flags.ts';

const DEFAULT_METHODS = ['rgi', 'rgi:paper', 'invert'];
const DEFAULT_CASES = ['standard'];

export async function evaluateInpaintCommand(data: string, given: InpaintFlags, io: Io): Promise<ExitCode> {
  const flags = { ...given, methods: given.methods ?? DEFAULT_METHODS, cases: given.cases ?? DEFAULT_CASES };
  // Everything that can be wrong without a network is said before one is opened.
  const recipes = parseRecipes(flags.methods, flags.seed);
  const cases = parseCases(flags.cases);
  const set = await findPictures(data, flags.dataLayout);
  await checkFolder(flags.out);
  const store = await openStore(flags.out, flags.resume ?? false);
  const runtime = await createRuntime({ device: flags.device, threads: flags.threads, worker: io.worker });
  try {
    const opened = await openGeneratorFile(runtime, flags);
    const networks = await openCritics(runtime, opened, flags);
    const contestants = recipes.map((recipe) => resolve(recipe, opened, networks));
    const { pictures, failed } = await load(set, opened, flags);
    const { generator } = opened;
    const description = {
      generator: {
        file: flags.generator,
        sha256: await sha256Of(flags.generator),
        latents: generator.latents,
        law: opened.law,
        inputs: flags.input ?? [],
        output: generator.output,
        range: flags.range ?? opened.facts.image?.range,
        layout: flags.layout ?? opened.facts.image?.layout,
        image: [generator.channels, generator.height, generator.width],
      },
      fit: flags.fit,
      grey: flags.grey,
    };
    const job: InpaintJob = {
      set: set.name,
      generator,
      description,
      pictures,
      cases,
      contestants,
      seed: flags.seed,
      batch: flags.batch,
      keep: flags.pictures,
      snapshots: flags.snapshots,
      snapshotSteps: flags.snapshotSteps,
    };
    const results = (records: readonly TrialRecord[], complete: boolean): Results => ({
      format: 1,
      kind: 'inpaint',
      complete,
      command: commandLine(['evaluate', 'inpaint', data], { ...flags }),
      versions: { rgi: VERSION, onnxruntime: runtime.version, node: process.versions.node },
      device: runtime.device,
      settings: {
        ...description,
        data,
        part: set.about,
        pictures: pictures.length,
        seed: flags.seed,
        threads: flags.threads ?? 'default',
        batch: flags.batch ?? 'default',
        cases: Object.fromEntries(cases.map(({ name, corruption }) => [name, corruption])),
        networks: networks.described,
      },
      methods: Object.fromEntries(contestants.map(({ recipe, description: about }) => [recipe.name, about])),
      notes: [...opened.notes, ...networks.notes],
      failed,
      results: aggregate(records, flags.seed),
      trials: records.map((record) => record.key),
    });
    if (!flags.quiet) for (const note of results([], false).notes) say(io, `note: ${note}`);
    for (const { file, reason } of failed) say(io, `error: ${file}: ${reason}`);
    const progress = progressLine(io, flags.quiet ?? false);
    const outcome = await evaluateInpaint(job, store, runtime, {
      signal: io.signal,
      onProgress: (done, total, what) => progress.show(done, total, what),
      async onGroup(records, about) {
        progress.clear();
        if (!flags.quiet) say(io, about);
        await writeResults(flags.out, results(records, false));
      },
    });
    progress.clear();
    const final = results(outcome.records, outcome.complete);
    await writeResults(flags.out, final);
    if (flags.json) printJson(io, final);
    return conclude(final, outcome.complete, flags, io);
  } finally {
    await runtime.dispose();
  }
}

function conclude(final: Results, complete: boolean, flags: InpaintFlags, io: Io): ExitCode {
  if (!complete) {
    say(io, 'Interrupted; the same command with --resume goes on where it stopped.');
    return EXIT.interrupted;
  }
  if (!flags.quiet)
    say(io, `Tables in ${path.join(flags.out, 'results.md')}; 'rgi report ${flags.out}' makes a page of them.`);
  const diverged = final.results.reduce((sum, result) => sum + result.diverged, 0);
  return final.failed.length > 0 || diverged > 0 ? EXIT.partly : EXIT.done;
}

/** The first pictures of the set that can be used; the others are named. Throws where there are none. */
async function load(
  set: PictureSet,
  { generator }: OpenedGenerator,
  flags: InpaintFlags,
): Promise<{ pictures: LoadedPicture[]; failed: { file: string; reason: string }[] }> {
  const { channels, height, width } = generator;
  const pictures: LoadedPicture[] = [];
  const failed: { file: string; reason: string }[] = [];
  for (const file of set.files) {
    if (pictures.length >= flags.count) break;
    try {
      const picture = await readPicture(file.path, {
        channels,
        size: { height, width },
        fit: flags.fit,
        grey: flags.grey,
      });
      if (picture.image.dims[0] !== 1)
        throw new RgiError('input', `It holds ${picture.image.dims[0]} pictures; one each is read.`);
      pictures.push({ name: file.name, image: imageAt(picture.image, 0), sha256: await sha256Of(file.path) });
    } catch (error) {
      if (!(error instanceof RgiError)) throw error;
      failed.push({ file: file.path, reason: messageOf(error) });
    }
  }
  if (pictures.length === 0) {
    throw new RgiError(
      'input',
      `None of the ${failed.length} pictures of ${set.name} could be used: ${failed[0].reason}`,
    );
  }
  return { pictures, failed };
}
