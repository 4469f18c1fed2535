/** A picture to be inspected: brought to the working size as in training, and its map brought back to the picture's own size. */
import { workingSize } from '../../datasets/working-size.ts';
import { type Image, type Size, shapeOf } from '../../images/image.ts';
import { readPicture } from '../../images/node/read.ts';
import { type Placement, padTo, placementOf, resize } from '../../images/resize.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import type { PolicySettings } from '../policy.ts';

export interface WorkingPicture {
  /** [1,C,H,W] at the size that is inspected. */
  readonly working: Image;
  /** The picture as it is, for overlays: [1,C,H,W]. */
  readonly original: Image;
  /** The part of the original that is inspected. */
  readonly placement: Placement;
}

export async function readForInspection(
  file: string,
  generator: Generator,
  { form, scale }: Pick<PolicySettings, 'form' | 'scale'>,
): Promise<WorkingPicture[]> {
  const { channels, height, width } = generator;
  const picture = await readPicture(file, { channels, grey: 'luma' });
  const own = shapeOf(picture.image);
  const single = (i: number): Image => {
    const size = picture.image.data.length / own.count;
    return {
      ...picture.image,
      dims: [1, channels, own.height, own.width],
      data: picture.image.data.subarray(i * size, (i + 1) * size),
    };
  };
  if (form === 'tiles') {
    const size = workingSize(own, { height, width }, scale);
    const placement = { crop: { top: 0, left: 0, ...sizeOf(own) }, inner: { top: 0, left: 0, ...size } };
    return Array.from({ length: own.count }, (_, i) => ({
      working: resize(single(i), size, size.height < own.height ? 'area' : 'bilinear'),
      original: single(i),
      placement,
    }));
  }
  const fitted = await readPicture(file, { channels, grey: 'luma', size: { height, width }, fit: 'cover' });
  return Array.from({ length: own.count }, (_, i) => ({
    working: {
      ...fitted.image,
      dims: [1, channels, height, width],
      data: fitted.image.data.subarray(i * channels * height * width, (i + 1) * channels * height * width),
    },
    original: single(i),
    placement: placementOf(sizeOf(own), { height, width }, 'cover'),
  }));
}

function sizeOf({ height, width }: Size): Size {
  return { height, width };
}

/** A map of the working size at the picture's own; 0 where nothing was inspected. */
export function mapAtOwnSize(map: Image, { original, placement }: WorkingPicture): Image {
  const { height, width } = shapeOf(original);
  const { crop } = placement;
  const inside = resize(map, sizeOf(crop), 'bilinear');
  if (crop.height === height && crop.width === width) return inside;
  const padded = padTo(inside, { height, width }, crop);
  return {
    ...padded,
    data: padded.data.map((v, i) => {
      const [y, x] = [Math.floor(i / width), i % width];
      const within = y >= crop.top && y < crop.top + crop.height && x >= crop.left && x < crop.left + crop.width;
      return within ? v : 0;
    }),
  };
}

/** The share of a picture that is not inspected: what 'cover' cuts off. */
export function uninspectedShare({ original, placement }: WorkingPicture): number {
  const { height, width } = shapeOf(original);
  return 1 - (placement.crop.height * placement.crop.width) / (height * width);
}
