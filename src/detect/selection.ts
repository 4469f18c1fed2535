/**
 * Selection of inspection settings: which prior, statistics and widths find defects best that are drawn on good pictures
 * (`synthetic.ts`).
 */
import { evenly, squares } from '../datasets/sampling.ts';
import { RgiError } from '../errors.ts';
import { type Image, type Mask, shapeOf } from '../images/image.ts';
import { type CalibrationSetup, groupsOf } from './calibration-setup.ts';
import { type Compared, comparer, firstCandidate, MIN_GAIN, searchCandidates } from './candidates.ts';
import { foldsOf } from './folds.ts';
import type { InversionSettings } from './inverter.ts';
import { residualScale } from './scale.ts';
import { withDefects } from './synthetic.ts';

/** Inspection settings, with the prior and the inversion that they were tried with. */
export interface Trial extends Compared {
  /** Of a search: times the prior that goes with independent residuals. */
  readonly strength?: number;
  readonly inversion: InversionSettings;
}

/** Pictures that are restored without a mask, for the scale of residuals. */
const MAX_PILOTS = 8;

/** The side of what is compared, of large pictures: for time. */
const MAX_SIDE = 192;

/** A residual that no pixel of a picture has: nothing is masked. */
const UNMASKED_GREY = 255;

/** Rounding to 8 bits. */
const MIN_NOISE_GREY = 0.5;

/** Good pictures, and the same with defects drawn on them. */
interface Sample {
  readonly good: readonly Image[];
  readonly bad: readonly Image[];
  readonly truth: readonly Mask[];
  readonly pilots: readonly Image[];
  readonly folds: readonly number[];
  /** Pixels for one of a picture of 128. */
  readonly pixels: number;
}

/** What was tried, and the best: nearly, of those with the inversion that was chosen. */
export interface Selection {
  readonly best: Trial;
  readonly compared: readonly Trial[];
}

export async function selectSettings(setup: CalibrationSetup): Promise<Selection> {
  const sample = sampleOf(setup);
  setup.report(0, 'residuals of good pictures');
  let selection: Selection | undefined;
  const isBetter = async (variant: Variant, report: (share: number) => void): Promise<boolean> => {
    const before = selection;
    selection = await withVariant(setup, sample, variant, before, report);
    return selection.best !== before?.best;
  };
  await (setup.isClosed ? tryMasks(setup, sample, isBetter) : climbPriors(setup, sample, isBetter));
  if (!selection) throw new RgiError('runtime', 'No inspection settings were tried.');
  return selection;
}

/** A way of inverting that is tried. */
interface Variant {
  readonly inversion: InversionSettings;
  readonly strength?: number;
}

type TryVariant = (variant: Variant, report: (share: number) => void) => Promise<boolean>;

const COMPARING = 'comparing inspection settings';

/** In closed form: each residual from which pixels may be masked. */
async function tryMasks(setup: CalibrationSetup, { pilots }: Sample, isBetter: TryVariant): Promise<void> {
  const { maskGreys, rounds, maskedShare } = setup;
  const unmasked = { thresholdGrey: UNMASKED_GREY, noiseGrey: MIN_NOISE_GREY, rounds: 0 };
  const { medianGrey } = residualScale(await setup.restore(unmasked, pilots), maskedShare);
  // The deviation of a Gaussian law with this median of |r|, whatever the outliers.
  const noiseGrey = Math.max(MIN_NOISE_GREY, 1.4826 * medianGrey);
  for (const [i, thresholdGrey] of maskGreys.entries()) {
    const report = (share: number) => setup.report((0.9 * (i + share)) / maskGreys.length, COMPARING);
    await isBetter({ inversion: { thresholdGrey, noiseGrey, rounds } }, report);
  }
}

/** By search: strengths of the prior. */
async function climbPriors(setup: CalibrationSetup, { pilots }: Sample, isBetter: TryVariant): Promise<void> {
  const { steps, starts, maskedShare } = setup;
  const unmasked = { thresholdGrey: UNMASKED_GREY, steps, starts };
  const { absolute } = residualScale(await setup.restore({ ...unmasked, prior: 0 }, pilots), maskedShare);
  // sum|r|/b + |z|^2/2 with residuals of mean size b, times b: mean(z^2)/2 weighs b times the length of z.
  const unit = absolute * setup.priorLength;
  let tried = 0;
  await climb(unit > 0 ? setup.priorStrengths : [0], async (strength) => {
    const begun = Math.min(0.75, 0.25 * tried++);
    const report = (share: number) => setup.report(0.9 * (begun + 0.25 * share), COMPARING);
    const prior = strength * unit;
    report(0);
    const { outlierGrey } = residualScale(await setup.restore({ ...unmasked, prior }, pilots), maskedShare);
    return isBetter({ strength, inversion: { thresholdGrey: outlierGrey, prior, steps, starts } }, report);
  });
}

/** Some of the unseen pictures, and the same with defects drawn on them: what settings are compared on. */
export function drawnSample({ unseen, form, seed, comparedOn }: CalibrationSetup): {
  /** Which of the unseen pictures they are. */
  readonly chosen: readonly number[];
  readonly good: readonly Image[];
  readonly drawn: readonly { readonly image: Image; readonly mask: Mask }[];
} {
  const chosen = evenly([...unseen.keys()], comparedOn);
  const good = squares(
    chosen.map((i) => unseen[i]),
    form === 'tiles' ? MAX_SIDE : undefined,
    seed,
  );
  return { chosen, good, drawn: withDefects(good, seed) };
}

function sampleOf(setup: CalibrationSetup): Sample {
  const { form } = setup;
  const { chosen, good, drawn } = drawnSample(setup);
  const side = Math.min(shapeOf(good[0]).height, shapeOf(good[0]).width);
  return {
    good,
    bad: drawn.map((one) => one.image),
    truth: drawn.map((one) => one.mask),
    pilots: evenly(good, MAX_PILOTS),
    folds: foldsOf(chosen.length, groupsOf(setup, chosen)),
    pixels: form === 'object' ? Math.max(1, side / 128) : 1,
  };
}

/** The selection after another way of inverting was tried: with the first one, all settings are; with others, the best so far. */
async function withVariant(
  setup: CalibrationSetup,
  { good, bad, truth, folds, pixels }: Sample,
  { strength, inversion }: Variant,
  before: Selection | undefined,
  report: (share: number) => void,
): Promise<Selection> {
  const { form, seen, comparedOn } = setup;
  const measure = comparer({
    good: await setup.restore(inversion, good, (share) => report(0.1 + 0.4 * share)),
    bad: await setup.restore(inversion, bad, (share) => report(0.5 + 0.4 * share)),
    truth,
    seen: await setup.restore(inversion, evenly(seen, comparedOn)),
    folds,
  });
  const trialOf = (one: Compared): Trial => ({ ...one, inversion, ...(strength === undefined ? {} : { strength }) });
  if (!before) {
    const found = searchCandidates(firstCandidate(form, pixels), form, pixels, measure);
    return { best: trialOf(found.best), compared: found.tried.map(trialOf) };
  }
  // What was best with another inversion is so with this one, or nearly.
  const other = trialOf(measure(before.best.candidate));
  const best = other.score > before.best.score + MIN_GAIN ? other : before.best;
  return { best, compared: [...before.compared, other] };
}

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
