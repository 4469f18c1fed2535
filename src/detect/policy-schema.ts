/** What of a model file is believed to be a policy's settings. */
import * as z from 'zod/mini';
import type { PolicySettings } from './policy.ts';

const share = z.number().check(z.gt(0), z.lt(1));
const positive = z.number().check(z.positive());
const nonnegative = z.number().check(z.nonnegative());
const count = z.int().check(z.positive());

const surround = z
  .object({
    width: positive,
    activity: z.array(z.number()).check(z.minLength(1)),
    scale: z.array(positive).check(z.minLength(1)),
  })
  .check(z.refine(({ activity, scale }) => activity.length === scale.length));

const settingsSchema = z.object({
  format: z.literal(1),
  form: z.enum(['object', 'tiles']),
  scale: z.number().check(z.gte(1)),
  stride: count,
  inversion: z.object({ thresholdGrey: positive, prior: nonnegative, steps: count, starts: count }),
  evidence: z.object({ blur: nonnegative, surround: z.optional(surround), smoothing: nonnegative }),
  thresholds: z.object({ pixel: positive, image: positive }),
  falseAlarms: z.object({ pixel: share, image: share }),
  leastArea: z.int().check(z.nonnegative()),
  /** Policies made before it was chosen took the largest value. */
  scorePixels: z._default(count, 1),
  displayHigh: positive,
  calibration: z.looseObject({ pictures: z.number(), unseen: z.number() }),
});

/** Settings read back from a file; undefined where they are not what they should be. */
export function parseSettings(value: unknown): PolicySettings | undefined {
  const parsed = settingsSchema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}
