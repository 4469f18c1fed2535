/** A folder of good pictures as calibration wants them: at the working size, those that the generator was trained on apart. */
import { z } from 'zod';
import { type Dataset, DIGEST_LENGTH, type StoredPicture } from '../../datasets/dataset.ts';
import { contentsOf, groupsOf, joined } from '../../datasets/held-out.ts';
import { type BrokenPicture, loadFolder } from '../../datasets/node/folder.ts';
import { evenly } from '../../datasets/sampling.ts';
import { pictureDigest } from '../../gan/node/files.ts';
import type { Image } from '../../images/image.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import type { Model } from '../../onnx/graph.ts';
import { float32 } from '../../onnx/tensor.ts';
import { LEARNT } from '../calibration-setup.ts';

/** How a model was trained, where `rgi train` has written it. */
export interface TrainingSource {
  readonly kind: 'object' | 'crops';
  readonly scale: number;
  /** Digests of its training pictures. */
  readonly seen: ReadonlySet<string>;
  /** Digests of the pictures that training left out as defective. */
  readonly leftOut: ReadonlySet<string>;
}

const trainingSchema = z.looseObject({
  source: z.looseObject({
    kind: z.enum(['object', 'crops']),
    scale: z.number().min(1),
    seen: z.string(),
    leftOut: z.string().optional(),
  }),
});

/**
 * What `rgi train` has noted in a model (`rgi.training`): whole pictures or crops, their scale, and the digests of the
 * training pictures. Undefined for a model of another tool.
 */
export function trainingSource({ metadata }: Pick<Model, 'metadata'>): TrainingSource | undefined {
  try {
    const parsed = trainingSchema.safeParse(JSON.parse(metadata.get('rgi.training') ?? 'null'));
    if (!parsed.success) return undefined;
    const { kind, scale, seen, leftOut = '' } = parsed.data.source;
    const digestsOf = (text: string) => new Set(text.match(new RegExp(`.{${DIGEST_LENGTH}}`, 'g')));
    return { kind, scale, seen: digestsOf(seen), leftOut: digestsOf(leftOut) };
  } catch {
    return undefined;
  }
}

export interface GoodPictures {
  readonly folder: string;
  /** Pictures [1,C,H,W] in [-1,1] in the order of their names. */
  readonly unseen: readonly Image[];
  /** Their names. */
  readonly names: readonly string[];
  /** The group of each of these, where names tell groups. */
  readonly groups?: readonly number[];
  /** Some that the generator was trained on. */
  readonly seen: readonly Image[];
  /** More of them, for statistics that need many; of the form 'object' only. */
  readonly many: readonly Image[];
  /** Their names, and the group of each where names tell groups. */
  readonly manyNames: readonly string[];
  readonly manyGroups?: readonly number[];
  /** Number of pictures that the generator was trained on. */
  readonly learnt: number;
  readonly broken: readonly BrokenPicture[];
  /** What was passed over, one sentence each. */
  readonly notes: readonly string[];
}

export interface GoodPicturesOptions {
  readonly form: 'object' | 'tiles';
  readonly scale: number;
  readonly limit?: number;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Reads `folder` as training does: the same cuts, the same bytes. */
export async function loadGoodPictures(
  folder: string,
  generator: Generator,
  source: TrainingSource | undefined,
  { form, scale, ...options }: GoodPicturesOptions,
): Promise<GoodPictures> {
  const kind = form === 'object' ? 'object' : 'crops';
  const wasSeen = (picture: StoredPicture) => source?.seen.has(pictureDigest(picture)) ?? false;
  const wasLeftOut = (picture: StoredPicture) => source?.leftOut.has(pictureDigest(picture)) ?? false;
  const loaded = await loadFolder(folder, {
    ...options,
    kind,
    scale,
    size: generator.height,
    channels: generator.channels,
    // A limit is of the pictures that thresholds can be set on.
    counts: (picture) => !wasSeen(picture) && !wasLeftOut(picture),
  });
  const pictures = loaded.dataset.pictures.filter((picture) => !wasLeftOut(picture));
  const leftOut = loaded.dataset.pictures.length - pictures.length;
  const isSeen = pictures.map(wasSeen);
  const fresh = pictures.filter((_, i) => !isSeen[i]);
  const learnt = [...pictures.keys()].filter((i) => isSeen[i]);
  const someOf = (count: number) => (form === 'object' ? evenly(learnt, count) : []);
  const many = someOf(LEARNT.features);
  const named = groupsOf(pictures.map((picture) => picture.name));
  const allGroups = joined(contentsOf(pictures), named);
  const groups = allGroups?.filter((_, i) => !isSeen[i]);
  return {
    folder: loaded.folder,
    unseen: fresh.map((picture) => imageOf(picture, loaded.dataset)),
    names: fresh.map(({ name }) => name),
    ...(groups ? { groups } : {}),
    seen: someOf(LEARNT.residuals).map((i) => imageOf(pictures[i], loaded.dataset)),
    many: many.map((i) => imageOf(pictures[i], loaded.dataset)),
    manyNames: many.map((i) => pictures[i].name),
    ...(allGroups ? { manyGroups: many.map((i) => allGroups[i]) } : {}),
    learnt: learnt.length,
    broken: loaded.broken,
    notes: [
      ...loaded.notes,
      ...(leftOut > 0 ? [`${leftOut} pictures that training left out as defective were left out here, too.`] : []),
    ],
  };
}

function imageOf({ data, height, width }: StoredPicture, { channels }: Dataset): Image {
  return float32(
    Float32Array.from(data, (v) => v / 127.5 - 1),
    [1, channels, height, width],
  );
}
