/**
 * Calibration: from good pictures alone, how a product is to be inspected. Everything is measured on pictures that the
 * generator was not trained on, because it reproduces its training pictures too well. Inspection settings are compared on defects drawn
 * on such pictures (`synthetic.ts`); thresholds are set on the pictures as they are.
 */

import { evenly } from '../datasets/sampling.ts';
import { type Image, shapeOf } from '../images/image.ts';
import type { Generator, LatentLaw } from '../inversion/generator/generator.ts';
import type { Graph } from '../onnx/graph.ts';
import type { Runtime } from '../runtime/runtime.ts';
import {
  CALIBRATION_SEARCH,
  type CalibrationSearch,
  type CalibrationSetup,
  checkPictureCount,
  groupsOf,
  priorLengthOf,
  restoringWith,
} from './calibration-setup.ts';
import type { Measured } from './candidates.ts';
import { featuresAlone, MIN_FOR_PIXELS } from './few-pictures.ts';
import { crossFitted, foldsOf, type Residuals, residualsOf } from './folds.ts';
import { type FeatureSource, type JoinedSpaces, joinSpaces, type PixelMaps } from './join-spaces.ts';
import type { Spaces } from './joining.ts';
import { localContrastOf } from './local-contrast.ts';
import { measuredPolicy } from './measured-policy.ts';
import { checkPolicyName, type Policy, type PolicySettings } from './policy.ts';
import { openProjection, type Projection } from './projection.ts';
import { finishedMap } from './scoring.ts';
import { selectSettings, type Trial } from './selection.ts';
import { DEFAULT_POLICY } from './stored-policy.ts';

/** What `calibrate` is given: a generator, good pictures, and the rates of false alarms to aim at. */
export interface CalibrationJob {
  /** Name of the policy that is made: up to 40 letters, digits, - and _. Default 'default'. */
  readonly name?: string;
  /** Restores the pictures; the policy belongs to it. */
  readonly generator: Generator;
  /** Image [N,C,H,W] to latents: gives the start of each search, which then needs fewer steps. */
  readonly encoder?: Graph;
  /** The law of the latents: a Gaussian prior goes with a normal one only. Default 'normal'. */
  readonly law?: LatentLaw;
  /** 'object': whole pictures at the generator's size. 'tiles': overlapping tiles of pictures of any size. */
  readonly form: PolicySettings['form'];
  /** Tiles: the factor by which pictures were reduced before. Default 1. */
  readonly scale?: number;
  /** Pixels from tile to tile; default half a tile. */
  readonly stride?: number;
  /**
   * Good pictures [1,C,H,W] that the generator was not trained on, in the order of their names: of its size for the form
   * 'object', of any for 'tiles'.
   */
  readonly unseen: readonly Image[];
  /** Their names, for the list of the oddest ones; default: their numbers. */
  readonly names?: readonly string[];
  /** The group of each of these, where near-duplicates are known to go together. */
  readonly groups?: readonly number[];
  /** Some of its training pictures, for statistics per pixel. Default none. */
  readonly seen?: readonly Image[];
  /** Compares feature maps, too, of the form 'object'. Default: pixels alone. */
  readonly features?: FeatureSource;
  /** Rates in (0,1) that the thresholds are set for. Default `FALSE_ALARMS`. */
  readonly falseAlarms?: PolicySettings['falseAlarms'];
  /**
   * Steps of each search; default 50 with an encoder, 400 without. A generator that is affine in its latents is inverted in closed form
   * unless steps are given.
   */
  readonly steps?: number;
  /** What is tried, and on how much; in place of single defaults (`CalibrationSearch`). */
  readonly search?: Partial<CalibrationSearch>;
  /** Whole number: the same seed and pictures give the same policy. Default 0. */
  readonly seed?: number;
  /** Goes into the policy: where the pictures are from. Default nothing. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

export interface CalibrationHooks {
  readonly onProgress?: (share: number, what: string) => void;
  readonly signal?: AbortSignal;
}

/** What `calibrate` gives. */
export interface Calibration {
  /** The policy: how to invert, what to compare with, and the thresholds. */
  readonly policy: Policy;
  /** What was compared, best first. */
  readonly compared: readonly Trial[];
  /** The one that the policy stores: nearly the best, of those with the prior that was chosen. */
  readonly chosen: Trial;
  /** How well the drawn defects were found in pixels, in features and in both; where features were compared. */
  readonly spaces?: Readonly<Partial<Record<Spaces, Measured>>>;
  /** Sentences that a user should read, for instance that there were few pictures. */
  readonly notes: readonly string[];
}

/** Of 20 good pictures one may be called defective, and one may have any region. */
export const FALSE_ALARMS: PolicySettings['falseAlarms'] = { image: 0.05 };

/** With features, pictures that the generator was trained on set thresholds, too: all together, and those it was not trained on. */
const MIN_WITH_FEATURES = 4;
const MIN_UNSEEN = 2;

/** Below this, the threshold of pictures is a continuation more than a measurement. */
const RECOMMENDED_PICTURES = 30;

/**
 * Average precision is the mean over all thresholds of the share of marked pixels that are defective: at one half as many marked pixels
 * are right as wrong.
 */
const MIN_PIXEL_AP = 0.5;

/** Pixels of all good pictures together that thresholds are set on, and pictures restored at a time: for memory. */
const MAX_PIXELS = 2 ** 24;
const MAX_TOGETHER = 32;

/** Of the time that a calibration with features takes, what pixels take, about. */
const PIXEL_SHARE = 0.75;

/** Default of `steps`: with an encoder's start few are enough; without, more. */
const STEPS = { started: 50, drawn: 400 } as const;

/**
 * Makes a policy from good pictures alone. Settings are chosen by how well synthetic defects, drawn on good pictures,
 * are found; thresholds are set on the same pictures without defects, each compared with statistics of the others only.
 * Throws `RgiError('input')` for fewer than 8 unseen pictures, `RgiError('usage')` for a name that cannot be stored,
 * the signal's reason where it is aborted.
 */
export async function calibrate(
  job: CalibrationJob,
  runtime: Runtime,
  hooks: CalibrationHooks = {},
): Promise<Calibration> {
  checkPolicyName(job.name ?? DEFAULT_POLICY);
  const learnt = secondOf(job)?.learnt?.length ?? 0;
  const isEnough = secondOf(job) && job.unseen.length >= MIN_UNSEEN && job.unseen.length + learnt >= MIN_WITH_FEATURES;
  if (!isEnough) checkPictureCount(job.unseen.length, MIN_FOR_PIXELS, RECOMMENDED_PICTURES);
  const projection = job.steps === undefined ? await openProjection(job.generator, runtime) : undefined;
  try {
    return await calibrateWith(job, projection, runtime, hooks);
  } finally {
    await projection?.dispose();
  }
}

async function calibrateWith(
  job: CalibrationJob,
  projection: Projection | undefined,
  runtime: Runtime,
  hooks: CalibrationHooks,
): Promise<Calibration> {
  const stride = job.stride ?? Math.max(1, job.generator.height >> 1);
  const setup = setupOf(job, stride, projection, runtime, hooks);
  const { best, compared } = await selectSettings(setup);
  const used = evenly(
    [...setup.unseen.keys()],
    Math.max(MIN_FOR_PIXELS, Math.floor(MAX_PIXELS / pixelsOf(setup.unseen[0]))),
  );
  const residuals = await residualsWith(setup, best, used);
  const pixels = pixelMaps(best, residuals);
  const source = secondOf(job);
  const featureHooks = {
    signal: hooks.signal,
    onProgress: (share: number) => hooks.onProgress?.(PIXEL_SHARE + (1 - PIXEL_SHARE) * share, 'feature maps'),
  };
  const names = job.names ?? setup.unseen.map((_, i) => `${i + 1}`);
  const second =
    source &&
    (used.length < MIN_FOR_PIXELS
      ? await featuresAlone({ source, setup, names }, runtime, featureHooks)
      : await joinSpaces({ source, setup, best, residuals, pixels, used }, runtime, featureHooks));
  const { name = DEFAULT_POLICY, form, scale = 1, falseAlarms = FALSE_ALARMS, facts } = job;
  const policy = measuredPolicy(
    { best, residuals, used, setup, pixels, second },
    { name, form, scale, stride, falseAlarms, seed: setup.seed, names, facts },
  );
  return {
    policy,
    compared: [...compared].sort((a, b) => b.score - a.score),
    chosen: best,
    ...(second ? { spaces: second.compared } : {}),
    notes: notesOf(second?.judged?.pictures.length ?? used.length, falseAlarms.image, second, best),
  };
}

/** The features that are compared, too. */
function secondOf({ form, features }: CalibrationJob): FeatureSource | undefined {
  return form === 'object' ? features : undefined;
}

function setupOf(
  job: CalibrationJob,
  stride: number,
  projection: Projection | undefined,
  runtime: Runtime,
  hooks: CalibrationHooks,
): CalibrationSetup {
  const { generator, encoder, form, law = 'normal' } = job;
  return {
    ...CALIBRATION_SEARCH,
    ...job.search,
    form,
    unseen: job.unseen,
    seen: form === 'object' ? (job.seen ?? []) : [],
    groups: job.groups,
    steps: job.steps ?? (encoder ? STEPS.started : STEPS.drawn),
    seed: job.seed ?? 0,
    priorLength: priorLengthOf(generator, law),
    isClosed: projection !== undefined,
    restore: restoringWith({ generator, encoder, form, stride, projection, signal: hooks.signal }, runtime),
    report: (share, what) => hooks.onProgress?.(secondOf(job) ? PIXEL_SHARE * share : share, what),
  };
}

/** Residuals of the good pictures `used`, without anything drawn on them, by the settings that were selected. */
async function residualsWith(setup: CalibrationSetup, best: Trial, used: readonly number[]): Promise<Residuals> {
  const { perPixel, blur } = best.candidate;
  // A part at a time: of large pictures only the residuals are kept.
  const unseen: Image[] = [];
  for (let from = 0; from < used.length; from += MAX_TOGETHER) {
    const part = used.slice(from, from + MAX_TOGETHER).map((i) => setup.unseen[i]);
    unseen.push(...residualsOf(await setup.restore(best.inversion, part), blur));
    setup.report(0.9 + (0.1 * unseen.length) / used.length, 'thresholds');
  }
  const seen = perPixel ? residualsOf(await setup.restore(best.inversion, setup.seen), blur) : [];
  return { unseen, seen, folds: foldsOf(used.length, groupsOf(setup, used)) };
}

/** Maps of the good pictures' residuals, each by statistics of the others only, and how they are made. */
function pixelMaps({ candidate }: Trial, residuals: Residuals): PixelMaps {
  const { perPixel, blur, smoothing, contrastWidth: width } = candidate;
  const fitted = crossFitted(residuals, perPixel);
  const raw = fitted(residuals.unseen);
  const evidence = { blur, ...(width > 0 ? { surround: localContrastOf(raw, width) } : {}), smoothing };
  return {
    evidence,
    good: raw.map((map) => finishedMap(map, evidence)),
    mapsOf: (images, places) => fitted(images, places).map((map) => finishedMap(map, evidence)),
  };
}

function notesOf(used: number, rate: number, second: JoinedSpaces | undefined, best: Trial): string[] {
  const { pixelAp, imageAuroc } = second?.measured ?? best.measured;
  const notes: string[] = [];
  if (second?.judged)
    notes.push(
      `Features alone are compared: of pixels nothing can be said with fewer than ${MIN_FOR_PIXELS} held-out pictures.`,
    );
  // Conformal prediction reaches down to 1/(n+1) (`scoreThreshold`).
  if (rate * (used + 1) < 1)
    notes.push(
      `Thresholds are set on ${used} good pictures only: no rate of false alarms below ${Math.ceil(100 / (used + 1))}% can be known from them, so the limits for ${100 * rate}% are extrapolated.`,
    );
  else if (used < RECOMMENDED_PICTURES)
    notes.push(`Thresholds are set on ${used} good pictures only, so the rate of false alarms is rough.`);
  if (pixelAp < MIN_PIXEL_AP)
    notes.push(
      `The defects drawn on good pictures were hardly found (pixel AP ${pixelAp.toFixed(2)}, image AUROC ${imageAuroc.toFixed(2)}): below an AP of ${MIN_PIXEL_AP} more marked pixels are wrong than right. Expect real defects to be missed; train on more pictures, or by tiles (rgi train --crops).`,
    );
  return notes;
}

function pixelsOf(image: Image): number {
  const { height, width } = shapeOf(image);
  return height * width;
}
