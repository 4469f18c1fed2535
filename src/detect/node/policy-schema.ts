/** What of a model file is believed to be a policy's settings. */
import { z } from 'zod';
import type { PolicySettings } from '../policy.ts';

const share = z.number().gt(0).lt(1);
const positive = z.number().positive();

const settingsSchema = z.object({
  format: z.literal(1),
  form: z.enum(['object', 'tiles']),
  scale: z.number().min(1),
  stride: z.number().int().positive(),
  inversion: z.object({
    thresholdGrey: positive,
    prior: z.number().nonnegative(),
    steps: z.number().int().positive(),
    starts: z.number().int().positive(),
  }),
  evidence: z.object({
    blur: z.number().nonnegative(),
    surround: z
      .object({ width: positive, activity: z.array(z.number()).min(1), scale: z.array(positive).min(1) })
      .refine(({ activity, scale }) => activity.length === scale.length)
      .optional(),
    smoothing: z.number().nonnegative(),
  }),
  thresholds: z.object({ pixel: positive, image: positive }),
  falseAlarms: z.object({ pixel: share, image: share }),
  leastArea: z.number().int().nonnegative(),
  /** Policies made before it was chosen took the largest value. */
  scorePixels: z.number().int().positive().default(1),
  displayHigh: positive,
  calibration: z.looseObject({ pictures: z.number(), unseen: z.number() }),
});

/** Settings read back from a file; undefined where they are not what they should be. */
export function parseSettings(value: unknown): PolicySettings | undefined {
  const parsed = settingsSchema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}
