/** The kinds of runs over pictures, with what each has of its own: its records, its rules, the files that are derived from its journal. */
import type { z } from 'zod';
import { INSPECTION_RULES } from '../../detect/inspector.ts';
import { DERIVED, type DetectRecord, detectRecordSchema } from '../../detect/node/record.ts';
import { writeLists } from '../../detect/node/run.ts';
import { RESTORE_RULES } from '../../inversion/solve/restore.ts';
import type { RunFolder } from '../../jobs/node/folder.ts';
import { type ImageRecord, imageRecordSchema, MANIFEST } from '../../restore/node/manifest.ts';
import { writeManifest } from '../../restore/node/run.ts';

export type Kind = 'restore' | 'detect';
export type AnyRecord = ImageRecord | DetectRecord;

/** A manifest but for what is derived from the journal. */
export type Head = Readonly<Record<string, unknown>>;

export interface KindOfRun<R> {
  readonly kind: Kind;
  readonly rules: number;
  readonly record: z.ZodType<R>;
  /** Names of the derived files. */
  readonly derived: readonly string[];
  derive(folder: RunFolder<R>, head: Head): Promise<void>;
}

export const RESTORE: KindOfRun<ImageRecord> = {
  kind: 'restore',
  rules: RESTORE_RULES,
  record: imageRecordSchema,
  derived: [MANIFEST],
  derive: writeManifest,
};

export const DETECT: KindOfRun<DetectRecord> = {
  kind: 'detect',
  rules: INSPECTION_RULES,
  record: detectRecordSchema,
  derived: Object.values(DERIVED),
  derive: writeLists,
};
