/** Inspection settings among which calibration chooses, by how well they find drawn defects. */

import { type Image, type Mask, shapeOf } from '../images/image.ts';
import { aupro } from '../metrics/aupro.ts';
import { auroc, averagePrecision } from '../metrics/ranking.ts';
import { concatenated } from '../onnx/concatenate.ts';
import { meanOfLast } from './defects.ts';
import { crossFitted, type Restored, residualsOf } from './folds.ts';
import { localContrastOf } from './local-contrast.ts';
import { finishedMap } from './scoring.ts';

/** Lengths are in pixels. */
export interface Candidate {
  /** Statistics per pixel, or pooled over all pixels. */
  readonly perPixel: boolean;
  /** Widths (sigma) by which residuals are smoothed before they are compared with good ones, and the map afterwards. */
  readonly blur: number;
  readonly smoothing: number;
  /** Width (sigma) of the neighbourhood of the local contrast; 0: not normalised. */
  readonly contrastWidth: number;
}

export interface Measured {
  readonly pixelAp: number;
  readonly aupro: number;
  readonly imageAuroc: number;
}

export interface Compared {
  readonly candidate: Candidate;
  readonly measured: Measured;
  /** The number of pixels whose mean separates good from defective pictures best (`imageScore`). */
  readonly scorePixels: number;
  /** The mean of what was measured. */
  readonly score: number;
}

export interface Comparison {
  /** Unseen pictures, and those with defects drawn on them; all of one size. */
  readonly good: readonly Restored[];
  readonly bad: readonly Restored[];
  readonly truth: readonly Mask[];
  /** Pictures that the generator was trained on, for statistics per pixel. */
  readonly seen: readonly Restored[];
  readonly folds: readonly number[];
}

/** Where the search begins. A texture has no fixed places: its pixels are all alike. `unit`: pixels for one of 128. */
export function firstCandidate(form: 'object' | 'tiles', unit: number): Candidate {
  return { perPixel: form === 'object', blur: 0.7 * unit, smoothing: 1.5 * unit, contrastWidth: 0 };
}

/** Values of each property, tried one property after the other, the others being the best so far. */
function axes(form: 'object' | 'tiles', unit: number): Partial<Candidate>[][] {
  const smoothing = [0, 1.5, 3].map((v) => ({ smoothing: v * unit }));
  return [
    smoothing,
    form === 'object' ? [{ perPixel: true }, { perPixel: false }] : [],
    [0, 8, 24].map((v) => ({ contrastWidth: v * unit })),
    [0.7, 1.4].map((v) => ({ blur: v * unit })),
    smoothing,
  ];
}

/** Smallest gain in score that counts: less is chance, with a few dozen pictures. */
export const MIN_GAIN = 0.015;

/** From a first candidate to the best one that changes of single properties lead to, and all that were tried. */
export function searchCandidates(
  first: Candidate,
  form: 'object' | 'tiles',
  unit: number,
  measure: (candidate: Candidate) => Compared,
): { best: Compared; tried: Compared[] } {
  const tried = new Map<string, Compared>();
  const look = (candidate: Candidate): Compared => {
    const key = JSON.stringify(candidate);
    const found = tried.get(key) ?? measure(candidate);
    tried.set(key, found);
    return found;
  };
  let best = look(first);
  for (const values of axes(form, unit)) {
    for (const value of values) {
      const other = look({ ...best.candidate, ...value });
      if (other.score > best.score + MIN_GAIN) best = other;
    }
  }
  return { best, tried: [...tried.values()] };
}

/** How well a candidate finds the drawn defects; what several of them need is made once. */
export function comparer({ good, bad, truth, seen, folds }: Comparison): (candidate: Candidate) => Compared {
  const labels = joined(truth);
  let latest: { key: string; raw: [Image[], Image[]] } | undefined;
  const rawMaps = ({ blur, perPixel }: Candidate): [Image[], Image[]] => {
    const key = `${blur} ${perPixel}`;
    if (latest?.key === key) return latest.raw;
    const residuals = (pictures: readonly Restored[]) => residualsOf(pictures, blur);
    const unseen = residuals(good);
    const mapsOf = crossFitted({ unseen, seen: perPixel ? residuals(seen) : [], folds }, perPixel);
    latest = { key, raw: [mapsOf(unseen), mapsOf(residuals(bad))] };
    return latest.raw;
  };
  return (candidate) => {
    const raw = rawMaps(candidate);
    const { smoothing, contrastWidth } = candidate;
    const scoring = { smoothing, ...(contrastWidth > 0 ? { surround: localContrastOf(raw[0], contrastWidth) } : {}) };
    const [clean, defective] = raw.map((list) => list.map((map) => finishedMap(map, scoring)));
    return { candidate, ...measuredMaps(clean, defective, labels) };
  };
}

/** How well maps tell defective pictures from good ones, and their pixels by the true masks (`labels`, one picture after the other). */
export function measuredMaps(
  clean: readonly Image[],
  defective: readonly Image[],
  labels: Float32Array,
): Pick<Compared, 'measured' | 'scorePixels' | 'score'> {
  const { height, width } = shapeOf(defective[0]);
  const scores = joined(defective);
  const { scorePixels, imageAuroc } = bestScore(clean, defective);
  const measured = {
    pixelAp: averagePrecision(labels, scores),
    aupro: aupro(labels, scores, height, width),
    imageAuroc,
  };
  return { measured, scorePixels, score: (measured.pixelAp + measured.aupro + measured.imageAuroc) / 3 };
}

/** Shares of a picture's pixels whose mean may be its score; one pixel alone, where others are not clearly better. */
const SCORE_SHARES = [0, 0.001, 0.005, 0.02];
const MIN_SCORE_GAIN = 0.01;

function bestScore(clean: readonly Image[], defective: readonly Image[]): { scorePixels: number; imageAuroc: number } {
  const labels = [...clean.map(() => 0), ...defective.map(() => 1)];
  const sorted = [...clean, ...defective].map((map) => map.data.slice().sort());
  const tried = SCORE_SHARES.map((share) => {
    const scorePixels = Math.max(1, Math.round(share * sorted[0].length));
    const scores = sorted.map((map) => meanOfLast(map, scorePixels));
    return { scorePixels, imageAuroc: auroc(labels, scores) };
  });
  return tried.reduce((best, other) => (other.imageAuroc > best.imageAuroc + MIN_SCORE_GAIN ? other : best));
}

/** The values of several maps, one after the other. */
export function joined(maps: readonly Image[]): Float32Array {
  return concatenated(maps.map(({ data }) => data));
}
