/** What `restore` gives back at the picture's own size: composite, mask, soft mask and residual. See CONTRACT "Own size". */
import { COLOUR_SCALE, RESIDUAL_WHITE } from '../../images/colour.ts';
import { imageAt, isDrawable, type Size } from '../../images/image.ts';
import { readPicture, readStoredMask } from '../../images/node/read.ts';
import {
  encodeStored,
  readStored,
  type StoredPicture,
  storedOf,
  type WrittenFormat,
} from '../../images/node/stored.ts';
import { encodeColour, encodeGrey } from '../../images/node/write.ts';
import type { Frame, StoredMap } from '../../images/own-size/frame.ts';
import { bytesAtOwnSize, maskAtOwnSize } from '../../images/own-size/maps.ts';
import type { ByteMask } from '../../images/own-size/windows.ts';
import { isArrayFile } from '../../jobs/node/pictures.ts';
import { fillAtOwnSize } from '../fill.ts';
import type { Seen, Source } from './pictures.ts';

/** How composites are made and written. */
export interface OwnSizeChoice {
  readonly blend: 'poisson' | 'feather' | 'none';
  /** Pixels of the mask, as it was found or given, by which it is grown. */
  readonly grow: number;
  readonly format?: WrittenFormat;
}

export interface AtOwnSize {
  /** What the composite's file does not keep, one sentence each. */
  readonly losses: readonly string[];
  /** Pixels that were filled or blended. */
  readonly changed: number;
}

/** What was found and made, at the size that was searched. */
export interface Found {
  /** Grey or RGB, [1,C,H,W] in [-1,1]; with any other number of channels there is no composite. */
  readonly restored: StoredMap;
  /** [1,1,H,W]. */
  readonly mask: StoredMap;
  readonly softMask: StoredMap;
  readonly residual: StoredMap;
}

type Put = (kind: string, content: Uint8Array) => Promise<void>;

/** Of pictures of other than 1 or 3 channels, everything but the composite. */
export async function putAtOwnSize(
  put: Put,
  source: Source,
  loaded: Seen,
  found: Found,
  choice: OwnSizeChoice,
): Promise<AtOwnSize> {
  const { size } = loaded;
  const { frame } = loaded.view;
  const mask = await correctedMask(source, loaded, found);
  const made = isDrawable(found.restored)
    ? await putComposite(put, source, loaded, found, mask, choice)
    : { losses: [], changed: 0 };
  await put(
    'mask.png',
    await encodeGrey(
      mask.data.map((on) => 255 * on),
      size,
    ),
  );
  await put('softmask.png', await encodeGrey(bytesAtOwnSize(found.softMask, frame, size), size));
  await put('residual.png', await encodeColour(coloursOf(found.residual, frame, size), size));
  return made;
}

/**
 * A mask that was given is as it was given; one that was found is brought up from the generator's size. What is known of the picture is known
 * of its own pixels.
 */
async function correctedMask(source: Source, { view, size, index }: Seen, found: Found): Promise<ByteMask> {
  const mask =
    source.mask === undefined
      ? maskAtOwnSize(found.mask, view.frame, size)
      : await storedMask(source.mask, source, size, index);
  const known = async (file: string | undefined, value: number) => {
    const given = file === undefined ? undefined : await storedMask(file, source, size, index);
    given?.data.forEach((on, i) => {
      if (on) mask.data[i] = value;
    });
  };
  await known(source.hide, 1);
  await known(source.keep, 0);
  return mask;
}

async function storedMask(file: string, { path }: Source, size: Size, index: number): Promise<ByteMask> {
  const given = await readStoredMask(file, { path, source: size, image: { dims: [index + 1] } });
  return { ...size, data: Uint8Array.from(imageAt(given, Math.min(index, given.dims[0] - 1)).data) };
}

async function putComposite(
  put: Put,
  source: Source,
  loaded: Seen,
  found: Found,
  mask: ByteMask,
  { blend, grow, format }: OwnSizeChoice,
): Promise<AtOwnSize> {
  const picture = await storedAt(source.path, loaded.index);
  const changed = fillAtOwnSize(picture, mask, found.restored, loaded.view.frame, {
    blend,
    grow,
    isGiven: source.mask !== undefined,
  });
  const { bytes, extension, losses } = await encodeStored(picture, format);
  await put(`composite.${extension}`, bytes);
  return { losses: [...picture.losses, ...losses], changed };
}

async function storedAt(source: string, index: number): Promise<StoredPicture> {
  // By its content, as it was read: a service's pictures have no extension.
  if (!(await isArrayFile(source))) return readStored(source);
  return storedOf(imageAt((await readPicture(source)).image, index));
}

/** A residual in the colours of the scale, a byte each. */
function coloursOf(residual: StoredMap, frame: Frame, size: Size): Uint8Array {
  const scale = COLOUR_SCALE.flatMap((colour) => colour.map((v) => Math.round(127.5 * (v + 1))));
  const levels = bytesAtOwnSize(residual, frame, size, 255 / RESIDUAL_WHITE);
  const bytes = new Uint8Array(3 * levels.length);
  for (let i = 0; i < levels.length; i++) for (let c = 0; c < 3; c++) bytes[3 * i + c] = scale[3 * levels[i] + c];
  return bytes;
}
