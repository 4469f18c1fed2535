/**
 * The interpolation of Resize along one axis as a matrix [output, input]: the definitions of the operator's specification
 * (coordinate_transformation_mode, nearest_mode, cubic_coeff_a, exclude_outside, antialias), in the float32 arithmetic
 * with which ONNX Runtime computes coordinates, since nearest modes round them.
 */
import type { AxisMap } from './axis-maps.ts';

export interface ResizeSettings {
  readonly mode: 'nearest' | 'linear' | 'cubic';
  readonly coordinates: string;
  readonly nearest: string;
  readonly cubicCoefficient: number;
  readonly excludeOutside: boolean;
  readonly antialias: boolean;
}

export interface ResizeAxis {
  readonly axis: number;
  readonly input: number;
  readonly output: number;
  readonly scale: number;
  /** Start and end of the region of interest, as fractions of the axis (tf_crop_and_resize). */
  readonly region: readonly [number, number];
}

const f = Math.fround;

export function resizeMap(settings: ResizeSettings, axis: ResizeAxis): AxisMap {
  const { input, output } = axis;
  const weights = new Float32Array(output * input);
  for (let row = 0; row < output; row++) {
    const x = coordinate(settings.coordinates, axis, row);
    // Beyond the image tf_crop_and_resize writes a constant: nothing is read there.
    if (settings.coordinates === 'tf_crop_and_resize' && (x < 0 || x > input - 1)) continue;
    const taps = tapsAt(settings, axis, x);
    const total = taps.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [position, weight] of taps) {
      const column = Math.min(Math.max(position, 0), input - 1);
      weights[row * input + column] += weight / total;
    }
  }
  return { axis: axis.axis, rows: output, columns: input, weights };
}

/** Where output position `row` lies in the input. */
function coordinate(mode: string, { input, output, scale, region }: ResizeAxis, row: number): number {
  const halfPixel = f(f(f(row + 0.5) / scale) - 0.5);
  if (mode === 'align_corners') return output === 1 ? 0 : f(f(row * (input - 1)) / (output - 1));
  if (mode === 'asymmetric') return f(row / scale);
  if (mode === 'pytorch_half_pixel') return output > 1 ? halfPixel : 0;
  if (mode === 'half_pixel_symmetric') {
    const adjustment = f(output / f(scale * input));
    return f(f(f(input / 2) * f(1 - adjustment)) + halfPixel);
  }
  if (mode === 'tf_crop_and_resize') {
    const [start, end] = region;
    if (output === 1) return f(0.5 * (start + end) * (input - 1));
    return f(start * (input - 1) + (row * (end - start) * (input - 1)) / (output - 1));
  }
  return halfPixel;
}

/** The positions read (also beyond the image: those repeat its border) with their weights. */
function tapsAt(settings: ResizeSettings, { input, scale }: ResizeAxis, x: number): [number, number][] {
  if (settings.mode === 'nearest') return [[nearest(settings.nearest, x), 1]];
  const cubic = settings.mode === 'cubic';
  const stretch = settings.antialias ? Math.max(1, 1 / scale) : 1;
  const support = (cubic ? 2 : 1) * stretch;
  const at = settings.mode === 'linear' && !settings.antialias ? Math.min(Math.max(x, 0), input - 1) : x;
  const taps: [number, number][] = [];
  for (let position = Math.ceil(at - support); position <= Math.floor(at + support); position++) {
    if (settings.excludeOutside && (position < 0 || position >= input)) continue;
    const distance = Math.abs(position - at) / stretch;
    taps.push([position, cubic ? cubicWeight(distance, settings.cubicCoefficient) : Math.max(0, 1 - distance)]);
  }
  return taps;
}

function nearest(mode: string, x: number): number {
  if (mode === 'floor') return Math.floor(x);
  if (mode === 'ceil') return Math.ceil(x);
  if (mode === 'round_prefer_ceil') return Math.floor(f(x + 0.5));
  return Math.ceil(f(x - 0.5));
}

/** Keys' cubic convolution kernel with parameter a. */
function cubicWeight(d: number, a: number): number {
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return 0;
}
