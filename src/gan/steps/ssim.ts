/** Structural similarity (Wang et al. 2004) as a differentiable graph: at every pixel, for a loss and for a map. */
import { SSIM_CONSTANTS, SSIM_WINDOW } from '../../metrics/fidelity.ts';
import type { GraphBuilder, Value } from '../../onnx/builder.ts';

const RADIUS = (SSIM_WINDOW.length - 1) / 2;

/**
 * SSIM of x and y [N,C,height,width] in [-1,1] at every pixel, mean over the channels: [N,1,height,width]. Windows as
 * `ssim` of the metrics; at the border the picture is mirrored, so sides must be longer than the window's radius.
 */
export function emitSsim(b: GraphBuilder, x: Value, y: Value, dims: readonly [number, number, number]): Value {
  const [channels, height, width] = dims;
  const length = SSIM_WINDOW.length;
  const padded = (v: Value) =>
    b.node('Pad', [v, b.ints([0, 0, RADIUS, RADIUS, 0, 0, RADIUS, RADIUS])], { mode: 'reflect' })[0];
  const [p, q] = [padded(x), padded(y)];
  const planes = (v: Value) => b.Reshape(v, [-1, 1, height + 2 * RADIUS, width + 2 * RADIUS]);
  // One convolution along each axis for all five means.
  const all = b.Concat([p, q, b.Mul(p, p), b.Mul(q, q), b.Mul(p, q)], 1);
  const rows = b.Conv(planes(all), b.floats(SSIM_WINDOW, [1, 1, length, 1]));
  const means = b.Conv(rows, b.floats(SSIM_WINDOW, [1, 1, 1, length]));
  const [mx, my, xx, yy, xy] = b.Split(
    b.Reshape(means, [-1, 5 * channels, height, width]),
    Array.from({ length: 5 }, () => channels),
    1,
  );
  const [c1, c2] = [b.scalar(SSIM_CONSTANTS.c1), b.scalar(SSIM_CONSTANTS.c2)];
  const two = b.scalar(2);
  const product = b.Mul(mx, my);
  const squares = b.Add(b.Mul(mx, mx), b.Mul(my, my));
  const above = b.Mul(b.Add(b.Mul(two, product), c1), b.Add(b.Mul(two, b.Sub(xy, product)), c2));
  const below = b.Mul(b.Add(squares, c1), b.Add(b.Sub(b.Add(xx, yy), squares), c2));
  return b.ReduceMean(b.Div(above, below), [1]);
}
