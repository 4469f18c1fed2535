/**
 * Corruption comes in regions: a pixel among masked ones is masked sooner, one among trusted ones later (an Ising model on
 * the mask, minimised by iterated conditional modes: Besag 1986). Where the neighbours disagree it is neutral: the cube below
 * keeps the chance of independent corruption out. A pixel in the midst of masked ones is masked unless it fits almost exactly: in
 * a corrupted region some values look right by chance.
 */
import type { GraphBuilder, Value } from '../../onnx/builder.ts';

/** The neighbourhood: a Gaussian of this deviation in pixels, without the pixel itself. */
const DEVIATION = 1;
const RADIUS = 2;

/**
 * Where of a square of `REACH` pixels to each side less than `MIN_KEPT` is kept, lambda is `LOST` times as large. Of independent
 * corruption of every second pixel, one square in seven thousand is like that.
 */
const REACH = 3;
const MIN_KEPT = 0.25;
const LOST = 0.05;

const SWEEPS = 3;

/**
 * lambda of each pixel, [N,1,H,W], from the image's `lambda` [N,1,1,1]:
 *
 *     lambda_i = lambda (1 + coherence (2 k_i - 1)^3),   k_i = the share of i's neighbours that are kept
 *
 * times `LOST` amid masked pixels.
 * `visibilityOf` gives the mask's minimiser 1-M for a lambda; a neighbour is kept where that is at least one half.
 */
export function coherentLambda(
  b: GraphBuilder,
  lambda: Value,
  coherence: number,
  [, , height, width]: readonly number[],
  visibilityOf: (lambda: Value) => Value,
): Value {
  const size = 2 * RADIUS + 1;
  const bell = Array.from({ length: size }, (_, i) => Math.exp(-0.5 * ((i - RADIUS) / DEVIATION) ** 2));
  const kernel = bell.flatMap((row, i) => bell.map((column, j) => (i === RADIUS && j === RADIUS ? 0 : row * column)));
  const neighbours = shareOf(b, kernel, RADIUS, height, width);
  const isLost = amidMasked(b, height, width);
  let own = lambda;
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const kept = b.Cast(b.GreaterOrEqual(visibilityOf(own), b.scalar(0.5)), 'float32');
    // -1 among masked pixels, 1 among kept ones
    const side = b.Sub(b.Mul(neighbours(kept), b.scalar(2)), b.scalar(1));
    const agreed = b.Mul(b.Mul(side, side), side);
    const near = b.Mul(lambda, b.Add(b.Mul(agreed, b.scalar(coherence)), b.scalar(1)));
    own = b.Mul(near, b.Where(isLost(kept), b.scalar(LOST), b.scalar(1)));
  }
  return own;
}

/** Where less than `MIN_KEPT` of the square about a pixel is kept: [N,1,H,W], bool, of what is kept (1 or 0). */
export function amidMasked(b: GraphBuilder, height: number, width: number): (kept: Value) => Value {
  const share = shareOf(b, new Float32Array((2 * REACH + 1) ** 2).fill(1), REACH, height, width);
  return (kept) => b.Less(share(kept), b.scalar(MIN_KEPT));
}

/** The weighted share of a square window around each pixel, as far as it is inside the picture. */
function shareOf(b: GraphBuilder, window: ArrayLike<number>, radius: number, height: number, width: number) {
  const side = 2 * radius + 1;
  const weights = b.floats(window, [1, 1, side, side]);
  const sum = (of: Value) => b.Conv(of, weights, undefined, { pads: [radius, radius, radius, radius] });
  const all = sum(b.floats(new Float32Array(height * width).fill(1), [1, 1, height, width]));
  return (value: Value) => b.Div(sum(value), all);
}
