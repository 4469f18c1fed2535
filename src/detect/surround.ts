/**
 * Some places are harder to restore than others: where there are many edges at places of their own, residuals are large all
 * around. So a raw map is divided by what good pictures show where its surroundings are as busy: with the activity
 *     s = sqrt(blur of the squared map over a wide neighbourhood),
 * the scale f(s) is the root mean square of good maps at such places, as a table over quantiles of s, linear between them.
 */
import { quantile } from '../arrays/sort.ts';
import type { Image } from '../images/image.ts';
import { gaussianBlur } from '../images/resize.ts';
import type { PolicySettings } from './policy.ts';

export type Surround = NonNullable<PolicySettings['evidence']['surround']>;

const CLASSES = 12;
/** Places that the borders of the classes are found on. */
const SAMPLED = 2 ** 20;

/** No place is so calm that a map's value of a twentieth of the usual counts. */
const MIN_SCALE = 0.05;

/** The table of good maps [1,1,H,W]; `width` is the neighbourhood's sigma in pixels. */
export function surroundOf(maps: readonly Image[], width: number): Surround {
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

/** The map divided by the scale of its places. */
export function againstSurround(map: Image, surround: Surround): Image {
  const activity = activityOf(map, surround.width);
  return { ...map, data: map.data.map((v, p) => v / scaleAt(surround, activity[p])) };
}

function activityOf(map: Image, width: number): Float32Array {
  return gaussianBlur({ ...map, data: map.data.map((v) => v * v) }, width).data.map(Math.sqrt);
}

function scaleAt({ activity, scale }: Surround, s: number): number {
  const last = activity.length - 1;
  const above = activity.findIndex((a) => a >= s);
  if (above === 0) return scale[0];
  // Busier than any class: as much busier, as much larger residuals are expected.
  if (above < 0) return (scale[last] * s) / Math.max(activity[last], 1e-6);
  const share = (s - activity[above - 1]) / Math.max(activity[above] - activity[above - 1], 1e-9);
  return scale[above - 1] + share * (scale[above] - scale[above - 1]);
}
