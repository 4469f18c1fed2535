/** The linear generator of a folder, on files: no steps, no checkpoint; measured and exported like a trained one. */
import path from 'node:path';
import { batchOf, type Dataset, mixed } from '../../datasets/dataset.ts';
import { writeFileAtomic } from '../../images/node/write.ts';
import { randomFrom } from '../../random.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { componentsFor, fitLinear } from '../networks/linear.ts';
import { measureNoise } from '../noise.ts';
import { linearPage } from '../page.ts';
import type { CoveragePoint, DataFacts } from '../record.ts';
import { readRunData } from './data.ts';
import { factsOf, filesOf, lockRun, type RunFiles, trainingFacts, writeModels, writeSheets } from './files.ts';
import { drawSamples, measureNetworks } from './measure.ts';
import type { RunOptions } from './options.ts';
import { refuseUnfinished } from './run.ts';
import { type LeaveOut, type Suspects, suspectsOf, writeSuspects } from './suspects.ts';

/** What `fitFolder` is given; the fields are those of `RunOptions`. */
export interface LinearRunOptions
  extends Pick<RunOptions, 'folder' | 'out' | 'data' | 'held' | 'half' | 'licence' | 'signal' | 'onEvent'> {
  /** Pictures that are left out because they are defective; default none. */
  readonly leaveOut?: LeaveOut;
  /** Components; default see `componentsFor`. */
  readonly latent?: number;
  /** Whole number, default 0: chooses held-out pictures, crops and samples. */
  readonly seed?: number;
}

/** What `fitFolder` has made and measured. */
export interface LinearRunResult {
  /** How well held-out pictures are restored by the new generator. */
  readonly coverage: CoveragePoint;
  /** The share of the pictures' variance that the components hold. */
  readonly explained: number;
  /** The pictures used: their number, size, channels, and how many are held out. */
  readonly data: DataFacts;
  /** The list of all pictures with their scores, where they were screened. */
  readonly suspects?: string;
  /** Of the whole run. */
  readonly seconds: number;
  /** The files written: models, record, samples. */
  readonly files: readonly string[];
  /** Samples, pictures held out and the spectrum, as one HTML file. */
  readonly page: string;
}

/** The encoder's start is the least-squares solution: a few steps show that inversion stays there. */
const MEASURE = { step: 0, steps: 30, blockSteps: 100, pool: 300 };

/** Throws the signal's reason where it is aborted. */
export async function fitFolder(options: LinearRunOptions, runtime: Runtime): Promise<LinearRunResult> {
  const files = filesOf(options.out);
  const release = await lockRun(files);
  try {
    return await fitLocked(options, files, runtime);
  } finally {
    await release();
  }
}

async function fitLocked(options: LinearRunOptions, files: RunFiles, runtime: Runtime): Promise<LinearRunResult> {
  const { seed = 0, signal, onEvent: tell = () => {} } = options;
  const started = performance.now();
  await refuseUnfinished(files);
  let suspects: Suspects | undefined;
  const leaveOut = async (dataset: Dataset) => {
    const hooks = { signal, onProgress: (share: number) => tell({ kind: 'screening', share }) };
    suspects = await suspectsOf(options.leaveOut!, dataset, runtime, hooks);
    return suspects.isOut;
  };
  const wanted = { held: options.held, seed, exclude: files.folder, signal };
  const data = await readRunData(
    options.folder,
    options.data ?? {},
    options.leaveOut ? { ...wanted, leaveOut } : wanted,
    tell,
  );
  const { train, unseen, facts, source } = data;
  const images = batchOf(train, learntFrom(train, facts.kind), randomFrom(mixed(seed, 5)));
  const latent = options.latent ?? componentsFor(facts.kind, train.pictures.length);
  const { generator, encoder, eigenvalues, explained } = await fitLinear(images, latent, runtime, seed);
  const components = eigenvalues.length;
  const { point, reached } = await measureNetworks(generator, encoder, unseen, runtime, { ...MEASURE, signal });
  const held = batchOf(data.held, [...data.held.pictures.keys()]);
  const noise = await measureNoise(generator, held, runtime, { isUniform: facts.kind === 'crops' });
  const seconds = (performance.now() - started) / 1000;
  const settings = { architecture: 'linear', latent: components, seed };
  const training = trainingFacts({ settings, explained, source }, facts, seconds, point);
  const stated = { ...factsOf(facts, components, training, options.licence), noise };
  const written = await writeModels({ generator, encoder }, stated, files, options.half);
  const samples = await drawSamples(generator, components, seed, runtime);
  const pictures = await writeSheets(files, 0, samples, unseen, reached);
  const record = { settings, data: facts, coverage: point, eigenvalues, explained, seconds };
  const screened = suspects?.screened;
  const list = screened && (await writeSuspects(files.folder, screened.csv));
  const page = await linearPage(`Training ${path.basename(options.out)}`, record, pictures, screened?.shown);
  await writeFileAtomic(files.page, page);
  const result = { coverage: point, explained, data: facts, seconds, files: written, page: files.page };
  return list ? { ...result, suspects: list } : result;
}

/** Values of all crops together, and crops, at most. */
const CROP_VALUES = 2 ** 25;
const CROPS = 8192;

/** Each picture once; crops from each as often as there is room for, since one shows little of it. */
function learntFrom({ pictures, channels, size }: Dataset, kind: DataFacts['kind']): number[] {
  const each = pictures.map((_, i) => i);
  if (kind === 'object') return each;
  const most = Math.min(CROPS, Math.floor(CROP_VALUES / (channels * size ** 2)));
  const times = Math.max(1, Math.floor(most / pictures.length));
  return Array.from({ length: times }, () => each).flat();
}
