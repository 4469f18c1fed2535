/** Latents of earlier results, at which searches begin: which file belongs to which picture, and how it is read. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { openNpz } from '../../arrays/npy.ts';
import { rows } from '../../arrays/rows.ts';
import { RgiError } from '../../errors.ts';
import { isFolder, readRegular } from '../../files/node/regular.ts';
import type { InputFile } from '../../images/node/inputs.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { float32, float32Data, type Tensor } from '../../onnx/tensor.ts';

/** What the file of a picture's latents is called after its name, as `npy` writes it. */
const SUFFIX = '.latents.npz';

/** The file of a picture's latents: `place`, or in the folder `place` the one that is named after the picture. Throws `input` where there is none. */
export async function latentsFor({ name, path: picture }: InputFile, place: string): Promise<string> {
  const file = (await isFolder(place)) ? path.join(place, `${name}${SUFFIX}`) : place;
  if ((await stat(file).catch(() => undefined))?.isFile()) return file;
  const what =
    file === place
      ? `The file of latents ${place} does not exist.`
      : `The folder ${place} has no latents for ${picture}: they would be in ${name}${SUFFIX}, which a run with --npy writes.`;
  throw new RgiError('input', what, { file: place });
}

/** The latents of the `index`-th picture, [1, ...dims] each, as searches have them. Throws `input` where they are not of this generator. */
export async function readLatents(
  file: string,
  index: number,
  { latents, imported }: Pick<Generator, 'latents' | 'imported'>,
): Promise<Map<string, Tensor>> {
  const arrays = openNpz(await readRegular(file));
  const found = latents.map(({ name, dims }): [string, Tensor] => {
    const array = arrays.get(name);
    const [count = 0, ...own] = array?.dims ?? [];
    if (!array || count === 0 || own.join() !== dims.join()) {
      const has = array ? `[${array.dims}]` : 'nothing';
      throw new RgiError(
        'input',
        `${file} has ${has} as '${name}', where this generator has latents of [1,${dims}]: it is of another generator or another --latent.`,
        { file },
      );
    }
    return [name, rows(float32(float32Data(array), array.dims), [Math.min(index, count - 1)])];
  });
  const given = new Map(found);
  return imported?.(given) ?? given;
}
