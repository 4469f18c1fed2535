/**
 * Calibration: from good pictures alone, how a product is to be inspected. Everything is measured on pictures that the
 * generator was not trained on, because it reproduces its training pictures too well. Inspection settings are compared on defects drawn
 * on such pictures (`synthetic.ts`); thresholds are set on the pictures as they are.
 */

import { evenly, squares } from '../datasets/sampling.ts';
import { RgiError } from '../errors.ts';
import { type Image, shapeOf } from '../images/image.ts';
import type { Generator, LatentLaw } from '../inversion/generator/generator.ts';
import type { Graph } from '../onnx/graph.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type Compared, comparer, firstCandidate, MIN_GAIN, searchCandidates } from './candidates.ts';
import { imageScore } from './defects.ts';
import { crossFitted, foldsOf, type Restored, residualsOf, statisticsOf } from './folds.ts';
import { type InversionSettings, latentLength } from './inverter.ts';
import { localContrastOf } from './local-contrast.ts';
import { checkPolicyName, type Policy, type PolicySettings } from './policy.ts';
import { openRestorer } from './restorer.ts';
import { residualScale } from './scale.ts';
import { finishedMap } from './scoring.ts';
import { DEFAULT_POLICY } from './stored-policy.ts';
import { withDefects } from './synthetic.ts';
import { pixelThreshold, scoreThreshold } from './thresholds.ts';

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
  /** The group of each of these, where near-duplicates are known to go together. */
  readonly groups?: readonly number[];
  /** Some of its training pictures, for statistics per pixel. Default none. */
  readonly seen?: readonly Image[];
  /** Rates in (0,1) that the thresholds are set for: of good pixels, and of good pictures. Default `FALSE_ALARMS`. */
  readonly falseAlarms?: PolicySettings['falseAlarms'];
  /** Steps of each search; default 50 with an encoder, 400 without. */
  readonly steps?: number;
  /** Whole number: the same seed and pictures give the same policy. Default 0. */
  readonly seed?: number;
  /** Goes into the policy: where the pictures are from. Default nothing. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

export interface CalibrationHooks {
  readonly onProgress?: (share: number, what: string) => void;
  readonly signal?: AbortSignal;
}

/** Inspection settings, with the prior and the inversion that they were tried with. */
export interface Trial extends Compared {
  /** Times the prior that goes with independent residuals. */
  readonly strength: number;
  readonly inversion: InversionSettings;
}

/** What `calibrate` gives. */
export interface Calibration {
  /** The policy: how to invert, what to compare with, and the thresholds. */
  readonly policy: Policy;
  /** What was compared, best first. */
  readonly compared: readonly Trial[];
  /** The one that the policy stores: nearly the best, of those with the prior that was chosen. */
  readonly chosen: Trial;
  /** Sentences that a user should read, for instance that there were few pictures. */
  readonly notes: readonly string[];
}

/** Of 500 pixels and of 20 pictures one good one may be called defective. */
export const FALSE_ALARMS: PolicySettings['falseAlarms'] = { pixel: 0.002, image: 0.05 };

/** Fewer good pictures say nothing about a rate. */
const MIN_PICTURES = 8;

/** Below this, the threshold of pictures is a continuation more than a measurement. */
const RECOMMENDED_PICTURES = 30;

/**
 * Average precision is the mean over all thresholds of the share of marked pixels that are defective: at one half as many marked pixels
 * are right as wrong.
 */
const MIN_PIXEL_AP = 0.5;

/** Pictures that inspection settings are compared on, and whose residuals give the scale. */
const COMPARED_ON = 24;
const PILOTS = 8;
/** The side of what is compared, of large pictures. */
const LARGEST_SIDE = 192;

/** Pixels of all good pictures together that thresholds are set on, and pictures restored at a time. */
const MAX_PIXELS = 2 ** 24;
const TOGETHER = 32;

/** With an encoder's start few steps are enough; without, more, and several starts. */
const STEPS = { started: 50, drawn: 400 } as const;
const STARTS = 4;

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
  const { unseen, generator, encoder, form, name = DEFAULT_POLICY, law = 'normal', scale = 1, seed = 0 } = job;
  const { falseAlarms = FALSE_ALARMS } = job;
  checkPolicyName(name);
  if (unseen.length < MIN_PICTURES) {
    throw new RgiError(
      'input',
      `${unseen.length} held-out good pictures are too few for calibration; at least ${MIN_PICTURES} are needed, and ${RECOMMENDED_PICTURES} are better.`,
    );
  }
  const say = hooks.onProgress ?? (() => {});
  const stride = job.stride ?? Math.max(1, generator.height >> 1);
  const steps = job.steps ?? (encoder ? STEPS.started : STEPS.drawn);
  const restoreWith = async (
    settings: PolicySettings['inversion'],
    images: readonly Image[],
    onDone?: (share: number) => void,
  ): Promise<Restored[]> => {
    const options = { generator, encoder, form, stride, settings, signal: hooks.signal };
    const restorer = await openRestorer(options, runtime);
    try {
      const restored = await restorer.restore(images, onDone);
      return images.map((image, i) => ({ image, restored: restored[i] }));
    } finally {
      await restorer.dispose();
    }
  };

  const chosen = evenly(
    unseen.map((_, i) => i),
    COMPARED_ON,
  );
  const largest = form === 'tiles' ? LARGEST_SIDE : undefined;
  const sample = squares(
    chosen.map((i) => unseen[i]),
    largest,
    seed,
  );
  const seen = form === 'object' ? (job.seen ?? []) : [];
  const pilots = evenly(sample, PILOTS);
  const plain = { thresholdGrey: UNMASKED_GREY, steps, starts: STARTS };
  say(0, 'residuals of good pictures');
  const { absolute } = residualScale(await restoreWith({ ...plain, prior: 0 }, pilots));
  // sum|r|/b + |z|^2/2 with residuals of mean size b, times b: mean(z^2)/2 weighs b times the length of z.
  const unit = law === 'normal' ? absolute * latentLength(generator) : 0;

  const drawn = withDefects(sample, seed);
  const truth = drawn.map((one) => one.mask);
  const side = Math.min(shapeOf(sample[0]).height, shapeOf(sample[0]).width);
  const pixels = form === 'object' ? Math.max(1, side / 128) : 1;
  const folds = foldsOf(chosen.length, job.groups && chosen.map((i) => job.groups![i]));
  const compared: Trial[] = [];
  let best: Trial | undefined;
  let tried = 0;
  /** Is it better than what was tried before? */
  const tryStrength = async (strength: number): Promise<boolean> => {
    const begun = Math.min(0.75, 0.25 * tried++);
    const about = (share: number) => say(0.9 * (begun + 0.25 * share), 'comparing inspection settings');
    about(0);
    const prior = strength * unit;
    const { outlierGrey } = residualScale(await restoreWith({ ...plain, prior }, pilots));
    const inversion = { thresholdGrey: outlierGrey, prior, steps, starts: STARTS };
    const good = await restoreWith(inversion, sample, (share) => about(0.1 + 0.4 * share));
    const bad = await restoreWith(
      inversion,
      drawn.map((one) => one.image),
      (share) => about(0.5 + 0.4 * share),
    );
    const known = await restoreWith(inversion, evenly(seen, COMPARED_ON));
    const measure = comparer({ good, bad, truth, seen: known, folds });
    const keep = (one: Compared): Trial => ({ ...one, strength, inversion });
    if (!best) {
      const found = searchCandidates(firstCandidate(form, pixels), form, pixels, measure);
      compared.push(...found.tried.map(keep));
      best = keep(found.best);
      return true;
    }
    // What was best with another prior is so with this one, or nearly.
    const other = keep(measure(best.candidate));
    compared.push(other);
    if (other.score <= best.score + MIN_GAIN) return false;
    best = other;
    return true;
  };
  await climb(unit > 0 ? PRIOR_STRENGTHS : [0], tryStrength);
  if (!best) throw new RgiError('runtime', 'No inspection settings were tried.');
  const used = evenly(
    unseen.map((_, i) => i),
    Math.max(MIN_PICTURES, Math.floor(MAX_PIXELS / pixelsOf(unseen[0]))),
  );
  const { perPixel, blur, smoothing } = best.candidate;
  // A part at a time: of large pictures only the residuals are kept.
  const own: Image[] = [];
  for (let from = 0; from < used.length; from += TOGETHER) {
    const part = used.slice(from, from + TOGETHER).map((i) => unseen[i]);
    own.push(...residualsOf(await restoreWith(best.inversion, part), blur));
    say(0.9 + (0.1 * own.length) / used.length, 'thresholds');
  }
  const residuals = {
    unseen: own,
    seen: perPixel ? residualsOf(await restoreWith(best.inversion, seen), blur) : [],
    folds: foldsOf(used.length, job.groups && used.map((i) => job.groups![i])),
  };
  const raw = crossFitted(residuals, perPixel)(residuals.unseen);
  const width = best.candidate.contrastWidth;
  const evidence = { blur, ...(width > 0 ? { surround: localContrastOf(raw, width) } : {}), smoothing };
  const maps = raw.map((map) => finishedMap(map, evidence));
  const scores = maps.map((map) => imageScore(map.data, best!.scorePixels));
  const pixel = pixelThreshold(
    maps.map((map) => map.data),
    falseAlarms.pixel,
  );
  const image = scoreThreshold(scores, falseAlarms.image);
  const policy: Policy = {
    format: 1,
    name,
    form,
    scale,
    stride,
    inversion: best.inversion,
    evidence,
    statistics: statisticsOf(residuals, perPixel),
    thresholds: { pixel, image },
    falseAlarms,
    leastArea: leastArea(best.candidate),
    scorePixels: best.scorePixels,
    displayHigh: Math.max(3 * pixel, 1.5 * image),
    calibration: {
      pictures: unseen.length,
      unseen: used.length,
      seed,
      perPixel,
      priorStrength: best.strength,
      drawnDefects: best.measured,
      ...job.facts,
    },
  };
  const { pixelAp, imageAuroc } = best.measured;
  const notes = [
    ...(used.length < RECOMMENDED_PICTURES
      ? [`Only ${used.length} good pictures were left to set thresholds on, so the rate of false alarms is rough.`]
      : []),
    ...(pixelAp < MIN_PIXEL_AP
      ? [
          `The defects drawn on good pictures were hardly found (pixel AP ${pixelAp.toFixed(2)}, image AUROC ${imageAuroc.toFixed(2)}): below an AP of ${MIN_PIXEL_AP} more marked pixels are wrong than right. Expect real defects to be missed; train on more pictures, or by tiles (rgi train --crops).`,
        ]
      : []),
  ];
  return { policy, compared: compared.sort((a, b) => b.score - a.score), chosen: best, notes };
}

/** A residual that no pixel of a picture has: nothing is masked. */
const UNMASKED_GREY = 255;

/** Times the prior that goes with the residuals being independent, which they are not: larger ones draw less detail. */
const PRIOR_STRENGTHS = [1, 5, 25, 0.2];

/** The first value, then larger ones while they are better; if the second is not, the last one, which is smaller. */
async function climb(values: readonly number[], isBetter: (value: number) => Promise<boolean>): Promise<void> {
  const smallest = values[values.length - 1];
  for (const [i, value] of values.slice(0, -1).entries()) {
    if (await isBetter(value)) continue;
    if (i === 1) await isBetter(smallest);
    return;
  }
  if (values.length === 1) await isBetter(values[0]);
}

/** Smaller than the smoothing's own footprint nothing is resolved. */
function leastArea({ blur, smoothing }: Pick<PolicySettings['evidence'], 'blur' | 'smoothing'>): number {
  return Math.max(2, Math.round(Math.PI * (blur ** 2 + smoothing ** 2)));
}

function pixelsOf(image: Image): number {
  const { height, width } = shapeOf(image);
  return height * width;
}
