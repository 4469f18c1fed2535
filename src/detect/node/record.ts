/** What detection finds on each picture, as data, and the files that are derived from it. */
import { z } from 'zod';
import { csvText, jsonLine } from '../../jobs/document.ts';
import { verdictOf } from '../verdict.ts';

const defectSchema = z.object({
  top: z.number(),
  left: z.number(),
  height: z.number(),
  width: z.number(),
  area: z.number(),
  peak: z.number(),
  at: z.object({ y: z.number(), x: z.number() }),
});

export const detectRecordSchema = z.object({
  name: z.string(),
  path: z.string(),
  sha256: z.string().optional(),
  status: z.enum(['done', 'failed']),
  /** The sentence of a failure, or what a user should know. */
  message: z.string().optional(),
  /** `imageScore` at the size that is inspected; `defective` is whether it is above the image threshold. */
  score: z.number().optional(),
  defective: z.boolean().optional(),
  /** Regions above the pixel threshold, the highest peak first, in pixels of the picture. */
  defects: z.array(defectSchema).optional(),
  /** Share of the picture's pixels in those regions. */
  markedShare: z.number().optional(),
  width: z.number().optional(),
  height: z.number().optional(),
  seconds: z.number().optional(),
  files: z.array(z.string()).optional(),
});

/** What became of one picture. */
export type DetectRecord = z.infer<typeof detectRecordSchema>;

/** Names of the files that are derived from the journal. */
export const DERIVED = { manifest: 'manifest.json', results: 'results.jsonl', scores: 'scores.csv' } as const;

/** The lines of `scores.csv`, one picture at a time. */
export async function* scoresCsv(records: AsyncIterable<DetectRecord>): AsyncGenerator<string> {
  yield csvText([['name', 'path', 'status', 'score', 'verdict', 'defects', 'marked_share', 'message']]);
  for await (const record of records) {
    yield csvText([
      [
        record.name,
        record.path,
        record.status,
        record.score ?? '',
        record.status === 'done' ? verdictOf(record.defective ?? false, record.defects?.length ?? 0) : '',
        record.defects?.length ?? '',
        record.markedShare?.toPrecision(4) ?? '',
        record.message ?? '',
      ],
    ]);
  }
}

/** The lines of `results.jsonl`. */
export async function* resultLines(records: AsyncIterable<DetectRecord>): AsyncGenerator<string> {
  for await (const record of records) yield jsonLine(record);
}
