/** Ways of examining that calibration chooses among, by how well they find drawn defects. */
import { type Image, type Mask, shapeOf } from '../images/image.ts';
import { aupro } from '../metrics/aupro.ts';
import { auroc, averagePrecision } from '../metrics/ranking.ts';
import { imageScore } from './defects.ts';
import { finishedMap } from './evidence.ts';
import { crossFitted, type Restored, residualsOf } from './folds.ts';
import type { InversionSettings } from './inverter.ts';
import { surroundOf } from './surround.ts';

export interface Candidate {
  /** Statistics of each pixel, or of all alike. */
  readonly perPixel: boolean;
  /** Pixels (sigma), before and after residuals are compared with those of good pictures. */
  readonly blur: number;
  readonly smoothing: number;
  /** Sigma of the surroundings that a place is compared with; 0 for none. */
  readonly surround: number;
}

export interface Measured {
  readonly pixelAp: number;
  readonly aupro: number;
  readonly imageAuroc: number;
}

export interface Compared {
  readonly candidate: Candidate;
  readonly measured: Measured;
  /** The mean of what was measured. */
  readonly score: number;
  readonly strength: number;
  readonly inversion: InversionSettings;
}

const BLURS = [0.7, 1.4];
const SMOOTHINGS = [0, 1.5];
const SURROUNDS = [0, 8];

/** `unit`: pixels that stand for one of a picture of 128. A texture has no fixed places: its pixels are all alike. */
export function candidatesOf(form: 'object' | 'tiles', unit: number): Candidate[] {
  return (form === 'object' ? [true, false] : [false]).flatMap((perPixel) =>
    BLURS.flatMap((blur) =>
      SMOOTHINGS.flatMap((smoothing) =>
        SURROUNDS.map((surround) => ({
          perPixel,
          blur: blur * unit,
          smoothing: smoothing * unit,
          surround: surround * unit,
        })),
      ),
    ),
  );
}

export interface Comparison {
  /** Unseen pictures, and those with defects drawn on them; all of one size. */
  readonly good: readonly Restored[];
  readonly bad: readonly Restored[];
  readonly truth: readonly Mask[];
  /** Pictures that the generator has learnt from, for statistics per pixel. */
  readonly seen: readonly Restored[];
  readonly folds: readonly number[];
}

/** How well each candidate finds the drawn defects. */
export function compare(
  candidates: readonly Candidate[],
  { good, bad, truth, seen, folds }: Comparison,
): Pick<Compared, 'candidate' | 'measured' | 'score'>[] {
  const { height, width } = shapeOf(good[0].image);
  const labels = joined(truth);
  const raw = new Map<string, [Image[], Image[]]>();
  return candidates.map((candidate) => {
    const { blur, perPixel, smoothing, surround } = candidate;
    const key = `${blur} ${perPixel}`;
    let maps = raw.get(key);
    if (!maps) {
      const unseen = residualsOf(good, blur);
      const mapsOf = crossFitted({ unseen, seen: residualsOf(seen, blur), folds }, perPixel);
      maps = [mapsOf(unseen), mapsOf(residualsOf(bad, blur))];
      raw.set(key, maps);
    }
    const evidence = { smoothing, ...(surround > 0 ? { surround: surroundOf(maps[0], surround) } : {}) };
    const [clean, defective] = maps.map((list) => list.map((map) => finishedMap(map, evidence)));
    const scores = joined(defective);
    const measured = {
      pixelAp: averagePrecision(labels, scores),
      aupro: aupro(labels, scores, height, width),
      imageAuroc: auroc(
        [...clean.map(() => 0), ...defective.map(() => 1)],
        [...clean, ...defective].map((map) => imageScore(map.data)),
      ),
    };
    const score = (measured.pixelAp + measured.aupro + measured.imageAuroc) / 3;
    return { candidate, measured, score };
  });
}

function joined(maps: readonly Image[]): Float32Array {
  const all = new Float32Array(maps.reduce((sum, map) => sum + map.data.length, 0));
  let offset = 0;
  for (const { data } of maps) {
    all.set(data, offset);
    offset += data.length;
  }
  return all;
}
