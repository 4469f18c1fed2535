/** How the first latents of a search are chosen: the best of a pool of random ones, by a distance of images. */

/** How a start's image is compared with the target. */
export type StartDistance =
  /** sum of squared residuals over the whole image (the reference) */
  | { readonly kind: 'l2' }
  | { readonly kind: 'l1' }
  /** robust: sum over pixels of min(sum over channels of |r|, limit), so that outliers count little */
  | { readonly kind: 'truncated'; readonly limit: number }
  /** the method's own loss, features included (DGP) */
  | { readonly kind: 'loss' };

/** An encoder's answer for a picture that may be corrupted: encoded again and again, with what is distrusted replaced. */
export interface EncodingRule {
  /** Times that the picture is encoded again; each costs one pass of both networks. Default 10: enough for the fit to settle. */
  readonly rounds: number;
  /** Residuals up to this many grey levels, mean absolute over the channels, are never distrusted. Default 25, a tenth of the range. */
  readonly trustedGrey: number;
}

export const ENCODING: EncodingRule = { rounds: 10, trustedGrey: 25 };

export interface StartRule {
  /** Number of random latents looked at. */
  readonly pool: number;
  /**
   * Bounds the pool of a generator whose pictures are costly: at most this share of what the steps cost, see `pool-size.ts`. Not
   * bounded if not given.
   */
  readonly maxShare?: number;
  readonly distance: StartDistance;
  /** Multiplies the drawn latents (DGP starts nearer the mean: 0.3); 1 if not given. */
  readonly scale?: number;
  readonly seed: number;
  /** How an encoder's answer is made, where there is an encoder; in place of the defaults. */
  readonly encoding?: Partial<EncodingRule>;
}
