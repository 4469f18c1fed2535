/**
 * The mask that is reported where a picture's own residuals set the threshold. During the search, M leaves out what is
 * thin or faint (it is soft, and coherent): so the search is safe. Once it has ended, the residuals themselves say what is
 * corrupted, as edges are found (hysteresis: Canny 1986): what is surely an outlier, and what is connected to it and no inlier. How much
 * it takes depends on the place: corruption comes together, so that a single outlier is more likely a detail that the
 * generator cannot make.
 */
import { connectedComponents } from '../../arrays/components.ts';
import { boxMean } from '../../arrays/filter.ts';
import {
  binaryMask,
  type Image,
  imageAt,
  type Mask,
  shapeOf,
  stackImages,
  unionOf,
  visibilityOf,
  zeroWhere,
} from '../../images/image.ts';
import { float32, float32Data, type Tensor, zeros } from '../../onnx/tensor.ts';
import { isAdaptive, type Method } from '../spec/method.ts';
import { isIndependent, valleyOf } from './independent.ts';
import { outlierThresholdsMeanAbsolute } from './noise.ts';
import { normalisedResidual } from './normalised-residual.ts';

/** Residuals (`normalisedResidual`, grey levels) from which a pixel is surely an outlier, and below which it is none. */
const SURE_GREY = 32;
const MIN_GREY = 20;

/** A pixel is surely an outlier from this multiple of the outlier threshold on. */
const SURE = 2;

/**
 * Factor of the outlier threshold where the share of outliers by it in the neighbourhood is smaller than this.
 * A line of one pixel's width fills a seventh of it.
 */
const ALONE = 1.5;
const TOGETHER = 0.13;
/** Half of the range is sure anywhere: stains would be lost on pictures far from the generator. */
const MAX_SURE_GREY = 128;

/** A pixel's neighbourhood is the square of this many pixels to each side. */
const NEIGHBOURHOOD = 3;
const SQUARE = 2 * NEIGHBOURHOOD + 1;
/** Of independent corruption of every second pixel, one pixel in two hundred thousand has this many corrupted neighbours. */
const SURROUNDED = 0.8;

export interface FoundMask {
  readonly mask: Mask;
  /**
   * What the squared loss's exact mask is at the least of the thresholds, or the share of the neighbours that are masked; 1 where
   * data is missing.
   */
  readonly softMask: Mask;
}

/**
 * Of a picture `x` and what was made of it, [1,C,H,W]; `missing` [1,1,H,W] says nothing of the rest, and is masked; `keep`
 * [1,1,H,W] is known to be good, and is not.
 *
 * Two units meet here. The threshold is measured on mean absolute residuals over the channels; what is compared with it are normalised
 * residuals, of the kind of a root mean square. Of a residual in one of C channels alone, the first is |r|/C and the second
 * |r|/sqrt(C); where all channels share it, both are |r|. So the threshold is up to sqrt(C) times stricter than it was measured, and
 * for grey pictures exact. The multiples in this file were chosen with that comparison: to convert would change masks.
 */
export function foundIn(x: Image, y: Image, missing?: Mask, keep?: Mask): FoundMask {
  const [meanAbsoluteGrey] = outlierThresholdsMeanAbsolute(x, y, missing);
  const found = foundMask(normalisedResidual(x, y, meanAbsoluteGrey, missing), meanAbsoluteGrey, missing);
  return { mask: zeroWhere(keep, found.mask), softMask: zeroWhere(keep, found.softMask) };
}

/**
 * `residual`: normalised (`normalisedResidual`, of the kind of a root mean square), [1,1,H,W] in units of [-1,1]; `meanAbsoluteGrey`:
 * the threshold of outliers, of mean absolute residuals (`outlierThresholdsMeanAbsolute`), in grey levels.
 */
export function foundMask(residual: Image, meanAbsoluteGrey: number, missing?: Mask): FoundMask {
  const seen = zeroWhere(missing, residual);
  const [least, sure] = [leastOf(meanAbsoluteGrey), sureOf(meanAbsoluteGrey)];
  const inside = sharesOf(visibilityOf(zeros('float32', seen.dims)));
  const valley = isIndependent(seen, sure, missing) ? valleyOf(seen, least, sure) : undefined;
  const outliers =
    valley === undefined
      ? connectedOnes(seen, meanAbsoluteGrey, missing ? sharesOf(visibilityOf(missing)) : inside)
      : binaryMask(seen, valley);
  const surely = float32(
    seen.data.map((r, i) => outliers.data[i] * squaredMask(r, least)),
    seen.dims,
  );
  const known = unionOf(outliers, missing);
  const around = float32(surroundedShares(known, inside), seen.dims);
  return {
    mask: unionOf(known, binaryMask(around, 0)),
    softMask: unionOf(unionOf(surely, missing), around),
  };
}

/** What is connected to sure outliers; both thresholds are larger where there are few in the neighbourhood. */
function connectedOnes(residual: Image, meanAbsoluteGrey: number, seenShares: Float32Array): Mask {
  const all = hysteresis(residual, leastOf(meanAbsoluteGrey), sureOf(meanAbsoluteGrey));
  const alone = hysteresis(residual, leastOf(ALONE * meanAbsoluteGrey), sureOf(ALONE * meanAbsoluteGrey));
  const near = sharesOf(alone);
  return float32(
    all.data.map((m, i) => (near[i] > TOGETHER * seenShares[i] ? m : alone.data[i])),
    residual.dims,
  );
}

function leastOf(meanAbsoluteGrey: number): number {
  return Math.max(MIN_GREY, meanAbsoluteGrey) / 127.5;
}

function sureOf(meanAbsoluteGrey: number): number {
  return Math.min(MAX_SURE_GREY, Math.max(SURE_GREY, SURE * meanAbsoluteGrey)) / 127.5;
}

/** 1 where a connected region of residuals above `least` reaches above `sure`. */
function hysteresis(residual: Image, least: number, sure: number): Mask {
  const { height, width } = shapeOf(residual);
  const { labels, count } = connectedComponents(
    residual.data.map((r) => (r > least ? 1 : 0)),
    height,
    width,
  );
  const isGross = new Uint8Array(count + 1);
  residual.data.forEach((r, i) => {
    if (r > sure) isGross[labels[i]] = 1;
  });
  return float32(
    residual.data.map((_, i) => isGross[labels[i]]),
    residual.dims,
  );
}

/** The share of each pixel's neighbourhood that is in the mask. */
function sharesOf(mask: Mask): Float32Array {
  return boxMean(mask, SQUARE).data;
}

/**
 * Corrupted values that happen to look right: for pixels that are not in the mask but of whose neighbours more than
 * `SURROUNDED` are (those found in this way counted), that share; 0 for all others.
 */
function surroundedShares(mask: Mask, inside: Float32Array): Float32Array {
  const filled = float32(mask.data.slice(), mask.dims);
  const shares = new Float32Array(mask.data.length);
  for (let changed = true; changed; ) {
    changed = false;
    const around = sharesOf(filled);
    for (let i = 0; i < shares.length; i++) {
      if (filled.data[i] > 0) continue;
      const share = around[i] / (inside[i] - 1 / SQUARE ** 2);
      if (share <= SURROUNDED) continue;
      shares[i] = share;
      changed = true;
    }
    shares.forEach((share, i) => {
      if (share > 0) filled.data[i] = 1;
    });
  }
  return shares;
}

/**
 * The masks [n,1,H,W] that the search of `method` has found for images `x` [n,C,H,W]: what the residuals of its `y` say, or M
 * itself where its threshold was given. Nothing of `keep` [n,1,H,W] is in them.
 */
export function foundMasks(method: Method, x: Tensor, y: Tensor, softMasks: Tensor, missing?: Mask, keep?: Mask): Mask {
  const [images, restored, soft] = [x, y, softMasks].map((tensor) => float32(float32Data(tensor), tensor.dims));
  if (!isAdaptive(method)) return zeroWhere(keep, binaryMask(soft));
  return stackImages(
    Array.from(
      { length: x.dims[0] },
      (_, i) =>
        foundIn(imageAt(images, i), imageAt(restored, i), missing && imageAt(missing, i), keep && imageAt(keep, i))
          .mask,
    ),
  );
}

/** The squared loss's exact mask at a residual r: it starts at the threshold t and tends to 1. */
export function squaredMask(r: number, t: number): number {
  return r > t ? 1 - (t / r) ** 2 : 0;
}
