/** What of a model file is believed to be a policy's settings. */
import { z } from 'zod';
import type { PolicySettings } from '../policy.ts';

const share = z.number().gt(0).lt(1);
const positive = z.number().positive();

/** Pixels: no picture is wider, and widths of smoothing are believed up to here (a kernel is eight times as long). */
const MAX_SIDE = 2 ** 14;
/** Steps, searches and times smaller that anybody means. */
const MAX_COUNT = 1e6;

const width = z.number().nonnegative().max(MAX_SIDE);
const count = z.number().int().positive().max(MAX_COUNT);

const settingsSchema = z.object({
  format: z.literal(1),
  form: z.enum(['object', 'tiles']),
  scale: z.number().min(1).max(MAX_SIDE),
  stride: z.number().int().positive().max(MAX_SIDE),
  inversion: z.object({
    thresholdGrey: positive,
    prior: z.number().nonnegative(),
    steps: count,
    starts: count,
  }),
  evidence: z.object({
    blur: width,
    surround: z
      .object({
        width: width.positive(),
        activity: z.array(z.number().nonnegative()).min(1),
        scale: z.array(positive).min(1),
      })
      .refine(({ activity, scale }) => activity.length === scale.length)
      .optional(),
    smoothing: width,
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
