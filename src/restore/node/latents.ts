/** Latents of earlier results, at which searches begin: which file belongs to which picture, and how it is read. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { type LazyArrays, openNpz } from '../../arrays/npy.ts';
import { rows } from '../../arrays/rows.ts';
import { RgiError } from '../../errors.ts';
import { isBucketAddress } from '../../files/node/bucket.ts';
import { isFolder, readRegular } from '../../files/node/regular.ts';
import type { InputFile } from '../../images/node/inputs.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import type { Tensor } from '../../onnx/tensor.ts';

/** What the file of a picture's latents is called after its name, as `npy` writes it. */
const SUFFIX = '.latents.npz';

/** The file of a picture's latents: `place`, or in the folder `place` the one that is named after the picture. Throws `input` where there is none. */
export async function latentsFor({ name, path: picture }: InputFile, place: string): Promise<string> {
  if (isBucketAddress(place)) {
    const message = `--from-latents ${place} is in a bucket, from which latents are not read. Copy the file or the folder, and give the copy.`;
    throw new RgiError('usage', message, { file: place });
  }
  const file = (await isFolder(place)) ? path.join(place, `${name}${SUFFIX}`) : place;
  if ((await stat(file).catch(() => undefined))?.isFile()) return file;
  const what =
    file === place
      ? `The file of latents ${place} does not exist.`
      : `The folder ${place} has no latents for ${picture}: they would be in ${name}${SUFFIX}, which a run with --npy writes.`;
  throw new RgiError('input', what, { file: place });
}

/** A file of latents that was opened: what is read once for all of its pictures. */
export interface LatentsFile {
  readonly file: string;
  readonly arrays: LazyArrays;
}

/** Throws `input`, with the name of the file, where it is no archive of arrays. */
export async function openLatents(file: string): Promise<LatentsFile> {
  const bytes = await readRegular(file);
  return { file, arrays: naming(file, () => openNpz(bytes)) };
}

/** The latents of the `index`-th picture, [1, ...dims] each, as searches have them. Throws `input` where they are not of this generator, or of fewer pictures. */
export function latentsAt(
  { file, arrays }: LatentsFile,
  index: number,
  { latents, imported }: Pick<Generator, 'latents' | 'imported'>,
): Map<string, Tensor> {
  const found = latents.map(({ name, dims }): [string, Tensor] => {
    const array = naming(file, () => arrays.get(name));
    const [count = 0, ...own] = array?.dims ?? [];
    if (!array || count === 0 || own.join() !== dims.join()) {
      const has = array ? `has [${array.dims}] as '${name}'` : `has no array '${name}'`;
      throw new RgiError(
        'input',
        `${file} ${has}; this generator needs [1,${dims}]. Give latents of the same generator and --latent.`,
        { file },
      );
    }
    if (count > 1 && index >= count) {
      throw new RgiError(
        'input',
        `${file} has latents of ${count} pictures, and this is picture ${index + 1}. Give those of one picture for all, or as many as there are pictures.`,
        { file },
      );
    }
    return [name, naming(file, () => rows(array, [count === 1 ? 0 : index]))];
  });
  const given = new Map(found);
  return imported?.(given) ?? given;
}

/** What `read` returns; what it throws names the file. */
function naming<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RgiError)) throw error;
    throw new RgiError(error.code, `${file} cannot be read as latents: ${error.message}`, { file }, { cause: error });
  }
}
