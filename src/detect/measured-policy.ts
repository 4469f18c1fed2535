/** The policy that follows from maps of good pictures: its thresholds, and what it says of the pictures that they were set on. */
import { fitAppearance } from './appearance.ts';
import type { CalibrationSetup } from './calibration-setup.ts';
import { imageScore } from './defects.ts';
import { type Residuals, statisticsOf } from './folds.ts';
import type { JoinedSpaces, PixelMaps } from './join-spaces.ts';
import type { Policy, PolicySettings } from './policy.ts';
import type { Trial } from './selection.ts';
import { pixelThreshold, regionScore, scoreThreshold } from './thresholds.ts';

/** Good pictures that are named as odd, and scores of good pictures that are kept, the highest ones. */
const ODDEST = 8;
const MAX_STORED_SCORES = 500;

/** The good pictures that thresholds are set on, and their residuals. */
export interface MeasuredPictures {
  readonly best: Trial;
  readonly residuals: Residuals;
  /** Which of the setup's unseen pictures. */
  readonly used: readonly number[];
  readonly setup: CalibrationSetup;
  /** Their maps, and how these are made. */
  readonly pixels: PixelMaps;
  readonly second?: JoinedSpaces;
}

/** What a policy states beside what was measured. */
export interface PolicyFacts extends Pick<Policy, 'name' | 'form' | 'scale' | 'stride' | 'falseAlarms'> {
  readonly seed: number;
  /** Names of the unseen pictures. */
  readonly names: readonly string[];
  /** Plain JSON that goes into the policy. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** The policy by these maps of good pictures. */
export function measuredPolicy(
  { best, residuals, used, setup, pixels: { evidence, good }, second }: MeasuredPictures,
  { name, form, scale, stride, falseAlarms, seed, names, facts }: PolicyFacts,
): Policy {
  const { perPixel } = best.candidate;
  const scorePixels = second?.scorePixels ?? best.scorePixels;
  const maps = second?.good ?? good;
  const area = leastArea(best.candidate);
  const pixel =
    falseAlarms.pixel === undefined
      ? scoreThreshold(
          maps.map((map) => regionScore(map, area)),
          falseAlarms.image,
        )
      : pixelThreshold(
          maps.map(({ data }) => data),
          falseAlarms.pixel,
        );
  const mapScores = maps.map(({ data }) => imageScore(data, scorePixels));
  const judged = second?.judged ?? {
    pictures: used.map((i) => setup.unseen[i]),
    folds: residuals.folds,
    names: used.map((i) => names[i]),
  };
  const others = second?.judged ? [] : setup.seen;
  const fitted = fitAppearance(judged.pictures, others, judged.folds, { mapScores, rate: falseAlarms.image });
  const { appearance, scores, limit: image } = fitted;
  return {
    format: 1,
    name,
    form,
    scale,
    stride,
    inversion: best.inversion,
    evidence,
    ...(second ? { features: second.settings } : {}),
    statistics: { ...statisticsOf(residuals, perPixel), ...(second ? { features: second.gaussian } : {}) },
    appearance,
    thresholds: { pixel, image },
    falseAlarms,
    leastArea: area,
    scorePixels,
    displayHigh: Math.max(3 * pixel, 1.5 * image),
    calibration: {
      pictures: setup.unseen.length,
      unseen: judged.pictures.length,
      seed,
      perPixel,
      ...(best.strength === undefined ? {} : { priorStrength: best.strength }),
      drawnDefects: second?.measured ?? best.measured,
      ...(second ? { spaces: second.spaces } : {}),
      goodScores: [...scores]
        .sort((a, b) => b - a)
        .slice(0, MAX_STORED_SCORES)
        .map(rounded),
      oddest: oddestOf(scores, judged.names),
      ...facts,
    },
  };
}

/** The good pictures with the highest scores, which a user should look at, highest first. */
function oddestOf(scores: readonly number[], names: readonly string[]): { name: string; score: number }[] {
  return scores
    .map((score, i) => ({ name: names[i], score: rounded(score) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, ODDEST);
}

function rounded(value: number): number {
  return Number(value.toPrecision(5));
}

/** Smaller than the smoothing's own footprint nothing is resolved. */
function leastArea({ blur, smoothing }: Pick<PolicySettings['evidence'], 'blur' | 'smoothing'>): number {
  return Math.max(2, Math.round(Math.PI * (blur ** 2 + smoothing ** 2)));
}
