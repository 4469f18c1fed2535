/** Pictures that are restored by tiles: read once, taken apart at their own size or a smaller one. */
import { workingSize } from '../../datasets/working-size.ts';
import { RgiError } from '../../errors.ts';
import { type Box, imageAt, type Size } from '../../images/image.ts';
import { openPicture, readBytes } from '../../images/node/decode.ts';
import { readPicture, readStoredMask } from '../../images/node/read.ts';
import { storedOf } from '../../images/node/stored.ts';
import type { Raster } from '../../images/own-size/raster.ts';
import { type View, viewOf } from '../../images/own-size/view.ts';
import type { ByteMask } from '../../images/own-size/windows.ts';
import { crop, resize } from '../../images/resize.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { float32 } from '../../onnx/tensor.ts';
import type { TiledPicture } from '../tiled.ts';
import { MASK_KINDS, type Seen, type Source } from './pictures.ts';

/** How pictures are taken apart. */
export interface TileOptions {
  /** The picture is made smaller by this factor first; 1 for its own size. */
  readonly reduction: number;
  readonly region?: Box;
  readonly grey: 'refuse' | 'luma';
}

/** A picture ready to be restored by tiles. */
export interface LoadedTiles extends Seen {
  readonly picture: TiledPicture;
}

/** Reads the `index`-th picture of a source, and what is known of it. Throws `input` where it cannot be used. */
export async function readTiles(
  source: Source,
  index: number,
  { channels, height, width }: Pick<Generator, 'channels' | 'height' | 'width'>,
  { reduction, region, grey }: TileOptions,
): Promise<LoadedTiles> {
  const read = await readWhole(source.path, index, (size) => {
    const part = region ?? size;
    const working = workingSize(part, { height, width }, reduction);
    return viewOf(size, working, { fit: 'stretch', region });
  });
  const { raster, size, view } = read;
  if (channels === 1 && raster.colours === 3 && grey === 'refuse') {
    throw new RgiError(
      'input',
      `${source.path} is a colour picture, grey is needed; choose grey by luma to convert it.`,
      { file: source.path },
    );
  }
  const known: Partial<Record<(typeof MASK_KINDS)[number], ByteMask>> = {};
  for (const kind of MASK_KINDS) {
    const file = source[kind];
    if (file !== undefined) known[kind] = await maskOf(file, source, size, view, index);
  }
  return {
    picture: { raster, outside: read.outside, ...known },
    size,
    view,
    index,
    notes: notesOf(size, raster, region),
  };
}

interface Whole {
  readonly raster: Raster;
  readonly outside?: ByteMask;
  readonly size: Size;
  readonly view: View;
}

async function readWhole(file: string, index: number, viewFor: (size: Size) => View): Promise<Whole> {
  const bytes = await readBytes(file);
  if (file.toLowerCase().endsWith('.npy')) {
    const { image } = await readPicture(file);
    const size = { height: image.dims[2], width: image.dims[3] };
    const view = viewFor(size);
    const { crop: box, inner } = view.placement;
    return { raster: storedOf(resize(crop(imageAt(image, index), box), inner)), size, view };
  }
  const decoded = await openPicture(file, bytes, undefined, 'none');
  const size = { height: decoded.source.height, width: decoded.source.width };
  const view = viewFor(size);
  const { data, height, width, channels, transparent } = await decoded.pixels(view.placement);
  const raster = { data, height, width, colours: channels, alpha: false } as const;
  return { raster, size, view, ...(transparent && { outside: { data: transparent, height, width } }) };
}

async function maskOf(
  file: string,
  { path }: Source,
  size: Size,
  { placement }: View,
  index: number,
): Promise<ByteMask> {
  const given = await readStoredMask(file, { path, source: size, image: { dims: [index + 1] } });
  const own = imageAt(given, Math.min(index, given.dims[0] - 1));
  const { data, dims } = resize(crop(float32(own.data, own.dims), placement.crop), placement.inner, 'area');
  return { data: Uint8Array.from(data, (v) => (v > 0.5 ? 1 : 0)), height: dims[2], width: dims[3] };
}

function notesOf(size: Size, raster: Size, region: Box | undefined): string[] {
  const part = region ?? size;
  const unseen = 1 - (part.height * part.width) / (size.height * size.width);
  return [
    ...(raster.height !== part.height || raster.width !== part.width
      ? [
          `Resized from ${part.width} x ${part.height} to ${raster.width} x ${raster.height} pixels before it is taken apart.`,
        ]
      : []),
    ...(unseen > 0 ? [`${(100 * unseen).toFixed(0)}% of the picture is outside of --region and stays as it is.`] : []),
  ];
}
