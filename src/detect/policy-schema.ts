/** The schema of a policy's settings in a model file. */
import * as z from 'zod/mini';
import type { PolicySettings } from './policy.ts';

/** Largest length in pixels: no picture is wider. Widths of smoothing have the same limit, since a kernel is eight times as long. */
const MAX_SIDE = 2 ** 14;
/** Largest number of steps, searches and factors, above any sensible value. */
const MAX_COUNT = 1e6;

/** Largest number of rounds in closed form: each is a part of the graph. */
const MAX_ROUNDS = 64;

const share = z.number().check(z.gt(0), z.lt(1));
const positive = z.number().check(z.positive());
const nonnegative = z.number().check(z.nonnegative());
const count = z.int().check(z.positive(), z.lte(MAX_COUNT));
const width = z.number().check(z.nonnegative(), z.lte(MAX_SIDE));

const surround = z
  .object({
    width: z.number().check(z.positive(), z.lte(MAX_SIDE)),
    activity: z.array(nonnegative).check(z.minLength(1)),
    scale: z.array(positive).check(z.minLength(1)),
  })
  .check(z.refine(({ activity, scale }) => activity.length === scale.length));

/** Numbers that describe a whole picture, and the triangle that goes with them. */
const appearance = z
  .object({
    mean: z.array(z.number()).check(z.minLength(3)),
    deviation: z.array(positive),
    whitening: z.array(z.number()),
    unit: positive,
  })
  .check(
    z.refine(
      ({ mean: { length }, deviation, whitening }) =>
        length % 3 === 0 && deviation.length === length && whitening.length === (length * (length + 1)) / 2,
    ),
  );

/**
 * Members have the names under which stored policies hold them, whatever the code calls their parts: `evidence` is the scoring
 * (`scoring.ts`), `evidence.surround` the local contrast (`local-contrast.ts`). Models that are in use carry these names.
 */
const settingsSchema = z.object({
  format: z.literal(1),
  form: z.enum(['object', 'tiles']),
  scale: z.number().check(z.gte(1), z.lte(MAX_SIDE)),
  stride: z.int().check(z.positive(), z.lte(MAX_SIDE)),
  inversion: z.union([
    z.object({ thresholdGrey: positive, prior: nonnegative, steps: count, starts: count }),
    z.object({
      thresholdGrey: positive,
      noiseGrey: positive,
      rounds: z.int().check(z.nonnegative(), z.lte(MAX_ROUNDS)),
    }),
  ]),
  evidence: z.object({ blur: width, surround: z.optional(surround), smoothing: width }),
  features: z.optional(
    z.object({
      network: z.object({
        file: z.string().check(z.minLength(1)),
        sha256: z.string(),
        range: z.enum(['0..1', '-1..1', '0..255', 'imagenet']),
        size: z.int().check(z.positive(), z.lte(MAX_SIDE)),
        layers: z.array(z.string()).check(z.minLength(1)),
      }),
      smoothing: width,
      units: z
        .object({ pixels: nonnegative, features: nonnegative })
        .check(z.refine((units) => units.pixels + units.features > 0)),
    }),
  ),
  appearance: z.optional(appearance),
  thresholds: z.object({ pixel: positive, image: positive }),
  falseAlarms: z.object({ pixel: z.optional(share), image: share }),
  leastArea: z.int().check(z.nonnegative()),
  /** Policies made before it was chosen took the largest value. */
  scorePixels: z._default(z.int().check(z.positive()), 1),
  displayHigh: positive,
  calibration: z.looseObject({ pictures: z.number(), unseen: z.number() }),
});

/** Settings read back from a file; undefined where they are not what they should be. */
export function parseSettings(value: unknown): PolicySettings | undefined {
  const parsed = settingsSchema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}
