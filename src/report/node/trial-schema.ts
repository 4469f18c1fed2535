/** What of a line in `records.jsonl` is believed: a record with a member of another kind is left out of the page, not half shown. */
import { z } from 'zod';
import type { TrialRecord } from '../../evaluate/record.ts';

/** Numbers that JSON cannot hold (a diverged loss) are null there. */
const numbers = z.array(z.number().nullable());

const trialSchema = z.looseObject({
  kind: z.enum(['inpaint', 'detect']),
  key: z.string(),
  set: z.string(),
  case: z.string(),
  method: z.string(),
  told: z.boolean(),
  image: z.string(),
  code: z.string(),
  metrics: z.record(z.string(), z.number().nullable()),
  seconds: z.number(),
  score: z.number().optional(),
  steps: z.number().optional(),
  loss: z.number().nullish(),
  history: z
    .object({ step: numbers, loss: numbers, masked: numbers })
    .refine(({ step, loss, masked }) => step.length === loss.length && step.length === masked.length)
    .optional(),
  pictures: z.record(z.string(), z.string()).optional(),
  snapshots: z.array(z.object({ step: z.number(), restored: z.string(), mask: z.string() })).optional(),
});

export function isTrial(record: TrialRecord): boolean {
  return trialSchema.safeParse(record).success;
}
