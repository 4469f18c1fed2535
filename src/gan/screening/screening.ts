/**
 * Which pictures of a folder that need not be clean look defective. Each is compared with the others in two spaces, feature maps and pixels, both
 * learnt robustly. In each space it has a rank, in deviations of the ordinary pictures above theirs, and the larger of the two is what counts:
 * a defect need not show in both.
 */
import type { FeatureNetwork } from '../../features/network.ts';
import type { Image } from '../../images/image.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { featureScores, SCREENING_GRID } from './features.ts';
import { pixelScores } from './pixels.ts';
import { ranked } from './scores.ts';

/** What a screening is made with; the defaults of `grid`, `rounds` and `limit` were chosen on BSData (docs/figures.md). */
export interface ScreeningOptions {
  /** Positions of the feature maps along each side; default 16. */
  readonly grid?: number;
  /** Rounds of finding masks in the feature maps and learning without what they hide; default 4. */
  readonly rounds?: number;
  /** Pixels along each side of the pictures that are compared in pixels, at most; default 64. */
  readonly pixelGrid?: number;
  /** The same rounds in pixels; 0: only features are compared. Default 2. */
  readonly pixelRounds?: number;
  /** A picture is suspect whose log score is this many deviations of the ordinary ones above theirs; default 4. */
  readonly limit?: number;
}

/** What a screening reports to, and what stops it. */
export interface ScreeningHooks {
  readonly onProgress?: (share: number) => void;
  readonly signal?: AbortSignal;
}

/** What was found of each picture, in their order. */
export interface Screening {
  /** Deviations of the ordinary pictures above theirs, in the space where they are more; about -2 to 3 of ordinary pictures. */
  readonly scores: readonly number[];
  /** Above this score pictures are suspect. */
  readonly limit: number;
  readonly suspects: readonly boolean[];
  /** The scores in feature maps alone. */
  readonly byFeatures: readonly number[];
  /** The same in pixels; absent where these were not compared. */
  readonly byPixels?: readonly number[];
}

const DEFAULTS = { grid: SCREENING_GRID, rounds: 4, pixelGrid: 64, pixelRounds: 2, limit: 4 } as const;

/**
 * Screens pictures [1,C,H,W] in [-1,1] of one size, C being 1 or 3. A quarter of a folder and more may be defective, as long as
 * the ordinary pictures are alike. Throws the signal's reason when that is aborted.
 */
export async function screenPictures(
  images: readonly Image[],
  network: FeatureNetwork,
  runtime: Runtime,
  options: ScreeningOptions = {},
  { onProgress, signal }: ScreeningHooks = {},
): Promise<Screening> {
  const { grid, rounds, pixelGrid, pixelRounds, limit } = { ...DEFAULTS, ...options };
  const job = { limit, beforePart: () => signal?.throwIfAborted() };
  const both = pixelRounds > 0;
  const part = both ? 0.5 : 1;
  const onShare = (share: number) => onProgress?.(part * share);
  const byFeatures = ranked(await featureScores(images, network, runtime, { ...job, grid, rounds, onShare }));
  if (!both) return { ...judged(byFeatures, limit), byFeatures };
  const inPixels = {
    ...job,
    grid: pixelGrid,
    rounds: pixelRounds,
    onShare: (share: number) => onProgress?.(part * (1 + share)),
  };
  const byPixels = ranked(await pixelScores(images, runtime, inPixels));
  const larger = byFeatures.map((rank, i) => Math.max(rank, byPixels[i]));
  return { ...judged(larger, limit), byFeatures, byPixels };
}

function judged(scores: readonly number[], limit: number): Pick<Screening, 'scores' | 'limit' | 'suspects'> {
  return { scores, limit, suspects: scores.map((v) => v > limit) };
}
