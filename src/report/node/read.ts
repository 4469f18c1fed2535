/** The folder of an evaluation as what its page needs: results, trials, and the kept pictures made small. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { RgiError } from '../../errors.ts';
import { RECORDS, RESULTS, readRecords } from '../../evaluate/node/store.ts';
import type { Results, TrialRecord } from '../../evaluate/record.ts';
import { compactPicture } from '../../images/node/compact.ts';
import { type ReportInput, titleOf } from '../page.ts';

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
  results: z.array(
    z.looseObject({
      set: z.string(),
      case: z.string(),
      method: z.string(),
      told: z.boolean(),
      n: z.number(),
      diverged: z.number(),
      metrics: z.record(
        z.string(),
        z.union([
          z.object({ n: z.number(), pooled: z.number() }),
          z.looseObject({ n: z.number(), mean: z.number(), median: z.number() }),
        ]),
      ),
    }),
  ),
  trials: z.array(z.string()),
});

export interface ReadOptions {
  readonly title?: string;
  /** The pictures of the page come to no more bytes than this; default 24 million. */
  readonly limit?: number;
}

/** Throws `input` where the folder holds no evaluation. */
export async function readReport(folder: string, { title, limit = 24e6 }: ReadOptions = {}): Promise<ReportInput> {
  const results = await readResults(path.join(folder, RESULTS));
  const wanted = new Set(results.trials);
  // The last record of a key is the one that counts.
  const byKey = new Map((await readRecords(folder)).map((record) => [record.key, record]));
  const trials = results.trials.flatMap((key) => byKey.get(key) ?? []);
  const missing = wanted.size - new Set(trials.map((trial) => trial.key)).size;
  const { embedded, omitted } = await embed(folder, trials, limit);
  return {
    title: title ?? titleOf(results),
    results,
    trials,
    embedded,
    notes: [
      ...(embedded.size > 0
        ? ["The pictures in this page are compressed (WebP); those in the folder 'pictures' are exact."]
        : []),
      ...(omitted > 0
        ? [`${omitted} pictures are left out, to keep the page small or because their files are not there.`]
        : []),
      ...(missing > 0
        ? [`${missing} trials of results.json are not in ${RECORDS}: their pictures and curves are missing.`]
        : []),
    ],
  };
}

async function readResults(file: string): Promise<Results> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) {
    throw new RgiError('input', `${file} does not exist: name the folder that 'rgi evaluate' wrote (its --out).`, {
      file,
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    throw new RgiError('input', `${file} is no evaluation of this version: make it anew with 'rgi evaluate'.`, {
      file,
    });
  }
  return parsed.data as unknown as Results;
}

const LOSSLESS = new Set(['trueMask', 'mask']);

/** Data URLs of the trials' pictures, in the order of the page, until they come to `limit` bytes. */
async function embed(
  folder: string,
  trials: readonly TrialRecord[],
  limit: number,
): Promise<{ embedded: Map<string, string>; omitted: number }> {
  const files = new Map<string, boolean>();
  // A picture is shown once per use, and embedded as often: the budget counts uses.
  const uses: string[] = [];
  const use = (file: unknown, lossless: boolean) => {
    if (typeof file !== 'string') return;
    files.set(file, lossless);
    uses.push(file);
  };
  const given = new Set<string>();
  for (const trial of trials) {
    for (const [role, file] of Object.entries(trial.pictures ?? {})) {
      const key = JSON.stringify([trial.set, trial.case, trial.image, role]);
      const shared = role === 'truth' || role === 'input' || role === 'trueMask';
      if (shared && given.has(key)) continue;
      given.add(key);
      use(file, LOSSLESS.has(role));
    }
    for (const { restored, mask } of trial.snapshots ?? []) {
      use(restored, false);
      use(mask, true);
    }
  }
  const embedded = new Map<string, string>();
  let spent = 0;
  const refused = new Set<string>();
  for (const file of uses) {
    if (refused.has(file)) continue;
    const url = embedded.get(file) ?? (await dataUrl(folder, file, files.get(file) ?? false));
    if (url === undefined || spent + url.length > limit) {
      refused.add(file);
      embedded.delete(file);
      continue;
    }
    spent += url.length;
    embedded.set(file, url);
  }
  return { embedded, omitted: refused.size };
}

/** Undefined for a file that is no picture, and for one outside of the folder: records may come from anywhere. */
async function dataUrl(folder: string, file: string, lossless: boolean): Promise<string | undefined> {
  const place = path.resolve(folder, file);
  if (!place.startsWith(`${path.resolve(folder)}${path.sep}`)) return undefined;
  try {
    return `data:image/webp;base64,${Buffer.from(await compactPicture(place, { lossless })).toString('base64')}`;
  } catch (error) {
    if (error instanceof RgiError) return undefined;
    throw error;
  }
}
