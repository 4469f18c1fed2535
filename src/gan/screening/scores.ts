/** From maps of all pictures of a folder to how far each is from the ordinary ones. */
import { median } from '../../arrays/sort.ts';

/** What a screening in one space is given. */
export interface ScreeningJob {
  /** Positions of the maps along each side. */
  readonly grid: number;
  /** Rounds of finding masks and learning without what they hide. */
  readonly rounds: number;
  /** Rank above which a picture is suspect. */
  readonly limit: number;
  /** Called between pieces of work; may throw. */
  readonly beforePart: () => void;
  /** Called with the share that is done, 0 to 1. */
  readonly onShare: (share: number) => void;
}

/** Pictures are compared with those of the other parts; neighbours, which are often near-duplicates, are in the same one. */
const PARTS = 4;

/** Positions whose mean distance is a picture's score. */
const SCORED = 4;

/** The parts of a folder of `count` pictures, and the part of each. */
export function partsOf(count: number): { readonly parts: number; readonly partOf: (i: number) => number } {
  const parts = Math.min(PARTS, count);
  return { parts, partOf: (i) => Math.floor((i * parts) / count) };
}

/** Maps in units of the usual value at each position, half of it that of all positions: the median does not see the defects. */
export function inUsualUnits(maps: readonly Float32Array[]): Float32Array[] {
  const usual = maps[0].map((_, p) => median(maps.map((map) => map[p])));
  const common = median(usual);
  return maps.map((map) => map.map((v, p) => v / Math.max(0.5 * usual[p] + 0.5 * common, 1e-9)));
}

/** Mean of the largest values of a map. */
export function scoreOf(map: Float32Array): number {
  const largest = map.slice().sort().slice(-SCORED);
  return largest.reduce((sum, v) => sum + v, 0) / largest.length;
}

/**
 * Ranks of scores: by how many deviations of the ordinary pictures a log score is above theirs. The ordinary pictures are where the log
 * scores are densest: the shortest interval that holds half of them (the shorth, Andrews et al. 1972). Their deviation is that below its median, because
 * defective pictures lie above. All are 0 where nothing is below.
 */
export function ranked(scores: readonly number[]): number[] {
  const logs = scores.map((v) => Math.log(Math.max(v, 1e-9)));
  const sorted = [...logs].sort((a, b) => a - b);
  const half = (sorted.length + 1) >> 1;
  let first = 0;
  for (let i = 1; i + half < sorted.length; i++)
    if (sorted[i + half] - sorted[i] < sorted[first + half] - sorted[first]) first = i;
  const middle = median(sorted.slice(first, first + half + 1));
  const below = logs.flatMap((v) => (v < middle ? [middle - v] : []));
  // 1.4826: the deviation of a normal law in units of its median absolute deviation.
  const deviation = below.length > 0 ? 1.4826 * median(below) : 0;
  return logs.map((v) => (deviation > 0 ? (v - middle) / deviation : 0));
}
