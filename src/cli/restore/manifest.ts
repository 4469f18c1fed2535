/** `manifest.json`: everything needed to repeat a run, what became of each picture, and what a resumed run may skip. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { RgiError } from '../../errors.ts';
import { thinned } from '../../evaluate/record.ts';
import { coverage } from '../../images/image.ts';
import { writeFileAtomic } from '../../images/node/write.ts';
import { isOutside } from '../../inversion/mask/noise.ts';
import type { Restoration } from '../../inversion/solve/restore.ts';
import type { Method } from '../../inversion/spec/method.ts';
import { RESULT_SENTENCES } from '../../inversion/spec/result.ts';
import { jsonText } from '../io.ts';
import { sha256OfText } from '../version.ts';
import { RESIDUAL_WHITE } from './files.ts';
import type { Item } from './pictures.ts';

export const MANIFEST = 'manifest.json';

/** Points of a history that are kept. */
const HISTORY_POINTS = 200;

/** What a run is, apart from its pictures; two runs of one key give the same results. */
export interface RunDescription {
  readonly options: Readonly<Record<string, unknown>>;
  /** The method as it was resolved: formulation, steps, first and last controls of each stage. */
  readonly method: unknown;
  readonly generator: unknown;
  readonly encoder: unknown;
  readonly discriminator: unknown;
  readonly features: unknown;
}

export interface ImageRecord {
  readonly name: string;
  readonly path: string;
  readonly sha256?: string;
  readonly maskSha256?: string;
  readonly status: 'done' | 'failed';
  /** The sentence of a failure, or of how the search ended. */
  readonly message: string;
  readonly code?: string;
  readonly loss?: number;
  readonly steps?: number;
  readonly seconds?: number;
  readonly maskedShare?: number;
  /** RMS residual of what was kept, in grey levels, and whether that is a picture of the generator's kind. */
  readonly misfitGrey?: number;
  readonly domain?: 'inside' | 'outside';
  readonly history?: unknown;
  readonly files?: readonly string[];
  readonly notes?: readonly string[];
}

export interface Manifest extends RunDescription {
  readonly format: 1;
  readonly key: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly device: string;
  readonly threads: number | 'default';
  readonly residualScale: unknown;
  readonly notes: readonly string[];
  readonly complete: boolean;
  readonly images: readonly ImageRecord[];
}

export const RESIDUAL_SCALE = {
  unit: 'grey levels (1/127.5 of the range -1..1), root mean square over the channels',
  black: 0,
  white: 127.5 * RESIDUAL_WHITE,
  colours: 'cubehelix (Green 2011)',
};

export function keyOf(run: RunDescription): string {
  // Where a network lies does not matter, its hash does.
  const parts = [run.options, run.method, run.generator, run.discriminator, run.features, run.encoder];
  return sha256OfText(JSON.stringify(parts, (name, value: unknown) => (name === 'file' ? undefined : value)));
}

/** Stages with what their formulations and controls are, as data. */
export function describeMethod(method: Method): unknown {
  return {
    name: method.name,
    needsMask: method.needsMask,
    start: method.start,
    stages: method.stages.map((stage) => ({
      name: stage.name,
      steps: stage.steps,
      starts: stage.starts,
      fixesMask: stage.freezesMask,
      continues: stage.warmStart,
      formulation: stage.formulation,
      firstControls: stage.controls(0),
      lastControls: stage.controls(Math.max(0, stage.steps - 1)),
    })),
  };
}

export function recordOf(
  item: Item,
  hashes: Pick<ImageRecord, 'sha256' | 'maskSha256'>,
  result: Restoration,
  files: readonly string[],
): ImageRecord {
  const { outside } = item;
  // Of the picture, without its margins.
  const maskedShare = coverage(outside ? result.mask.data.filter((_, i) => outside.data[i] < 0.5) : result.mask.data);
  return {
    name: item.name,
    path: item.path,
    ...hashes,
    status: 'done',
    message: RESULT_SENTENCES[result.code],
    code: result.code,
    loss: result.loss,
    steps: result.steps,
    seconds: Number(result.seconds.toFixed(3)),
    maskedShare,
    misfitGrey: Number(result.misfit.toFixed(2)),
    domain: isOutside(result.misfit, maskedShare) ? 'outside' : 'inside',
    history: thinned(result.history, HISTORY_POINTS),
    files,
    notes: item.notes,
  };
}

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  await writeFileAtomic(path.join(folder, MANIFEST), jsonText(manifest));
}

const earlierSchema = z.looseObject({
  format: z.literal(1),
  key: z.string(),
  images: z.array(z.looseObject({ name: z.string(), path: z.string(), status: z.string(), message: z.string() })),
});

/** The records of an earlier run of the same key in `folder`; none if there was none. Throws where the options differ. */
export async function earlierRecords(folder: string, key: string): Promise<ImageRecord[]> {
  const file = path.join(folder, MANIFEST);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch {
    return [];
  }
  let parsed: ReturnType<typeof earlierSchema.safeParse>;
  try {
    parsed = earlierSchema.safeParse(JSON.parse(text));
  } catch {
    parsed = earlierSchema.safeParse(undefined);
  }
  if (!parsed.success) {
    throw new RgiError('input', `${file} is no manifest of a restore run; take another --out, or leave out --resume.`, {
      file,
    });
  }
  if (parsed.data.key !== key) {
    throw new RgiError(
      'usage',
      `${file} is of a run with other options or networks, which cannot be resumed with these; take another --out, or leave out --resume.`,
      { file },
    );
  }
  return parsed.data.images as unknown as ImageRecord[];
}
