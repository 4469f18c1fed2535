/** What a policy says of the good pictures that its thresholds were set on; policies of earlier versions say nothing. */
import * as z from 'zod/mini';
import type { Measured } from './candidates.ts';
import type { PolicySettings } from './policy.ts';
import { scoreThreshold } from './thresholds.ts';

/** A good picture and its score. */
export interface OddPicture {
  readonly name: string;
  readonly score: number;
}

const factsSchema = z.looseObject({
  drawnDefects: z.optional(z.object({ pixelAp: z.number(), aupro: z.number(), imageAuroc: z.number() })),
  goodScores: z.optional(z.array(z.number())),
  oddest: z.optional(z.array(z.object({ name: z.string(), score: z.number() }))),
});

/** How well the drawn defects were found by what the policy does, scores of good pictures (highest first), and the oddest of them. */
export function calibrationFacts({ calibration }: Pick<PolicySettings, 'calibration'>): {
  readonly drawnDefects?: Measured;
  readonly goodScores: readonly number[];
  readonly oddest: readonly OddPicture[];
} {
  const { data } = factsSchema.safeParse(calibration);
  return { drawnDefects: data?.drawnDefects, goodScores: data?.goodScores ?? [], oddest: data?.oddest ?? [] };
}

/** The good pictures that a policy itself calls defective, highest first: perhaps they are. */
export function oddAbove({
  calibration,
  thresholds,
}: Pick<PolicySettings, 'calibration' | 'thresholds'>): readonly OddPicture[] {
  return calibrationFacts({ calibration }).oddest.filter(({ score }) => score > thresholds.image);
}

/** Rates at which limits are shown. */
const RATES = [0.01, 0.02, 0.05, 0.1, 0.2];

/** The limit of a picture's score at other rates, where so many good pictures can tell; undefined rates are left out. */
export function limitsAtRates(goodScores: readonly number[]): { readonly rate: number; readonly limit: number }[] {
  // A rate below 1/(n+1) would be a continuation beyond all scores.
  return RATES.filter((rate) => rate * (goodScores.length + 1) >= 1).map((rate) => ({
    rate,
    limit: scoreThreshold(goodScores, rate),
  }));
}
