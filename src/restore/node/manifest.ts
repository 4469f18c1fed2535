/** What is known of a run and of each of its pictures; `manifest.json`, which is derived from the journal. */

import { z } from 'zod';
import { thinned } from '../../evaluate/record.ts';
import { sha256OfContent } from '../../files/node/hash.ts';
import { RESIDUAL_WHITE } from '../../images/colour.ts';
import { coverage } from '../../images/image.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import type { Restoration } from '../../inversion/solve/restore.ts';
import type { Method } from '../../inversion/spec/method.ts';
import { RESULT_SENTENCES, TUNING_DISCARDED } from '../../inversion/spec/result.ts';
import type { Entry } from '../../jobs/job.ts';
import { hashOfData } from '../../jobs/node/program.ts';
import { encodeModel } from '../../onnx/encode.ts';
import type { AtOwnSize } from './own-size.ts';
import type { Loaded, Seen } from './pictures.ts';

export const MANIFEST = 'manifest.json';

/** Points of a history that are kept. */
const HISTORY_POINTS = 200;

/** What a run is, apart from its pictures; two runs of one key give the same results. */
export interface RunDescription {
  readonly options: Readonly<Record<string, unknown>>;
  /** The method as it was resolved: formulation, steps, first and last controls of each stage. */
  readonly method: unknown;
  readonly generator: unknown;
  readonly encoder?: unknown;
  readonly discriminator?: unknown;
  readonly features?: unknown;
}

/** Not finite numbers are null in JSON. */
const number = z.number().nullable();

export const imageRecordSchema = z.object({
  name: z.string(),
  path: z.string(),
  sha256: z.string().optional(),
  maskSha256: z.string().optional(),
  status: z.enum(['done', 'failed']),
  /** The sentence of a failure, or of how the search ended. */
  message: z.string(),
  code: z.string().optional(),
  /** How near a stationary point the search ended: `Restoration.gradientNorm`. */
  gradientNorm: number.optional(),
  /** What tuning the generator's weights has brought: `Restoration.tuning`. */
  tuning: z.object({ kept: z.boolean(), before: number, after: number }).optional(),
  loss: number.optional(),
  steps: z.number().optional(),
  seconds: z.number().optional(),
  maskedShare: z.number().optional(),
  /** RMS residual of what was kept, in grey levels, and whether that is a picture of the generator's kind. */
  misfitGrey: number.optional(),
  domain: z.enum(['inside', 'outside']).optional(),
  history: z.object({ step: z.array(z.number()), loss: z.array(number), masked: z.array(number) }).optional(),
  files: z.array(z.string()).optional(),
  notes: z.array(z.string()).optional(),
  /** Width and height of the picture and of its composite, mask and residual. */
  size: z.array(z.number()).optional(),
  /** Pixels of the composite that were filled or blended; all others are the file's. */
  changedPixels: z.number().optional(),
  /** What the composite's file does not keep, one sentence each. */
  losses: z.array(z.string()).optional(),
  /** How many tiles the picture was restored by. */
  tiles: z.number().optional(),
});

/** What became of one picture. */
export type ImageRecord = z.infer<typeof imageRecordSchema>;

/** The manifest but for its pictures. */
export interface ManifestHead extends RunDescription {
  readonly format: 1;
  readonly complete: boolean;
  readonly key: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly device: string;
  readonly residualScale: unknown;
  readonly notes: readonly string[];
  readonly [fact: string]: unknown;
}

export const RESIDUAL_SCALE = {
  unit: 'grey levels (1/127.5 of the range -1..1), root mean square over the channels',
  black: 0,
  white: 127.5 * RESIDUAL_WHITE,
  colours: 'cubehelix (Green 2011)',
};

export function keyOf(run: RunDescription): string {
  return hashOfData([run.options, run.method, run.generator, run.discriminator, run.features, run.encoder]);
}

/** A generator that no file describes, by its graph. */
export function describeGenerator({ graph, latents, channels, height, width }: Generator): unknown {
  return { sha256: sha256OfContent(encodeModel(graph)), latents, image: [channels, height, width] };
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
      freezesMask: stage.freezesMask,
      warmStart: stage.warmStart,
      formulation: stage.formulation,
      firstControls: stage.controls(0),
      lastControls: stage.controls(Math.max(0, stage.steps - 1)),
    })),
  };
}

/** What identifies a picture in its record. */
export type PictureFacts = Pick<ImageRecord, 'name' | 'path' | 'sha256' | 'maskSha256'>;

/** What is known of how a picture was restored. */
export interface Summary
  extends Pick<
    Restoration,
    'code' | 'loss' | 'steps' | 'seconds' | 'misfit' | 'outOfDomain' | 'gradientNorm' | 'tuning'
  > {
  /** Of the picture, without its margins. */
  readonly maskedShare: number;
  readonly history?: Restoration['history'];
  /** How many tiles the picture was restored by. */
  readonly tiles?: number;
}

/** Of a picture that was restored whole. */
export function summaryOf(result: Restoration, { outside }: Pick<Loaded, 'outside'>): Summary {
  const seen = outside ? result.mask.data.filter((_, i) => outside.data[i] < 0.5) : result.mask.data;
  return { ...result, maskedShare: coverage(seen) };
}

export function recordOf(
  picture: PictureFacts,
  { notes, size }: Pick<Seen, 'notes' | 'size'>,
  result: Summary,
  { losses, changed }: AtOwnSize,
  files: readonly string[],
): ImageRecord {
  const { maskedShare, tiles } = result;
  const history = result.history && thinned(result.history, HISTORY_POINTS);
  return {
    ...picture,
    status: 'done',
    message: messageOf(result),
    code: result.code,
    ...(result.gradientNorm === undefined ? {} : { gradientNorm: Number(result.gradientNorm.toPrecision(3)) }),
    ...(result.tuning ? { tuning: result.tuning } : {}),
    loss: result.loss,
    steps: result.steps,
    seconds: Number(result.seconds.toFixed(3)),
    maskedShare,
    misfitGrey: Number(result.misfit.toFixed(2)),
    domain: result.outOfDomain ? 'outside' : 'inside',
    ...(history ? { history: { step: [...history.step], loss: [...history.loss], masked: [...history.masked] } } : {}),
    ...(tiles === undefined ? {} : { tiles }),
    files: [...files],
    notes: [...notes],
    size: [size.width, size.height],
    changedPixels: changed,
    losses: [...losses],
  };
}

/** How the search ended, and whether tuning the weights was of use. */
function messageOf({ code, tuning }: Pick<Restoration, 'code' | 'tuning'>): string {
  const said = RESULT_SENTENCES[code];
  return tuning && !tuning.kept ? `${said} ${TUNING_DISCARDED}` : said;
}

/** A record as the manifest has it: one that another version made says so. */
export function listed(
  { record, program, rules }: Entry<ImageRecord>,
  now: { program: string; rules: number },
): unknown {
  return program === now.program && rules === now.rules ? record : { ...record, version: { rgi: program, rules } };
}
