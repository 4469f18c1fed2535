/** Detection on picture files into a folder: a job whose items are pictures, and the lists that are derived from its journal. */

import { writeNpy } from '../../arrays/npy.ts';
import type { FeatureNetwork } from '../../features/network.ts';
import { sha256OfContent } from '../../files/node/hash.ts';
import { colourMap, overlay } from '../../images/colour.ts';
import { coverage, type Image, isDrawable, maskToImage, shapeOf } from '../../images/image.ts';
import { expandInputs } from '../../images/node/inputs.ts';
import type { ListedPicture, PictureList } from '../../images/node/listing.ts';
import { encodePng } from '../../images/node/write.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { jsonText } from '../../jobs/document.ts';
import type { Job, JobEvent, Outcome, OutputSet, Planned } from '../../jobs/job.ts';
import { openRunFolder, type RunFolder } from '../../jobs/node/folder.ts';
import { type PictureItem, pictureItems, type Supply, supplyOf } from '../../jobs/node/pictures.ts';
import { hashOfData, lastOnly, VERSION } from '../../jobs/node/program.ts';
import { runJob } from '../../jobs/run.ts';
import { encodeModel } from '../../onnx/encode.ts';
import type { Graph } from '../../onnx/graph.ts';
import { float32 } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { regionsOf } from '../defects.ts';
import { INSPECTION_RULES, type Inspection, type Inspector, openInspector } from '../inspector.ts';
import { type Policy, settingsOf } from '../policy.ts';
import { mapAtOwnSize, readForInspection, uninspectedShare, type WorkingPicture } from './pictures.ts';
import { DERIVED, type DetectRecord, detectRecordSchema, resultLines, scoresCsv } from './record.ts';

/** What `detectFiles` is asked. */
export interface DetectFilesOptions {
  /** Picture files of any size, `.npy` arrays [C,H,W] or [N,C,H,W] in [-1,1], folders, or patterns; or a list of any length (`openPictureList`). */
  readonly files: readonly string[] | PictureList;
  /** Search the folders below those that are named, too; default: where a folder holds pictures only in folders below it. */
  readonly recursive?: boolean;
  /** The folder of the results; made where it is not there. */
  readonly out: string;
  /** The generator that the policy was made for. */
  readonly generator: Generator;
  /** Of `calibrate` or `readPolicy`. */
  readonly policy: Policy;
  /** Maps pictures to latents, and gives the start of the search; without it, starts are drawn. */
  readonly encoder?: Graph;
  /** The feature network that the policy was made with; needed where the policy compares features. */
  readonly features?: FeatureNetwork;
  /** Of the same generator, encoder and policy, shared with other runs: it stays open. Default: one of this run's own. */
  readonly inspector?: Inspector;
  /** Pictures or tiles inverted side by side; default: chosen for the generator. */
  readonly batch?: number;
  /** Go on with an earlier run of the same settings: what its journal and the files' hashes confirm is not done again. */
  readonly resume?: boolean;
  /** Remove what an earlier run wrote, and start again. */
  readonly overwrite?: boolean;
  /** Every file of the run is put into this bucket, too: s3://bucket/prefix. */
  readonly upload?: string;
  /** Aborted: the current pictures are finished, and no others are started. */
  readonly signal?: AbortSignal;
  /** Called with progress, each finished record, and warnings. */
  readonly onEvent?: (event: JobEvent<DetectRecord>) => void;
  /** How the manifest describes networks and options; decides, with the policy, whether two runs are of one kind. */
  readonly description?: Readonly<Record<string, unknown>>;
  /** Notes and further facts for the manifest; they decide nothing. */
  readonly notes?: readonly string[];
  /** Further facts for the manifest; they decide nothing. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** What became of the pictures of a run. */
export interface DetectFilesResult extends Outcome {
  /** Pictures of this run that are defective. */
  readonly defective: number;
}

/** What may follow a picture's name in a file that looks like a picture. */
const PICTURE_KINDS = ['map.npy', 'map.png', 'mask.png', 'overlay.png'];

/**
 * Inspects pictures by a policy: for each NAME its anomaly map, mask and overlay at its own size, and of all `scores.csv`,
 * `results.jsonl`, `manifest.json` and `journal.jsonl`. A picture that cannot be read or written is reported (`onEvent`) and does not stop
 * the others; one that is named alone throws.
 *
 * @throws RgiError `usage` where the folder is in use, or holds results of other settings; `input` where there are no pictures.
 * @example
 * ```ts
 * import { mkdtemp } from 'node:fs/promises';
 * import { tmpdir } from 'node:os';
 * import path from 'node:path';
 * import { fileURLToPath } from 'node:url';
 * import { createRuntime, detectFiles, openGenerator, openModel, readPolicy, writePicture, zeros } from 'rgi/node';
 *
 * const part = fileURLToPath(import.meta.resolve('rgi/models/bsd-pitting/generator.onnx'));
 * const runtime = await createRuntime();
 * const model = await openModel(part);
 * const generator = await openGenerator(model.graph, runtime);
 * const policy = await readPolicy(part, model);
 * const folder = await mkdtemp(path.join(tmpdir(), 'rgi-'));
 * await writePicture(path.join(folder, 'grey.png'), zeros('float32', [1, 3, 128, 128]));
 * const out = path.join(folder, 'found');
 * const { done, defective } = await detectFiles({ files: [folder], out, generator, policy }, runtime);
 * console.log(done, defective); // 1 1
 * await runtime.dispose();
 * ```
 */
export async function detectFiles(options: DetectFilesOptions, runtime: Runtime): Promise<DetectFilesResult> {
  const { files, recursive } = options;
  const sources = 'named' in files ? files : await expandInputs(files, { recursive });
  const { out, resume, overwrite, onEvent } = options;
  const description = { policy: describePolicy(options.policy), ...(options.description ?? describeNetworks(options)) };
  const key = hashOfData(description);
  const folder = await openRunFolder(out, {
    kind: 'detect',
    key,
    rules: INSPECTION_RULES,
    record: detectRecordSchema,
    derived: Object.values(DERIVED),
    resume,
    overwrite,
    upload: options.upload,
  });
  try {
    const supply = await supplyOf<ListedPicture>(
      sources,
      folder,
      PICTURE_KINDS,
      ({ path: file }) => [file],
      (message) => onEvent?.({ kind: 'warning', message }),
    );
    const { generator, encoder, features, policy, batch } = options;
    const inspector =
      options.inspector ?? (await openInspector({ generator, encoder, features, policy, batch }, runtime));
    try {
      let defective = 0;
      const outcome = await runJob(detectJob(supply, key, options, inspector), folder, {
        resume,
        signal: options.signal,
        onEvent(event) {
          if (event.kind === 'record' && event.entry.record.defective) defective++;
          onEvent?.(event);
        },
        save: (complete) => writeLists(folder, headOf(options, description, key, runtime, complete)),
      });
      return { ...outcome, defective };
    } finally {
      if (inspector !== options.inspector) await inspector.dispose();
    }
  } finally {
    await folder.close();
  }
}

function describePolicy(policy: Policy): Record<string, unknown> {
  return { name: policy.name, ...settingsOf(policy) };
}

function describeNetworks({ generator, encoder, batch }: DetectFilesOptions): Record<string, unknown> {
  const hash = (graph: Graph | undefined) => graph && sha256OfContent(encodeModel(graph));
  return { generator: { sha256: hash(generator.graph) }, encoder: { sha256: hash(encoder) }, options: { batch } };
}

/** The manifest but for its counts. */
function headOf(
  { policy, notes = [], facts }: DetectFilesOptions,
  description: Readonly<Record<string, unknown>>,
  key: string,
  runtime: Runtime,
  complete: boolean,
): Record<string, unknown> {
  return {
    format: 1,
    kind: 'detect',
    complete,
    key,
    versions: { rgi: VERSION, onnxruntime: runtime.version, node: process.versions.node },
    device: runtime.device,
    ...facts,
    ...description,
    mapScale: { black: 0, white: policy.displayHigh, colours: 'cubehelix (Green 2011)' },
    notes,
  };
}

/** The files of a run's folder that are derived from its journal. */
export async function writeLists(
  folder: Pick<RunFolder<DetectRecord>, 'entries' | 'derive'>,
  head: Readonly<Record<string, unknown>>,
): Promise<void> {
  const counts = { pictures: 0, failed: 0, defective: 0 };
  const records = async function* () {
    for await (const { record } of folder.entries()) yield record;
  };
  const counted = async function* () {
    for await (const record of records()) {
      counts.pictures++;
      if (record.status === 'failed') counts.failed++;
      if (record.defective) counts.defective++;
      yield record;
    }
  };
  await folder.derive(DERIVED.results, resultLines(counted()));
  await folder.derive(DERIVED.scores, scoresCsv(records()));
  await folder.derive(DERIVED.manifest, jsonText({ ...head, ...counts }));
}

type Item = PictureItem<ListedPicture>;

interface Member {
  readonly name: string;
  readonly picture: WorkingPicture;
}

/** An inspection, and the seconds it took. */
interface Inspected extends Inspection {
  readonly seconds: number;
}

function detectJob(
  supply: Supply<ListedPicture>,
  key: string,
  { generator, policy }: DetectFilesOptions,
  inspector: Inspector,
): Job<Item, Member, Inspected, DetectRecord> {
  // The pictures of one array follow each other: it is read once.
  const read = lastOnly((file: string) => readForInspection(file, generator, policy));
  const factsOf = ({ name, item: { source, sha256 } }: Planned<Item>) => ({
    name,
    path: source.path,
    ...(sha256 === undefined ? {} : { sha256 }),
  });
  return {
    kind: 'detect',
    key,
    rules: INSPECTION_RULES,
    items: () => pictureItems(supply),
    batch: inspector.batch,
    // The search is compiled for a full batch, whatever it holds.
    even: false,
    together: true,
    alone: supply.alone,
    load: async ({ name, item: { source, index } }) => ({ name, picture: (await read(source.path))[index] }),
    async *run(batch, report) {
      const [{ name }] = batch;
      const what = batch.length === 1 ? name : `${name} and ${batch.length - 1} more`;
      const started = performance.now();
      const inspected = await inspector.inspect(
        batch.map(({ picture }) => picture.working),
        (share) => report(share, what),
      );
      const seconds = rounded((performance.now() - started) / 1000 / batch.length);
      for (const one of inspected) yield { ...one, seconds };
    },
    async write(outputs, planned, { picture }, inspected) {
      const found = await putInspection(outputs, planned.name, picture, inspected, policy);
      const { seconds } = inspected;
      return {
        status: 'done',
        record: { ...factsOf(planned), status: 'done', ...found, files: outputs.names(), seconds },
      };
    },
    failed: (planned, message) => ({ ...factsOf(planned), status: 'failed', message }),
  };
}

async function putInspection(
  outputs: OutputSet,
  name: string,
  picture: WorkingPicture,
  { map: working, score, defective, appearance }: Inspection,
  policy: Policy,
): Promise<Partial<DetectRecord>> {
  const map = mapAtOwnSize(working, picture);
  const { height, width } = shapeOf(map);
  const { mask, defects } = regionsOf(
    map,
    policy.thresholds.pixel,
    areaAtOwnSize(policy.leastArea, working, picture),
    defective,
  );
  const put = (kind: string, content: Uint8Array) => outputs.put(`${name}.${kind}`, content);
  await put('map.npy', writeNpy(float32(map.data, [height, width])));
  await put('map.png', await encodePng(colourMap(map, 0, policy.displayHigh)));
  await put('mask.png', await encodePng(maskToImage(mask)));
  if (isDrawable(picture.original)) {
    const colour = defective ? DEFECTIVE_COLOUR : MARKED_COLOUR;
    await put('overlay.png', await encodePng(overlay(picture.original, mask, { colour })));
  }
  const outside = uninspectedShare(picture);
  const messages = [
    ...(appearance ? [`As a whole ${appearance} than the good pictures.`] : []),
    ...(outside > 0
      ? [`${(100 * outside).toFixed(0)}% of the picture, outside its central square, was not inspected.`]
      : []),
  ];
  return {
    score: rounded(score),
    defective,
    defects: defects.map((one) => ({ ...one, peak: rounded(one.peak) })),
    markedShare: coverage(mask.data),
    width,
    height,
    ...(messages.length > 0 ? { message: messages.join(' ') } : {}),
  };
}

/** Outlines: red of defective pictures, amber of those under the limit. */
const DEFECTIVE_COLOUR = [1, -1, -1] as const;
const MARKED_COLOUR = [1, 0.4, -1] as const;

function areaAtOwnSize(area: number, working: Image, { placement }: WorkingPicture): number {
  const { height, width } = shapeOf(working);
  return Math.max(1, Math.round((area * placement.crop.height * placement.crop.width) / (height * width)));
}

function rounded(value: number): number {
  return Number(value.toPrecision(5));
}
