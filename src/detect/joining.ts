/**
 * Joins the maps of two spaces, pixels a and features b:
 *     a / u + b / v.
 * Mahalanobis distances are roots of log-likelihoods up to constants; each is measured in units of its own good pictures, so that
 * neither outweighs the other because it is noisier. Features count for more: pixels of new good pictures exceed the limits of the earlier ones
 * by more than features do.
 */
import { quantile } from '../arrays/sort.ts';
import { RgiError } from '../errors.ts';
import type { Image } from '../images/image.ts';
import { imageScore } from './defects.ts';
import type { Policy, PolicySettings } from './policy.ts';

export type JoinUnits = NonNullable<PolicySettings['features']>['units'];

/** Which of the two maps a policy uses. */
export type Spaces = 'pixels' | 'features' | 'both';

/** The weight of features in the sum, when both maps are measured in units of their limits; pixels have the rest. */
const FEATURE_SHARE = 0.7;

/** The share of good pictures whose largest value lies below a space's limit. */
const LIMIT = 0.95;

/** The joined map; a space of unit 0 is left out. */
export function joinedMap(pixels: Image, features: Image, units: JoinUnits): Image {
  const [p, f] = [units.pixels, units.features].map((unit) => (unit > 0 ? 1 / unit : 0));
  return { ...pixels, data: pixels.data.map((v, i) => p * v + f * features.data[i]) };
}

/**
 * A policy whose map is that of one of its spaces, for comparison: as it stands otherwise, but for the picture as a whole. Its thresholds are
 * those of both, and say little of one. Throws `usage` where it compares pixels alone.
 */
export function inOneSpace(policy: Policy, space: 'pixels' | 'features'): Policy {
  const { features, appearance: _, ...rest } = policy;
  const unit = features?.units[space];
  if (!features || !unit)
    throw new RgiError(
      'usage',
      `The policy '${policy.name}' has no map of ${space} beside another: leave spaces= out.`,
    );
  return { ...rest, features: { ...features, units: { pixels: 0, features: 0, [space]: unit } } };
}

/**
 * Units of good pictures' maps: in proportion to the value that the highest of one good picture in twenty exceeds, and such that the joined
 * map of good pictures is 1 on average.
 */
export function joinUnits(pixels: readonly Image[], features: readonly Image[], spaces: Spaces): JoinUnits {
  const limitOf = (maps: readonly Image[]) =>
    Math.max(1e-6, quantile(Float32Array.from(maps, ({ data }) => imageScore(data, 1)).sort(), LIMIT));
  const limits = {
    pixels: spaces === 'features' ? 0 : limitOf(pixels) / (1 - FEATURE_SHARE),
    features: spaces === 'pixels' ? 0 : limitOf(features) / FEATURE_SHARE,
  };
  const joined = pixels.map((map, i) => joinedMap(map, features[i], limits));
  const mean = joined.reduce((sum, { data }) => sum + data.reduce((s, v) => s + v, 0) / data.length, 0) / joined.length;
  return { pixels: limits.pixels * mean, features: limits.features * mean };
}
