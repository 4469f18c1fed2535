/** The restored picture at the picture's own size: the masked region filled by what the generator makes of it, nothing else touched. */
import { type ColourCube, inColours, throughCube } from '../images/own-size/colours.ts';
import { type BlendColours, compositeInPlace } from '../images/own-size/composite.ts';
import { type Frame, framed, type StoredMap, sampleCubic, scaleOf } from '../images/own-size/frame.ts';
import type { Raster } from '../images/own-size/raster.ts';
import type { ByteMask } from '../images/own-size/windows.ts';

/** How the region is filled. */
export interface FillChoice {
  /** How fill and picture are joined. */
  readonly blend: 'poisson' | 'feather' | 'none';
  /** Pixels of the mask, as it was found or given, by which it is grown. */
  readonly grow: number;
  /** Was the mask given at the picture's own size? */
  readonly isGiven: boolean;
}

/** From this scale on a fill has less detail than its surroundings. */
export const MIN_FINER = 1.25;

/** Width of the fade of `feather`, in pixels of the generator. */
const FEATHER = 4;

/** Fills the masked pixels of `picture` in place from G(z), grey or RGB in [-1,1]; returns how many pixels may have changed. */
export function fillAtOwnSize(
  picture: Raster & { readonly cube?: ColourCube; readonly toSrgb?: ColourCube },
  mask: ByteMask,
  restored: StoredMap,
  frame: Frame,
  { blend, grow, isGiven }: FillChoice,
): number {
  const scale = Math.max(1, scaleOf(frame));
  const fill = framed(restored, frame);
  const { cube, toSrgb } = picture;
  // CMYK is blended in sRGB.
  const colours: BlendColours | undefined = toSrgb &&
    cube && {
      channels: 3,
      fromStored: (image) => throughCube(image, toSrgb),
      toStored: (image) => throughCube(image, cube),
    };
  const blended = colours?.channels ?? picture.colours;
  return compositeInPlace(
    picture,
    mask,
    (box) => inColours(sampleCubic(fill, box), blended, colours ? undefined : cube),
    {
      blend,
      feather: FEATHER * scale,
      grow: isGiven ? grow : grow * scale,
      grain: scale >= MIN_FINER,
      ...(colours && { colours }),
    },
  );
}
