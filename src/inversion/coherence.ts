/**
 * Corruption comes in regions: a pixel among masked ones is masked sooner, one among trusted ones later (an Ising model on
 * the mask, minimised by iterated conditional modes: Besag 1986). Where the neighbours disagree it is neutral: the cube below
 * keeps the chance of independent corruption out.
 */
import type { GraphBuilder, Value } from '../onnx/builder.ts';

/** The neighbourhood: a Gaussian of this deviation in pixels, without the pixel itself. */
const DEVIATION = 1;
const RADIUS = 2;

const SWEEPS = 3;
const REACH = 3;
const SURROUNDED = 0.25;
const LOST = 0.05;

/**
 * lambda of each pixel, [N,1,H,W], from the image's `lambda` [N,1,1,1]:
 *
 *     lambda_i = lambda (1 + coherence (2 k_i - 1)^3),   k_i = the share of i's neighbours that are kept
 *
 * `keepOf` gives the mask's minimiser 1-M for a lambda; a neighbour is kept where that is at least one half.
 */
export function coherentLambda(
  b: GraphBuilder,
  lambda: Value,
  coherence: number,
  [, , height, width]: readonly number[],
  keepOf: (lambda: Value) => Value,
): Value {
  const size = 2 * RADIUS + 1;
  const bell = Array.from({ length: size }, (_, i) => Math.exp(-0.5 * ((i - RADIUS) / DEVIATION) ** 2));
  const kernel = bell.flatMap((row, i) => bell.map((column, j) => (i === RADIUS && j === RADIUS ? 0 : row * column)));
  const weights = b.floats(kernel, [1, 1, size, size]);
  const square = 2 * REACH + 1;
  const ones = b.floats(new Float32Array(square ** 2).fill(1), [1, 1, square, square]);
  const convolved = (value: Value, kernel: Value, radius: number) =>
    b.Conv(value, kernel, undefined, { pads: [radius, radius, radius, radius] });
  const everywhere = b.floats(new Float32Array(height * width).fill(1), [1, 1, height, width]);
  const around = (value: Value) => b.Div(convolved(value, weights, RADIUS), convolved(everywhere, weights, RADIUS));
  const wide = (value: Value) => b.Div(convolved(value, ones, REACH), convolved(everywhere, ones, REACH));
  let own = lambda;
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const kept = b.Cast(b.GreaterOrEqual(keepOf(own), b.scalar(0.5)), 'float32');
    // -1 among masked pixels, 1 among kept ones
    const side = b.Sub(b.Mul(around(kept), b.scalar(2)), b.scalar(1));
    const agreed = b.Mul(b.Mul(side, side), side);
    const near = b.Mul(lambda, b.Add(b.Mul(agreed, b.scalar(coherence)), b.scalar(1)));
    const lost = b.Less(wide(kept), b.scalar(SURROUNDED));
    own = b.Mul(near, b.Where(lost, b.scalar(LOST), b.scalar(1)));
  }
  return own;
}
