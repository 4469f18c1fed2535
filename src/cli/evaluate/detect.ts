/** `rgi evaluate detect`: reads the set, resolves the methods, runs the protocol, writes the tables. */
import path from 'node:path';
import { messageOf, RgiError } from '../../errors.ts';
import { type Detector, gaussianDetector, pcaDetector } from '../../evaluate/detect/detector.ts';
import { type Candidate, type DetectJob, evaluateDetect, type TestPicture } from '../../evaluate/node/detect.ts';
import { type DetectionSet, findDetectionSet, GOOD, type Sample } from '../../evaluate/node/detection-layouts.ts';
import { hashOf, openStore, writeResults } from '../../evaluate/node/store.ts';
import { parseRecipe, type Recipe } from '../../evaluate/recipes.ts';
import type { Result, Results, TrialRecord } from '../../evaluate/record.ts';
import { type Image, stackImages, toGrey } from '../../images/image.ts';
import { type Picture, type ReadOptions, readMask, readPicture } from '../../images/node/read.ts';
import { place } from '../../images/resize.ts';
import { batchSize, restoreImages } from '../../inversion/restore.ts';
import { randomFrom } from '../../random.ts';
import { createRuntime } from '../../runtime/node/index.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { EXIT, type ExitCode } from '../failures.ts';
import { type Io, printJson, say } from '../io.ts';
import { openGeneratorFile } from '../networks.ts';
import { progressLine } from '../progress.ts';
import { checkFolder } from '../restore/command.ts';
import { sha256Of, VERSION } from '../version.ts';
import { openCritics, resolve } from './contestants.ts';
import type { DetectFlags } from './detect-flags.ts';
import { commandLine } from './flags.ts';

const DEFAULT_METHODS = ['gaussian', 'pca:16', 'pca:64', 'pca:128'];
const DEFAULT_SIZE = 128;

/** Pictures that a plain detector looks at together. */
const PLAIN_BATCH = 32;

type Named = { readonly name: string } & (
  | { readonly kind: 'gaussian' }
  | { readonly kind: 'pca'; readonly components: number }
  | { readonly kind: 'generator'; readonly recipe: Recipe }
);

export async function evaluateDetectCommand(data: string, given: DetectFlags, io: Io): Promise<ExitCode> {
  const flags = { ...given, methods: given.methods ?? DEFAULT_METHODS };
  const named = parseMethods(flags.methods, flags.seed);
  const needs = named.find((one) => one.kind === 'generator');
  if (needs && flags.generator === undefined) {
    throw new RgiError(
      'usage',
      `The method '${needs.name}' needs a generator of good pictures: give it with --generator.`,
    );
  }
  const set = await findDetectionSet(data, flags.dataLayout);
  await checkFolder(flags.out);
  const store = await openStore(flags.out, flags.resume ?? false);
  const runtime = await createRuntime({ device: flags.device, threads: flags.threads, worker: io.worker });
  try {
    const model = needs ? await openModelOf(runtime, named, flags) : undefined;
    const loaded = await load(set, model?.shape, flags);
    const description = {
      data: loaded.hash,
      size: loaded.good.dims.slice(1),
      fit: flags.fit,
      grey: flags.grey,
      held: loaded.held.dims[0],
    };
    const job: DetectJob = {
      set: set.name,
      description,
      good: loaded.good,
      held: loaded.held,
      test: loaded.test,
      candidates: named.map((one) => candidateOf(one, runtime, model)),
      falseAlarm: flags.falseAlarm,
      seed: flags.seed,
      keep: flags.pictures,
    };
    const results = (rows: readonly Result[], records: readonly TrialRecord[], complete: boolean): Results => ({
      format: 1,
      kind: 'detect',
      complete,
      command: commandLine(['evaluate', 'detect', data], { ...flags }),
      versions: { rgi: VERSION, onnxruntime: runtime.version, node: process.versions.node },
      device: runtime.device,
      settings: {
        ...description,
        data,
        layout: set.layout,
        generator: model?.description,
        learnt: loaded.good.dims[0],
        tested: loaded.test.length,
        falseAlarm: flags.falseAlarm,
        seed: flags.seed,
        threads: flags.threads ?? 'default',
      },
      methods: Object.fromEntries(job.candidates.map((one) => [one.name, one.description])),
      notes: [...(model?.notes ?? []), ...loaded.notes],
      failed: loaded.failed,
      results: rows,
      trials: records.map((record) => record.key),
    });
    if (!flags.quiet) for (const note of results([], [], false).notes) say(io, `note: ${note}`);
    for (const { file, reason } of loaded.failed) say(io, `error: ${file}: ${reason}`);
    const progress = progressLine(io, flags.quiet ?? false);
    const outcome = await evaluateDetect(job, store, {
      signal: io.signal,
      onProgress: (done, total, what) => progress.show(done, total, what),
      async onGroup(rows, records, about) {
        progress.clear();
        if (!flags.quiet) say(io, about);
        await writeResults(flags.out, results(rows, records, false));
      },
    });
    progress.clear();
    const final = results(outcome.results, outcome.records, outcome.complete);
    await writeResults(flags.out, final);
    if (flags.json) printJson(io, final);
    if (!outcome.complete) {
      say(io, 'Interrupted; the same command with --resume goes on where it stopped.');
      return EXIT.interrupted;
    }
    if (!flags.quiet)
      say(io, `Tables in ${path.join(flags.out, 'results.md')}; 'rgi report ${flags.out}' makes a page of them.`);
    return loaded.failed.length > 0 ? EXIT.partly : EXIT.done;
  } finally {
    await runtime.dispose();
  }
}

function parseMethods(names: readonly string[], seed: number): Named[] {
  const again = names.find((name, i) => names.indexOf(name) < i);
  if (again !== undefined) throw new RgiError('usage', `The method '${again}' is named twice.`);
  return names.map((name): Named => {
    if (name === 'gaussian') return { name, kind: 'gaussian' };
    const [first, rest] = name.split(':');
    if (first === 'pca') {
      const components = Number(rest);
      if (!Number.isInteger(components) || components < 1) {
        throw new RgiError('usage', `The method '${name}': write pca:COUNT, for instance pca:16.`);
      }
      return { name, kind: 'pca', components };
    }
    const recipe = parseRecipe(name, seed);
    if (recipe.told)
      throw new RgiError('usage', `The method '${name}': what is to be found cannot be told; leave +mask out.`);
    return { name, kind: 'generator', recipe };
  });
}

async function openModelOf(runtime: Runtime, named: readonly Named[], flags: DetectFlags) {
  const generatorFlags = { ...flags, generator: flags.generator! };
  const opened = await openGeneratorFile(runtime, generatorFlags);
  const networks = await openCritics(runtime, opened, generatorFlags);
  const { generator } = opened;
  const contestants = new Map(
    named.flatMap((one) =>
      one.kind === 'generator' ? [[one.name, resolve(one.recipe, opened, networks)] as const] : [],
    ),
  );
  const detectors = new Map(
    [...contestants].map(([name, contestant]) => {
      const { method, critic, recipe } = contestant;
      const batch = batchSize({ generator, method, batch: flags.batch });
      const detector: Detector = {
        async find(images) {
          const job = {
            generator,
            method,
            critic,
            images,
            batch: images.dims[0],
            thresholdGrey: recipe.thresholdGrey,
            blend: 'none' as const,
          };
          const maps: Image[] = [];
          const restored: Image[] = [];
          for await (const one of restoreImages(job, runtime)) {
            maps.push(one.residual);
            restored.push(one.restored);
          }
          return { maps: stackImages(maps), restored: stackImages(restored) };
        },
        dispose: async () => {},
      };
      return [name, { detector, batch, description: contestant.description }] as const;
    }),
  );
  return {
    shape: { channels: generator.channels, size: { height: generator.height, width: generator.width } },
    detectors,
    description: {
      file: flags.generator!,
      sha256: await sha256Of(flags.generator!),
      latents: generator.latents,
      law: opened.law,
    },
    notes: [...opened.notes, ...networks.notes],
  };
}

type OpenedModel = Awaited<ReturnType<typeof openModelOf>>;

function candidateOf(named: Named, runtime: Runtime, model: OpenedModel | undefined): Candidate {
  const { name, kind } = named;
  if (kind === 'gaussian') {
    return { name, description: { kind }, batch: PLAIN_BATCH, learn: async (good) => gaussianDetector(good) };
  }
  if (kind === 'pca') {
    const { components } = named;
    return {
      name,
      description: { kind, components },
      batch: PLAIN_BATCH,
      learn: (good) => pcaDetector(good, components, runtime),
    };
  }
  const { detector, batch, description } = model!.detectors.get(name)!;
  return {
    name,
    description: { generator: model!.description, ...(description as object) },
    batch,
    learn: async () => detector,
  };
}

interface Loaded {
  readonly good: Image;
  readonly held: Image;
  readonly test: readonly TestPicture[];
  readonly failed: readonly { readonly file: string; readonly reason: string }[];
  readonly notes: readonly string[];
  /** Of all that is learnt from. */
  readonly hash: string;
}

async function load(
  set: DetectionSet,
  shape: { channels: number; size: { height: number; width: number } } | undefined,
  flags: DetectFlags,
): Promise<Loaded> {
  const failed: { file: string; reason: string }[] = [];
  const survive = async <T>(file: string, read: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof RgiError)) throw error;
      failed.push({ file, reason: messageOf(error) });
      return undefined;
    }
  };
  const side = flags.size ?? DEFAULT_SIZE;
  const channels = shape?.channels ?? (await readPicture(set.train[0].path)).source.channels;
  const options: ReadOptions = {
    channels,
    size: shape?.size ?? { height: side, width: side },
    fit: flags.fit,
    grey: flags.grey,
  };
  const good: { image: Image; sha256: string }[] = [];
  for (const { path: file } of set.train) {
    const image = await survive(file, async () => (await readPicture(file, options)).image);
    if (image) good.push({ image, sha256: await sha256Of(file) });
  }
  const heldCount = Math.min(flags.held, Math.floor(good.length / 2));
  if (heldCount < 1)
    throw new RgiError('input', `${set.name} has ${good.length} good pictures; at least two are needed.`);
  const held = new Set(randomFrom(flags.seed).sample(heldCount, good.length));
  const counts = new Map<string, number>();
  const test: TestPicture[] = [];
  for (const sample of set.test) {
    const seen = counts.get(sample.defect) ?? 0;
    if (flags.count !== undefined && seen >= flags.count) continue;
    const picture = await survive(sample.path, () => readSample(sample, options, set.labels));
    if (!picture) continue;
    counts.set(sample.defect, seen + 1);
    test.push(picture);
  }
  if (test.length === 0)
    throw new RgiError('input', `None of the test pictures of ${set.name} could be used: ${failed[0].reason}`);
  const without = test.filter((picture) => picture.truth === undefined).length;
  return {
    good: stackImages(good.filter((_, i) => !held.has(i)).map((one) => one.image)),
    held: stackImages(good.filter((_, i) => held.has(i)).map((one) => one.image)),
    test,
    failed,
    notes: without > 0 ? [`${without} defective pictures have no mask: they count for the image score alone.`] : [],
    hash: hashOf(good.map((one) => one.sha256)),
  };
}

async function readSample(sample: Sample, options: ReadOptions, labels: boolean): Promise<TestPicture> {
  const picture = await readPicture(sample.path, options);
  const [, , height, width] = picture.image.dims;
  const truth =
    sample.defect === GOOD
      ? new Float32Array(height * width)
      : sample.mask === undefined
        ? undefined
        : labels
          ? await labelMask(sample.mask, picture)
          : (await readMask(sample.mask, picture)).data;
  return {
    name: sample.name,
    defect: sample.defect,
    image: picture.image,
    sha256: await sha256Of(sample.path),
    ...(truth ? { truth } : {}),
  };
}

/** A label image: every value but 0 is defect. */
async function labelMask(file: string, like: Picture): Promise<Float32Array> {
  const { height, width } = like.source;
  const stored = toGrey((await readPicture(file, { size: { height, width } })).image);
  const binary = { ...stored, data: stored.data.map((v) => (v > -1 + 1e-4 ? 1 : 0)) };
  const [, , h, w] = like.image.dims;
  return place(binary, { height: h, width: w }, like.placement, 'area').data.map((v) => (v > 0.5 ? 1 : 0));
}
