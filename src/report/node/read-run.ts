/** The folder of `rgi detect` or `rgi restore` as what its page needs. */
import path from 'node:path';
import { DERIVED, detectRecordSchema } from '../../detect/node/record.ts';
import { RgiError } from '../../errors.ts';
import { readTextIfThere } from '../../files/node/regular.ts';
import { jsonOf } from '../../jobs/json.ts';
import type { RunReport } from '../run-page.ts';
import { detectionRun, detectSchema } from './detect-run.ts';
import { embed } from './embed.ts';
import type { ReadOptions } from './read.ts';
import { restorationRun, restoreSchema } from './restore-run.ts';

/** Undefined where the folder has no manifest; throws `input` where it is of no run that is known. */
export async function readRun(folder: string, { title, limit }: ReadOptions): Promise<RunReport | undefined> {
  const file = path.join(folder, DERIVED.manifest);
  const text = await readTextIfThere(file);
  if (text === undefined) return undefined;
  const manifest = jsonOf(text);
  const name = path.basename(path.resolve(folder));
  const detected = detectSchema.safeParse(manifest);
  const restored = restoreSchema.safeParse(manifest);
  const run = detected.success
    ? detectionRun(name, detected.data, await resultLines(path.join(folder, DERIVED.results)))
    : restored.success
      ? restorationRun(name, restored.data)
      : undefined;
  if (!run) {
    throw new RgiError('input', `${file} is not a manifest of 'rgi detect' or 'rgi restore' of this version.`, {
      file,
    });
  }
  const { embedded, notes } = await embed(folder, run.uses, limit);
  return { ...run.report, title: title ?? run.report.title, notes: [...run.report.notes, ...notes], embedded };
}

/** Lines that are no results (a torn last one) are left out. */
async function resultLines(file: string) {
  const text = (await readTextIfThere(file)) ?? '';
  return text.split('\n').flatMap((line) => {
    const result = detectRecordSchema.safeParse(jsonOf(line));
    return result.success ? [result.data] : [];
  });
}
