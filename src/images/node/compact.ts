/** Picture files made small for pages: WebP, masks without loss. */
import { fileError, RgiError } from '../../errors.ts';
import { openPipeline, readBytes } from './decode.ts';

/** The file, upright, as the bytes of a WebP picture, of quality 90 or (for masks) without loss; at most `side` pixels wide and high. */
export async function compactPicture(file: string, { lossless = false, side = 512 } = {}): Promise<Uint8Array> {
  const { pipeline } = await openPipeline(file, await readBytes(file));
  try {
    const picture = pipeline()
      .resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
      .webp(lossless ? { lossless: true } : { quality: 90, smartSubsample: true });
    return new Uint8Array(await picture.toBuffer());
  } catch (error) {
    if (error instanceof RgiError) throw error;
    throw fileError(file, 'damaged', `${file} is damaged or cut short: copy it again, whole.`, error);
  }
}
