/** The protocol of restoration on files: every case, method and picture once; what earlier runs finished is taken over. */
import path from 'node:path';
import { quantile } from '../../arrays/sort.ts';
import { colourMap } from '../../images/colour.ts';
import { type Image, stackImages } from '../../images/image.ts';
import { writeMask, writePicture } from '../../images/node/write.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { batchSize, plannedSteps } from '../../inversion/solve/restore.ts';
import { evenBatch } from '../../jobs/batches.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Case } from '../cases.ts';
import { type Contestant, runTrials, type Trial, type TrialBatch, trialWay } from '../inpaint/trials.ts';
import { type TrialPictures, type TrialRecord, thinned } from '../record.ts';
import { hashOf, type Store, slug } from './store.ts';
import { writeWay } from './way-files.ts';

/** Residual, in units of [-1,1], that is drawn white. */
const RESIDUAL_WHITE = 1;

export interface LoadedPicture {
  readonly name: string;
  /** [1,C,H,W] in [-1,1] */
  readonly image: Image;
  readonly sha256: string;
}

export interface ResolvedContestant extends Contestant {
  /** Everything that decides what it does, as data. */
  readonly description: unknown;
}

export interface InpaintJob {
  readonly set: string;
  readonly generator: Generator;
  /** The generator, and how pictures were brought to it, as data. */
  readonly description: unknown;
  readonly pictures: readonly LoadedPicture[];
  readonly cases: readonly Case[];
  readonly contestants: readonly ResolvedContestant[];
  readonly seed: number;
  readonly batch?: number;
  /** So many pictures of each case are kept as PNG. */
  readonly keep: number;
  /** Of so many the way of the search is kept, too. */
  readonly snapshots: number;
  readonly snapshotSteps: number;
}

export interface InpaintHooks {
  readonly onProgress?: (done: number, total: number, what: string) => void;
  /** After each case and method, with all records so far. */
  readonly onGroup?: (records: readonly TrialRecord[], about: string) => Promise<void>;
  readonly signal?: AbortSignal;
}

export interface InpaintOutcome {
  readonly records: readonly TrialRecord[];
  readonly complete: boolean;
}

export async function evaluateInpaint(
  job: InpaintJob,
  store: Store,
  runtime: Runtime,
  hooks: InpaintHooks = {},
): Promise<InpaintOutcome> {
  const { pictures, cases, contestants } = job;
  const records: TrialRecord[] = [];
  // Progress counts steps, since methods differ by thousands of them.
  const total = cases.length * pictures.length * contestants.reduce((sum, { method }) => sum + plannedSteps(method), 0);
  let before = 0;
  for (const setting of cases) {
    for (const contestant of contestants) {
      const most = batchSize({ generator: job.generator, method: contestant.method, batch: job.batch });
      const size = evenBatch(pictures.length, most);
      const steps = plannedSteps(contestant.method);
      const own: TrialRecord[] = [];
      // Of the same pictures, batches lie on a fixed grid: a resumed run computes the same ones, and so the same numbers.
      for (let first = 0; first < pictures.length; first += size) {
        const task: Task = { setting, contestant, first, members: pictures.slice(first, first + size) };
        const onProgress = (made: number) =>
          hooks.onProgress?.(
            before + first * steps + Math.min(made, steps * task.members.length),
            total,
            `${setting.name}, ${contestant.recipe.name}, ${task.members[0].name}`,
          );
        const made = await recordsOf(job, task, store, runtime, onProgress, hooks.signal);
        if (!made) return { records: [...records, ...own], complete: false };
        own.push(...made);
      }
      before += steps * pictures.length;
      records.push(...own);
      await hooks.onGroup?.(records, describe(own));
    }
  }
  return { records, complete: true };
}

/** Pictures that one method restores side by side. */
interface Task {
  readonly setting: Case;
  readonly contestant: ResolvedContestant;
  readonly first: number;
  readonly members: readonly LoadedPicture[];
}

/** The records of a batch: those of an earlier run, or new ones, stored. Undefined if aborted. */
async function recordsOf(
  job: InpaintJob,
  { setting, contestant, first, members }: Task,
  store: Store,
  runtime: Runtime,
  onProgress: (stepsMade: number) => void,
  signal: AbortSignal | undefined,
): Promise<TrialRecord[] | undefined> {
  const keys = members.map((picture, i) => keyOf(job, setting, contestant, picture, first + i));
  const earlier = keys.map((key, i) => usable(store.find(key), first + i, members[i], job));
  if (earlier.every((record) => record !== undefined)) return earlier;
  if (signal?.aborted) return undefined;
  onProgress(0);
  let stepsMade = 0;
  const images = stackImages(members.map((picture) => picture.image));
  const batch: TrialBatch = { generator: job.generator, contestant, case: setting, images, first, seed: job.seed };
  const trials = await runTrials(batch, runtime, {
    onStep: (_, pictures) => {
      stepsMade += pictures;
      onProgress(stepsMade);
    },
    signal,
  });
  if (!trials) return undefined;
  const made: TrialRecord[] = [];
  for (const [i, trial] of trials.entries()) {
    const at = { key: keys[i], image: members[i].name, index: first + i };
    made.push(
      await recordOf(
        job,
        contestant,
        trial,
        at,
        { ...batch, images: trial.truth, first: at.index },
        {
          folder: store.folder,
          runtime,
          signal,
        },
      ),
    );
  }
  if (signal?.aborted) return undefined;
  await store.append(made);
  return made;
}

/** One line on a group that is done. */
function describe(own: readonly TrialRecord[]): string {
  const [{ case: name, method }] = own;
  const values = own.map((record) => record.metrics.psnr).filter((value) => typeof value === 'number');
  const median =
    values.length > 0
      ? quantile(
          values.sort((a, b) => a - b),
          0.5,
        )
      : undefined;
  const seconds = own.reduce((sum, record) => sum + record.seconds, 0) / own.length;
  return `${name}, ${method}: ${own.length} pictures, median PSNR ${median?.toFixed(2) ?? '-'} dB, ${seconds.toFixed(2)} s each`;
}

function keyOf(
  job: InpaintJob,
  setting: Case,
  contestant: ResolvedContestant,
  picture: LoadedPicture,
  index: number,
): string {
  return hashOf([
    'inpaint',
    job.description,
    contestant.recipe.name,
    contestant.description,
    setting,
    job.seed,
    index,
    picture.name,
    picture.sha256,
  ]);
}

/** An earlier record, if it has the pictures that are now asked for. */
function usable(
  record: TrialRecord | undefined,
  index: number,
  { image }: LoadedPicture,
  job: InpaintJob,
): TrialRecord | undefined {
  const shown = index < job.keep && drawable(image);
  if (shown && (!record?.pictures || (index < job.snapshots && !record.snapshots))) return undefined;
  return record;
}

interface Place {
  readonly folder: string;
  readonly runtime: Runtime;
  readonly signal?: AbortSignal;
}

async function recordOf(
  job: InpaintJob,
  { recipe }: ResolvedContestant,
  trial: Trial,
  at: { readonly key: string; readonly image: string; readonly index: number },
  single: TrialBatch,
  place: Place,
): Promise<TrialRecord> {
  const { restoration } = trial;
  const setting = single.case.name;
  const name = `${String(at.index).padStart(4, '0')}-${slug(at.image.replace(/\.[^.]*$/, ''))}`;
  const shown = at.index < job.keep && drawable(trial.truth);
  const pictures = shown ? await writePictures(place.folder, slug(setting), slug(recipe.name), name, trial) : undefined;
  const snapshots =
    shown && at.index < job.snapshots
      ? await writeWay(
          place.folder,
          `pictures/${slug(setting)}/${slug(recipe.name)}/${name}`,
          await trialWay(single, job.snapshotSteps, place.runtime, place.signal),
        )
      : undefined;
  return {
    kind: 'inpaint',
    key: at.key,
    set: job.set,
    case: setting,
    method: recipe.name,
    told: recipe.told,
    image: at.image,
    index: at.index,
    code: restoration.code,
    metrics: trial.metrics,
    seconds: Number(restoration.seconds.toFixed(4)),
    steps: restoration.steps,
    loss: Number.isFinite(restoration.loss) ? restoration.loss : null,
    history: thinned(restoration.history),
    ...(pictures ? { pictures } : {}),
    ...(snapshots ? { snapshots } : {}),
  };
}

function drawable(image: Image): boolean {
  return image.dims[1] === 1 || image.dims[1] === 3;
}

/** Truth, input and true mask once per case; the rest per method. */
async function writePictures(
  folder: string,
  setting: string,
  method: string,
  name: string,
  trial: Trial,
): Promise<TrialPictures> {
  const { restoration } = trial;
  const place = `pictures/${setting}`;
  const pictures = {
    truth: `pictures/truth/${name}.png`,
    input: `${place}/${name}.input.png`,
    trueMask: `${place}/${name}.mask.png`,
    restored: `${place}/${method}/${name}.restored.png`,
    composite: `${place}/${method}/${name}.composite.png`,
    mask: `${place}/${method}/${name}.mask.png`,
    map: `${place}/${method}/${name}.residual.png`,
  };
  const file = (key: keyof typeof pictures) => path.join(folder, pictures[key]);
  await writePicture(file('truth'), trial.truth);
  await writePicture(file('input'), trial.input);
  await writeMask(file('trueMask'), trial.trueMask);
  await writePicture(file('restored'), restoration.restored);
  await writePicture(file('composite'), restoration.composite);
  await writeMask(file('mask'), restoration.mask);
  await writePicture(file('map'), colourMap(restoration.residual, 0, RESIDUAL_WHITE));
  return pictures;
}
