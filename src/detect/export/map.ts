/** The anomaly map in a graph: what `scoring.ts`, `local-contrast.ts`, `feature-space.ts` and `joining.ts` compute, from the policy's own fields. */
import { appendExtraction } from '../../features/extraction.ts';
import { appendDistances } from '../../features/gaussian.ts';
import type { FeatureNetwork } from '../../features/network.ts';
import type { Size } from '../../images/image.ts';
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import { float32 } from '../../onnx/tensor.ts';
import type { LocalContrast } from '../local-contrast.ts';
import type { Policy, Statistics } from '../policy.ts';
import { emitBlur, emitRepeatedResize, emitResize } from './matrices.ts';

/** Of pictures and their restorations [N,C,H,W] the map [N,1,H,W]. `network`: the policy's, where it compares features. */
export function emitMap(
  b: GraphBuilder,
  image: Value,
  restored: Value,
  policy: Policy,
  network: FeatureNetwork | undefined,
  size: Size,
): Value {
  const { evidence, statistics, features } = policy;
  const uses = (unit: number | undefined): unit is number => unit !== undefined && unit > 0;
  const pixels = () => {
    const residual = emitBlur(b, b.Sub(image, restored), size, evidence.blur);
    const raw = emitDistance(b, residual, statistics);
    const even = evidence.surround ? emitLocalContrast(b, raw, size, evidence.surround) : raw;
    return emitBlur(b, even, size, evidence.smoothing);
  };
  if (!features || !statistics.features || !network) return pixels();
  const { units, smoothing } = features;
  const distances = () => {
    const gaussian = statistics.features!;
    const picture = { ...size, channels: statistics.location.dims[1] };
    const found = appendExtraction(b, network, picture, gaussian.grid, image, emitRepeatedResize);
    const grid = { height: gaussian.grid, width: gaussian.grid };
    return emitBlur(b, emitResize(b, appendDistances(b, gaussian, found), grid, size), size, smoothing);
  };
  const parts = [
    ...(uses(units.pixels) ? [b.Mul(pixels(), b.scalar(1 / units.pixels))] : []),
    ...(uses(units.features) ? [b.Mul(distances(), b.scalar(1 / units.features))] : []),
  ];
  return parts.reduce((sum, part) => b.Add(sum, part));
}

/** |W (r - m)| / sqrt(C) per pixel (`standardised`): [N,1,H,W]. */
function emitDistance(b: GraphBuilder, residual: Value, { location, whitening }: Statistics): Value {
  const [, channels, height, width] = location.dims;
  const centred = b.Sub(residual, b.constant(location, 'location'));
  const each = channels === 1 ? [centred] : b.Split(centred, new Array<number>(channels).fill(1), 1);
  const plane = height * width;
  const weight = (pair: number) =>
    b.constant(float32(whitening.data.subarray(pair * plane, (pair + 1) * plane), [1, 1, height, width]), 'whitening');
  const sum = (values: readonly Value[]) => values.reduce((total, value) => b.Add(total, value));
  const squares = each.map((_, c) => {
    const white = sum(each.slice(0, c + 1).map((value, k) => b.Mul(weight((c * (c + 1)) / 2 + k), value)));
    return b.Mul(white, white);
  });
  return b.Sqrt(b.Mul(sum(squares), b.scalar(1 / channels)));
}

/** `normaliseContrast`: the level's table as a sum of ramps, one for each interval between activities. */
function emitLocalContrast(b: GraphBuilder, map: Value, size: Size, contrast: LocalContrast): Value {
  const { activity, scale, width } = contrast;
  const s = b.Sqrt(emitBlur(b, b.Mul(map, map), size, width));
  const last = activity.length - 1;
  let level = b.scalar(scale[0]);
  for (let i = 0; i <= last; i++) {
    // Beyond the last class the scale is extrapolated in proportion to the activity.
    const length = i < last ? Math.max(activity[i + 1] - activity[i], 1e-9) : Number.POSITIVE_INFINITY;
    const slope = i < last ? (scale[i + 1] - scale[i]) / length : scale[last] / Math.max(activity[last], 1e-6);
    const above = b.Max(b.Sub(s, b.scalar(activity[i])), b.scalar(0));
    level = b.Add(level, b.Mul(i < last ? b.Min(above, b.scalar(length)) : above, b.scalar(slope)));
  }
  return b.Div(map, level);
}
