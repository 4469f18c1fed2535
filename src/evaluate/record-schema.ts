/** The schema of stored trials: every field is checked. */
import { z } from 'zod';
import { MASK_GIVEN, readingOlder } from '../jobs/older-names.ts';
import { METRIC_NAMES } from './metrics.ts';
import type { TrialRecord } from './record.ts';

/** Not finite numbers are null in JSON. */
const number = z.number().nullable();

const picturesSchema = z.object({
  input: z.string(),
  truth: z.string().optional(),
  trueMask: z.string().optional(),
  restored: z.string().optional(),
  composite: z.string().optional(),
  mask: z.string().optional(),
  map: z.string().optional(),
});

const metrics = Object.fromEntries(METRIC_NAMES.map((name) => [name, number.optional()]));

const schema = z.object({
  kind: z.enum(['inpaint', 'detect']),
  key: z.string(),
  set: z.string(),
  case: z.string(),
  method: z.string(),
  maskGiven: z.boolean(),
  image: z.string(),
  index: z.number().int().nonnegative(),
  code: z.string(),
  message: z.string().optional(),
  metrics: z.looseObject(metrics),
  seconds: z.number(),
  score: z.number().optional(),
  steps: z.number().optional(),
  loss: number.optional(),
  history: z
    .object({ step: z.array(z.number()), loss: z.array(number), masked: z.array(number) })
    .refine(({ step, loss, masked }) => step.length === loss.length && step.length === masked.length)
    .optional(),
  pictures: picturesSchema.optional(),
  snapshots: z.array(z.object({ step: z.number(), restored: z.string(), mask: z.string() })).optional(),
});

/** A trial; those of earlier versions say `told` for `maskGiven`. */
export const trialSchema = readingOlder(schema, MASK_GIVEN) as z.ZodType<unknown> as z.ZodType<TrialRecord>;
