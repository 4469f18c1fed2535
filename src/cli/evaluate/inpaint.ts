/** `rgi evaluate inpaint`: opens what is named, resolves the methods, runs the protocol, writes the tables. */

import { fileError, messageOf, RgiError } from '../../errors.ts';
import { aggregate } from '../../evaluate/aggregate.ts';
import { parseCases } from '../../evaluate/cases.ts';
import { type EvaluationFolder, notOwn, openEvaluation } from '../../evaluate/node/folder.ts';
import { evaluateInpaint, type InpaintJob, type LoadedPicture } from '../../evaluate/node/inpaint.ts';
import { findPictures, type PictureSet } from '../../evaluate/node/layouts.ts';
import { parseRecipes } from '../../evaluate/recipes.ts';
import { sha256Of } from '../../files/node/hash.ts';
import { imageAt } from '../../images/image.ts';
import { readPicture } from '../../images/node/read.ts';
import { usesFeatures } from '../../inversion/spec/method.ts';
import { openEncoder } from '../../models/node/encoder.ts';
import { type OpenedGenerator, openGeneratorFile } from '../../models/node/networks.ts';
import { modelHashes } from '../../models/node/weight-files.ts';
import { createRuntime } from '../../runtime/node/index.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { ExitCode } from '../failures.ts';
import type { Io } from '../io.ts';
import { checkFolder } from '../restore/command.ts';
import { commandLine, type Head, reporter } from './common.ts';
import { criticNotes, openCritics, resolve } from './contestants.ts';
import { INPAINT_CASES, INPAINT_METHODS, type InpaintFlags } from './inpaint-flags.ts';

export async function evaluateInpaintCommand(data: string, given: InpaintFlags, io: Io): Promise<ExitCode> {
  const flags = { ...given, methods: given.methods ?? INPAINT_METHODS, cases: given.cases ?? INPAINT_CASES };
  // Everything that can be wrong without a network is said before one is opened.
  const recipes = parseRecipes(flags.methods, flags.seed);
  const cases = parseCases(flags.cases);
  const found = await findPictures(data, flags.dataLayout);
  const set = { ...found, files: notOwn(found.files, flags.out) };
  if (set.files.length === 0)
    throw fileError(
      data,
      'empty',
      `All ${found.files.length} pictures of ${data} are outputs of an evaluation into ${flags.out}; name the folder of the clean pictures.`,
    );
  await checkFolder(flags.out);
  const runtime = await createRuntime({ device: flags.device, threads: flags.threads, worker: io.worker });
  let folder: EvaluationFolder | undefined;
  try {
    folder = await openEvaluation(flags.out, 'inpaint', flags);
    const { opened, encoder } = await openWithEncoder(runtime, flags);
    const networks = await openCritics(runtime, opened, flags);
    const contestants = recipes.map((recipe) => resolve(recipe, opened, networks));
    if (flags.features !== undefined && !contestants.some(({ method }) => usesFeatures(method)))
      throw new RgiError(
        'usage',
        'No method of --methods compares features; add :feature-weight=WEIGHT to rgi, rrgi or invert, or leave --features out.',
      );
    const { pictures, failed } = await load(set, opened, flags);
    const { generator } = opened;
    const description = {
      generator: {
        file: flags.generator,
        ...(await modelHashes(flags.generator)),
        latents: generator.latents,
        law: opened.law,
        inputs: flags.input ?? [],
        output: generator.output,
        range: flags.range ?? opened.facts.image?.range,
        layout: flags.layout ?? opened.facts.image?.layout,
        image: [generator.channels, generator.height, generator.width],
        ...(encoder ? { encoder: await modelHashes(encoder.file) } : {}),
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
    const head: Head = {
      kind: 'inpaint',
      command: commandLine(['evaluate', 'inpaint', data], { ...flags }),
      settings: {
        ...description,
        data,
        part: set.about,
        pictures: pictures.length,
        cases: Object.fromEntries(cases.map(({ name, corruption }) => [name, corruption])),
        networks: networks.described,
      },
      methods: Object.fromEntries(contestants.map(({ recipe, description: about }) => [recipe.name, about])),
      notes: [...set.notes, ...opened.notes, ...networks.notes, ...criticNotes(recipes, opened, networks)],
      failed,
    };
    const report = reporter(head, folder, runtime, flags, io);
    const outcome = await evaluateInpaint(job, folder, runtime, {
      signal: io.signal,
      onProgress: report.progress,
      onFailure: report.failure,
      onGroup: (records, about) => report.group(aggregate(records, flags.seed), records, about),
    });
    return await report.end(aggregate(outcome.records, flags.seed), outcome.records, outcome.complete);
  } finally {
    await folder?.close();
    await runtime.dispose();
  }
}

/** With the encoder, which gives one of the starts where a method has several, as `rgi restore` does it. */
async function openWithEncoder(runtime: Runtime, flags: InpaintFlags) {
  const opened = await openGeneratorFile(runtime, flags);
  const encoder = await openEncoder(opened, flags);
  return { encoder, opened: { ...opened, generator: { ...opened.generator, encoder: encoder?.graph } } };
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
        throw new RgiError(
          'input',
          `The array holds ${picture.image.dims[0]} pictures; only one per file is supported.`,
        );
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
