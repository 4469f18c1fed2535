/** The folder of an evaluation as what its page needs: results, trials, and the kept pictures made small. */

import path from 'node:path';
import { z } from 'zod';
import { RgiError } from '../../errors.ts';
import { RESULTS, readTrials } from '../../evaluate/node/folder.ts';
import type { Results, TrialRecord } from '../../evaluate/record.ts';
import { readTextIfThere } from '../../files/node/regular.ts';
import { jsonOf } from '../../jobs/json.ts';
import { MASK_GIVEN, readingOlder } from '../../jobs/older-names.ts';
import { type ReportInput, titleOf } from '../page.ts';
import { type EmbeddedFiles, embed, type PictureUse } from './embed.ts';

const interval = z.tuple([z.number(), z.number()]).nullish();

/** Those of earlier versions say `told` for `maskGiven`. */
const resultSchema = readingOlder(
  z.looseObject({
    set: z.string(),
    case: z.string(),
    method: z.string(),
    maskGiven: z.boolean(),
    n: z.number(),
    diverged: z.number(),
    metrics: z.record(
      z.string(),
      z.union([
        z.object({ n: z.number(), pooled: z.number() }),
        z.looseObject({
          n: z.number(),
          mean: z.number(),
          median: z.number(),
          meanInterval: interval,
          medianInterval: interval,
        }),
      ]),
    ),
    curves: z
      .array(z.object({ kind: z.enum(['roc', 'pro']), x: z.array(z.number()), y: z.array(z.number()) }))
      .optional(),
  }),
  MASK_GIVEN,
);

const schema = z.looseObject({
  format: z.literal(1),
  kind: z.enum(['inpaint', 'detect']),
  complete: z.boolean(),
  command: z.string(),
  versions: z.record(z.string(), z.string()),
  device: z.string(),
  settings: z.record(z.string(), z.unknown()),
  methods: z.record(z.string(), z.unknown()),
  notes: z.array(z.string()),
  failed: z.array(z.object({ file: z.string(), reason: z.string() })),
  results: z.array(resultSchema),
  trials: z.array(z.string()),
});

export interface ReadOptions {
  readonly title?: string;
  /** The pictures of the page come to no more bytes than this. */
  readonly limit: number;
}

/** Throws `input` where the folder holds no evaluation. */
export async function readReport(folder: string, { title, limit }: ReadOptions): Promise<ReportInput> {
  const { results, trials } = await readEvaluation(folder);
  const missing = new Set(results.trials).size - new Set(trials.map((trial) => trial.key)).size;
  const { embedded, notes } = await embedTrials(folder, trials, limit);
  return {
    title: title ?? titleOf(results),
    results,
    trials,
    embedded,
    notes: [
      ...notes,
      ...(missing > 0
        ? [`${missing} trials of results.json are not in the folder's journal: their pictures and curves are missing.`]
        : []),
    ],
  };
}

/** The results of an evaluation, and the trials that they are made of. Throws `input` where the folder holds none. */
export async function readEvaluation(folder: string): Promise<{ results: Results; trials: TrialRecord[] }> {
  const results = await readResults(path.join(folder, RESULTS));
  // The last record of a key is the one that counts.
  const byKey = new Map((await readTrials(folder)).map((record) => [record.key, record]));
  return { results, trials: results.trials.flatMap((key) => byKey.get(key) ?? []) };
}

async function readResults(file: string): Promise<Results> {
  const text = await readTextIfThere(file);
  if (text === undefined) {
    throw new RgiError(
      'input',
      `${path.dirname(file)} holds neither ${RESULTS} nor manifest.json: name what 'rgi evaluate', 'rgi detect' or 'rgi restore' wrote (its --out).`,
      {
        file,
      },
    );
  }
  const parsed = schema.safeParse(jsonOf(text));
  if (!parsed.success) {
    throw new RgiError('input', `${file} is not an evaluation of this version; make it again with 'rgi evaluate'.`, {
      file,
    });
  }
  return parsed.data as unknown as Results;
}

const LOSSLESS = new Set(['trueMask', 'mask']);

/** Data URLs of the trials' pictures, in the order of the page. */
function embedTrials(folder: string, trials: readonly TrialRecord[], limit: number): Promise<EmbeddedFiles> {
  const uses: PictureUse[] = [];
  const given = new Set<string>();
  for (const trial of trials) {
    for (const [role, file] of Object.entries(trial.pictures ?? {})) {
      const key = JSON.stringify([trial.set, trial.case, trial.image, role]);
      const shared = role === 'truth' || role === 'input' || role === 'trueMask';
      if (shared && given.has(key)) continue;
      given.add(key);
      uses.push({ file, lossless: LOSSLESS.has(role) });
    }
    for (const { restored, mask } of trial.snapshots ?? [])
      uses.push({ file: restored }, { file: mask, lossless: true });
  }
  return embed(folder, uses, limit);
}
