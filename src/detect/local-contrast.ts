/**
 * Local contrast normalisation of anomaly maps. Where a picture has many edges that vary from one product to the next, residuals are
 * large in the whole neighbourhood. A raw map is therefore divided by the level that good pictures have at the same local activity
 *     s = sqrt(blur of the squared map over a wide neighbourhood).
 * The level f(s) is the root mean square of good maps at activity s, as a table over quantiles of s, interpolated linearly.
 */
import { quantile } from '../arrays/sort.ts';
import type { Image } from '../images/image.ts';
import { gaussianBlur } from '../images/resize.ts';
import type { PolicySettings } from './policy.ts';

/** Scale by activity, as stored in a policy. */
export type LocalContrast = NonNullable<PolicySettings['evidence']['surround']>;

const CLASSES = 12;
/** Pixels that the borders of the classes are estimated from. */
const SAMPLED = 2 ** 20;

/** Lower bound of the scale, so that in a calm neighbourhood a twentieth of the usual value does not count as an anomaly. */
const MIN_SCALE = 0.05;

/** The table, estimated from good maps [1,1,H,W]; `width` is the neighbourhood's sigma in pixels. */
export function localContrastOf(maps: readonly Image[], width: number): LocalContrast {
  const activities = maps.map((map) => activityOf(map, width));
  const every = Math.ceil(activities.reduce((sum, one) => sum + one.length, 0) / SAMPLED);
  const sorted = Float32Array.from(activities.flatMap((one) => [...one.filter((_, p) => p % every === 0)])).sort();
  const borders = Array.from({ length: CLASSES - 1 }, (_, i) => quantile(sorted, (i + 1) / CLASSES));
  const classes = Array.from({ length: CLASSES }, () => ({ count: 0, activity: 0, square: 0 }));
  activities.forEach((activity, n) => {
    activity.forEach((s, p) => {
      const place = borders.findIndex((border) => s <= border);
      const own = classes[place < 0 ? CLASSES - 1 : place];
      own.count++;
      own.activity += s;
      own.square += maps[n].data[p] ** 2;
    });
  });
  const filled = classes.filter((one) => one.count > 0);
  return {
    width,
    activity: filled.map((one) => one.activity / one.count),
    scale: filled.map((one) => Math.max(MIN_SCALE, Math.sqrt(one.square / one.count))),
  };
}

/** The map [1,1,H,W] divided by the scale at each pixel's activity. */
export function normaliseContrast(map: Image, contrast: LocalContrast): Image {
  const activity = activityOf(map, contrast.width);
  return { ...map, data: map.data.map((v, p) => v / scaleAt(contrast, activity[p])) };
}

function activityOf(map: Image, width: number): Float32Array {
  return gaussianBlur({ ...map, data: map.data.map((v) => v * v) }, width).data.map(Math.sqrt);
}

function scaleAt({ activity, scale }: LocalContrast, s: number): number {
  const last = activity.length - 1;
  const above = activity.findIndex((a) => a >= s);
  if (above === 0) return scale[0];
  // Beyond the last class the scale is extrapolated in proportion to the activity.
  if (above < 0) return (scale[last] * s) / Math.max(activity[last], 1e-6);
  const share = (s - activity[above - 1]) / Math.max(activity[above] - activity[above - 1], 1e-9);
  return scale[above - 1] + share * (scale[above] - scale[above - 1]);
}
