/**
 * Residuals normalised by what a generator cannot make: of hair and edges it is wrong in brightness first, and by as much as a
 * displacement of a pixel would be. A stain is often wrong in colour alone, and its root mean square over the channels is then a small one.
 */
import { neighbourRanges } from '../../arrays/filter.ts';
import { type Image, type Mask, residualMap, shapeOf } from '../../images/image.ts';
import { float32 } from '../../onnx/tensor.ts';

/** The share of the picture's own scale of residuals in the scales that its colours and its brightness are measured by. */
const SHRINKAGE = 0.1;

/** Share of a residual in brightness that is discounted where it lies between the brightnesses generated for the pixel's neighbours. */
const FORGIVEN = 0.5;

/**
 * For a picture `x` and what was made of it, [1,C,H,W]: with m the mean of a pixel's residuals over its channels, m' what of it is not
 * forgiven, and q^2 the mean square of their deviations from m,
 *
 *     sqrt(h m'^2 + g q^2),   h = t / (.9 b + .1 t) up to 1,   g = t / (.9 k + .1 t) from 1 on
 *
 * where b and k are the mean squares of the coordinate of brightness and of a coordinate of colour, t of any, over the pixels whose
 * root mean square is at most `meanAbsoluteGrey` (a threshold of mean absolute residuals, which is taken as it is), without those that are `missing` (Mahalanobis' distance, within limits). In units of
 * [-1,1], [1,1,H,W]; |m'| for grey pictures.
 */
export function normalisedResidual(x: Image, y: Image, meanAbsoluteGrey: number, missing?: Mask): Image {
  const { channels } = shapeOf(x);
  const [light, made] = [brightnessOf(x), brightnessOf(y)];
  const normalised = unforgiven(light, made);
  if (channels === 1) return normalised;
  const plain = residualMap(x, y);
  const squared = plain.data.map((_, p) => (light.data[p] - made.data[p]) ** 2);
  let [any, mean] = [0, 0];
  plain.data.forEach((r, p) => {
    if (127.5 * r > meanAbsoluteGrey || missing?.data[p] === 1) return;
    any += r ** 2;
    mean += squared[p];
  });
  // A pixel's channels have C r^2 in all: C m^2 along brightness, the rest along C - 1 coordinates of colour.
  const gainOf = (own: number) => (any > 0 ? any / ((1 - SHRINKAGE) * own + SHRINKAGE * any) : 1);
  const h = Math.min(1, gainOf(channels * mean));
  const g = Math.max(1, gainOf(((any - mean) * channels) / (channels - 1)));
  return float32(
    plain.data.map((r, p) => Math.sqrt(h * normalised.data[p] ** 2 + g * Math.max(0, r ** 2 - squared[p]))),
    plain.dims,
  );
}

/** Mean over the channels, [1,1,H,W]. */
function brightnessOf(image: Image): Image {
  const { channels, height, width } = shapeOf(image);
  const plane = height * width;
  const mean = new Float32Array(plane);
  for (let i = 0; i < channels * plane; i++) mean[i % plane] += image.data[i] / channels;
  return float32(mean, [1, 1, height, width]);
}

/** |x - y| but for `FORGIVEN` of what is between the values of y in a square of 3 x 3. */
function unforgiven(x: Image, y: Image): Image {
  const { height, width } = shapeOf(x);
  const { least, most } = neighbourRanges(y.data, height, width);
  return float32(
    x.data.map((value, p) => {
      const beyond = Math.max(0, least[p] - value, value - most[p]);
      return FORGIVEN * beyond + (1 - FORGIVEN) * Math.abs(value - y.data[p]);
    }),
    x.dims,
  );
}
