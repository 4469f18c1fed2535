/** Picture files made small for pages: WebP, masks without loss. */
import sharp from 'sharp';
import { messageOf, RgiError } from '../../errors.ts';
import { PIXEL_LIMIT, readBytes } from './decode.ts';

/** The file as the bytes of a WebP picture, of quality 90 or (for masks) without loss; at most `side` pixels wide and high. */
export async function compactPicture(file: string, { lossless = false, side = 512 } = {}): Promise<Uint8Array> {
  const bytes = await readBytes(file);
  try {
    const picture = sharp(bytes, { limitInputPixels: PIXEL_LIMIT })
      .resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
      .webp(lossless ? { lossless: true } : { quality: 90, smartSubsample: true });
    return new Uint8Array(await picture.toBuffer());
  } catch (error) {
    throw new RgiError('input', `${file} is not a picture (${messageOf(error)}).`, { file }, { cause: error });
  }
}
