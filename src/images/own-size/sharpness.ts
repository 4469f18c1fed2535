/**
 * The finest detail of what a generator made, brought to the contrast that the picture has there. Only detail that both have counts, so that
 * nothing is invented.
 */
import { type Image, type Mask, shapeOf } from '../image.ts';
import { gaussianBlur } from '../resize.ts';

/** Detail finer than this many pixels. */
const WIDTH = 1;
const MAX_GAIN = 2;

/**
 * `made` [1,C,H,W] with its finest detail multiplied by the least-squares factor from it to the `picture`'s, over what is not masked; by 1 at
 * least, since what the generator gets wrong lowers that factor, and by 2 at most.
 */
export function sharpened(made: Image, picture: Image, mask: Mask): Image {
  const { height, width } = shapeOf(made);
  const plane = height * width;
  const [smooth, other] = [gaussianBlur(made, WIDTH), gaussianBlur(picture, WIDTH)];
  let [shared, own] = [0, 0];
  for (let i = 0; i < made.data.length; i++) {
    if (mask.data[i % plane] > 0.5) continue;
    const detail = made.data[i] - smooth.data[i];
    shared += detail * (picture.data[i] - other.data[i]);
    own += detail * detail;
  }
  const gain = own > 0 ? Math.min(MAX_GAIN, Math.max(1, shared / own)) : 1;
  return { ...made, data: made.data.map((v, i) => v + (gain - 1) * (v - smooth.data[i])) };
}
