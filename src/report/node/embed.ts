/** Picture files made small, as data URLs, up to a number of bytes. */
import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { RgiError } from '../../errors.ts';
import { isBucketAddress } from '../../files/node/bucket.ts';
import { sha256Of } from '../../files/node/hash.ts';
import { compactPicture } from '../../images/node/compact.ts';

/** A picture is shown once per use, and embedded as often. */
export interface PictureUse {
  /** In the folder; elsewhere only if its bytes are known. */
  readonly file: string;
  /** Masks lose nothing. */
  readonly lossless?: boolean;
  readonly sha256?: string;
}

export interface EmbeddedFiles {
  readonly embedded: ReadonlyMap<string, string>;
  /** What is to be said of them. */
  readonly notes: readonly string[];
}

/** Data URLs by file, in the order of their uses until they come to `limit` bytes; what is no picture is left out. */
export async function embed(folder: string, uses: readonly PictureUse[], limit: number): Promise<EmbeddedFiles> {
  const embedded = new Map<string, string>();
  let spent = 0;
  const refused = new Set<string>();
  const inBuckets = new Set<string>();
  for (const use of uses) {
    const { file } = use;
    if (refused.has(file)) continue;
    // A record may come from anywhere: no request is sent because of one.
    if (isBucketAddress(file)) {
      inBuckets.add(file);
      continue;
    }
    const url = embedded.get(file) ?? (await dataUrl(folder, use));
    if (url === undefined || spent + url.length > limit) {
      refused.add(file);
      embedded.delete(file);
      continue;
    }
    spent += url.length;
    embedded.set(file, url);
  }
  return {
    embedded,
    notes: [
      ...(embedded.size > 0
        ? ['The pictures in this page are compressed (WebP); the files in the folder are exact.']
        : []),
      ...(refused.size > 0
        ? [`${refused.size} pictures are left out, to keep the page small or because their files are not there.`]
        : []),
      ...(inBuckets.size > 0 ? [`${inBuckets.size} pictures are left out, since they lie in a bucket.`] : []),
    ],
  };
}

/** Records may come from anywhere: of files outside of the folder only those are read whose hash they know. */
async function dataUrl(folder: string, { file, lossless = false, sha256 }: PictureUse): Promise<string | undefined> {
  const place = sha256 === undefined ? path.resolve(folder, file) : path.resolve(file);
  try {
    const isAllowed =
      sha256 === undefined ? await liesIn(folder, place) : (await sha256Of(place).catch(() => undefined)) === sha256;
    if (!isAllowed) return undefined;
    return `data:image/webp;base64,${Buffer.from(await compactPicture(place, { lossless })).toString('base64')}`;
  } catch (error) {
    if (error instanceof RgiError) return undefined;
    throw error;
  }
}

/** Symbolic links are followed before it is looked where they lead: none leads out of the folder. */
async function liesIn(folder: string, file: string): Promise<boolean> {
  const [root, place] = await Promise.all([folder, file].map((one) => realpath(one).catch(() => '')));
  return root !== '' && place.startsWith(`${root}${path.sep}`);
}
