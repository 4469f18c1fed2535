/** The protocol of restoration on files: every case, method and picture once; what earlier runs finished is taken over. */
import { quantile } from '../../arrays/sort.ts';
import { colourMap, RESIDUAL_WHITE } from '../../images/colour.ts';
import { type Image, isDrawable, maskToImage, stackImages } from '../../images/image.ts';
import { encodePng } from '../../images/node/write.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { batchSize, plannedSteps } from '../../inversion/solve/restore.ts';
import type { Job, OutputSet, Planned } from '../../jobs/job.ts';
import { hashOfData } from '../../jobs/node/program.ts';
import { runJob } from '../../jobs/run.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Case } from '../cases.ts';
import { type Contestant, runTrials, type Trial, type TrialBatch, trialTrajectory } from '../inpaint/trials.ts';
import { type TrialPictures, type TrialRecord, thinned } from '../record.ts';
import { type EvaluationFolder, jobKind, slug, stemOf, TRIAL_RULES } from './folder.ts';
import { putTrajectory } from './trajectory-files.ts';

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
  /** How many pictures of each case are written as PNG. */
  readonly keep: number;
  /** Of this many pictures the trajectory of the search is written as well. */
  readonly snapshots: number;
  readonly snapshotSteps: number;
}

export interface InpaintHooks {
  readonly onProgress?: (done: number, total: number, what: string) => void;
  /** After each case and method, with all records so far. */
  readonly onGroup?: (records: readonly TrialRecord[], about: string) => Promise<void>;
  /** A trial that could not be kept: its picture, and why. */
  readonly onFailure?: (file: string, reason: string) => void;
  /** Aborted: the current batch is finished, and no other is started. */
  readonly signal?: AbortSignal;
}

export interface InpaintOutcome {
  readonly records: readonly TrialRecord[];
  readonly complete: boolean;
}

/** A trial that could not be written (a full disk) is reported as a warning and left out; the others are done. */
export async function evaluateInpaint(
  job: InpaintJob,
  folder: EvaluationFolder,
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
      const steps = plannedSteps(contestant.method);
      const own: TrialRecord[] = [];
      const { interrupted } = await runJob(groupJob(job, setting, contestant, runtime), folder, {
        resume: true,
        signal: hooks.signal,
        onEvent(event) {
          if (event.kind === 'progress') hooks.onProgress?.(before + event.done * steps, total, event.what);
          else if (event.kind === 'warning') hooks.onFailure?.(folder.folder, event.message);
          else if (event.kind === 'record') {
            if (event.entry.status === 'done') own.push(event.entry.record);
            else hooks.onFailure?.(event.entry.record.image, event.entry.record.message ?? 'It could not be kept.');
          }
        },
      });
      records.push(...own);
      if (interrupted) return { records, complete: false };
      before += steps * pictures.length;
      if (own.length > 0) await hooks.onGroup?.(records, describe(own));
    }
  }
  return { records, complete: true };
}

/** A picture of the set and its position, which decides its corruption. */
interface Member {
  readonly picture: LoadedPicture;
  readonly index: number;
}

/** The trials of one case and method. */
function groupJob(
  job: InpaintJob,
  setting: Case,
  contestant: ResolvedContestant,
  runtime: Runtime,
): Job<Member, Member, Trial, TrialRecord> {
  const { recipe, method } = contestant;
  // Trials of the chosen batch keep the key that they had before a batch of one's own counted.
  const own = job.batch === undefined ? [] : [job.batch];
  const key = hashOfData(['inpaint', job.description, recipe.name, contestant.description, setting, job.seed, ...own]);
  const shown = ({ picture, index }: Member) => index < job.keep && isDrawable(picture.image);
  const batchOf = (batch: readonly Member[]): TrialBatch => ({
    generator: job.generator,
    contestant,
    case: setting,
    images: stackImages(batch.map(({ picture }) => picture.image)),
    first: batch[0].index,
    seed: job.seed,
  });
  const bare = ({ name, item }: Planned<Member>) => ({
    kind: 'inpaint' as const,
    key: name,
    set: job.set,
    case: setting.name,
    method: recipe.name,
    maskGiven: recipe.maskGiven,
    image: item.picture.name,
    index: item.index,
  });
  return {
    kind: jobKind('inpaint'),
    key,
    rules: TRIAL_RULES,
    async *items() {
      for (const [index, picture] of job.pictures.entries()) {
        yield {
          name: hashOfData([key, index, picture.name, picture.sha256]),
          source: picture.name,
          content: picture.sha256,
          item: { picture, index },
          left: job.pictures.length - 1 - index,
        };
      }
    },
    batch: batchSize({ generator: job.generator, method, batch: job.batch }),
    even: true,
    // A batch begins at a position that decides its corruptions.
    together: true,
    alone: false,
    load: async ({ item }) => item,
    async *run(batch, report) {
      const what = `${setting.name}, ${recipe.name}, ${batch[0].picture.name}`;
      let made = 0;
      report(0, what);
      const trials = await runTrials(batchOf(batch), runtime, {
        onStep: (_, pictures) => {
          made += pictures;
          report(made / (plannedSteps(method) * batch.length), what);
        },
      });
      yield* trials ?? [];
    },
    async write(outputs, planned, member, trial) {
      const { picture, index } = member;
      const stem = stemOf(index, picture.name, planned.name);
      const givenStem = stemOf(index, picture.name, hashOfData([job.description, setting, job.seed]));
      const place = `pictures/${slug(setting.name)}/${slug(recipe.name)}/${stem}`;
      const pictures = shown(member) ? await putPictures(outputs, setting.name, place, givenStem, trial) : undefined;
      const isFollowed = shown(member) && index < job.snapshots;
      const snapshots = isFollowed
        ? await putTrajectory(
            outputs,
            place,
            await trialTrajectory({ ...batchOf([member]), images: trial.truth }, job.snapshotSteps, runtime),
          )
        : undefined;
      const record = {
        ...bare(planned),
        ...scoresOf(trial),
        ...(pictures ? { pictures } : {}),
        ...(snapshots ? { snapshots } : {}),
      };
      return { status: 'done', record };
    },
    failed: (planned, message) => ({ ...bare(planned), code: 'failed', message, metrics: {}, seconds: 0 }),
    suffices: (record, { item }) =>
      !shown(item) ||
      (record.pictures !== undefined && (item.index >= job.snapshots || record.snapshots !== undefined)),
  };
}

function scoresOf({ restoration, metrics }: Trial) {
  return {
    code: restoration.code,
    metrics,
    seconds: Number(restoration.seconds.toFixed(4)),
    steps: restoration.steps,
    loss: Number.isFinite(restoration.loss) ? restoration.loss : null,
    history: thinned(restoration.history),
  };
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

/** Truth, input and true mask are the same for all methods of a case, and lie beside theirs; `own` and `given` begin the names of the files. */
async function putPictures(
  outputs: OutputSet,
  setting: string,
  own: string,
  given: string,
  { truth, input, trueMask, restoration }: Trial,
): Promise<TrialPictures> {
  const shared = `pictures/${slug(setting)}/${given}`;
  const pictures = {
    truth: `pictures/truth/${given}.png`,
    input: `${shared}.input.png`,
    trueMask: `${shared}.mask.png`,
    restored: `${own}.restored.png`,
    composite: `${own}.composite.png`,
    mask: `${own}.mask.png`,
    map: `${own}.residual.png`,
  };
  const put = async (key: keyof typeof pictures, image: Image) => outputs.put(pictures[key], await encodePng(image));
  await put('truth', truth);
  await put('input', input);
  await put('trueMask', maskToImage(trueMask));
  await put('restored', restoration.restored);
  await put('composite', restoration.composite);
  await put('mask', maskToImage(restoration.mask));
  await put('map', colourMap(restoration.residual, 0, RESIDUAL_WHITE));
  return pictures;
}
