/**
 * How odd a residual is where colour tells more than brightness. What a generator cannot make (hair, edges) is wrong in brightness
 * first; a stain is often wrong in colour alone, and its root mean square over the channels is then a small one.
 */
import { type Image, residualMap, shapeOf } from '../images/image.ts';
import { float32 } from '../onnx/tensor.ts';

/** The share of the picture's own scale of residuals in the scales that its colours and its brightness are measured by. */
const SHRINKAGE = 0.1;

/** So much of brightness counts at least: dark strips and white letters are corruption, too. */
const LEAST_BRIGHTNESS = 0.9;

/**
 * For a picture `x` and what was made of it, [1,C,H,W]: with m the mean of a pixel's residuals over its channels, and q^2 the mean square of
 * their deviations from it,
 *
 *     sqrt(h m^2 + g q^2),   h = t / (.9 b + .1 t) in [.9^2, 1],   g = t / (.9 k + .1 t) from 1 on
 *
 * where b and k are the mean squares of the coordinate of brightness and of a coordinate of colour, t of any, over the pixels whose root mean
 * square is at most `grossGrey` (Mahalanobis' distance, within limits). In units of [-1,1], [1,1,H,W]; the root mean square itself for
 * grey pictures.
 */
export function colourResidual(x: Image, y: Image, grossGrey: number): Image {
  const plain = residualMap(x, y);
  const { channels, height, width } = shapeOf(x);
  if (channels === 1) return plain;
  const plane = height * width;
  const brightness = new Float32Array(plane);
  for (let i = 0; i < channels * plane; i++) brightness[i % plane] += (x.data[i] - y.data[i]) / channels;
  let [any, mean] = [0, 0];
  plain.data.forEach((r, p) => {
    if (127.5 * r > grossGrey) return;
    any += r ** 2;
    mean += brightness[p] ** 2;
  });
  // A pixel's channels have C r^2 in all: C m^2 along brightness, the rest along C - 1 coordinates of colour.
  const gainOf = (own: number) => (any > 0 ? any / ((1 - SHRINKAGE) * own + SHRINKAGE * any) : 1);
  const h = Math.min(1, Math.max(LEAST_BRIGHTNESS ** 2, gainOf(channels * mean)));
  const g = Math.max(1, gainOf(((any - mean) * channels) / (channels - 1)));
  return float32(
    plain.data.map((r, p) => Math.sqrt(h * brightness[p] ** 2 + g * Math.max(0, r ** 2 - brightness[p] ** 2))),
    plain.dims,
  );
}
