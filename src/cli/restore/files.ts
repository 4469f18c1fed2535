/** The files of one restored picture; each appears whole or not at all. */
import path from 'node:path';
import { writeNpz } from '../../arrays/npy.ts';
import { colourMap } from '../../images/colour.ts';
import type { Image } from '../../images/image.ts';
import { writeFileAtomic, writeMask, writeNpyFile, writePicture } from '../../images/node/write.ts';
import { withWeightChanges } from '../../inversion/generator/weight-changes.ts';
import type { Restoration } from '../../inversion/solve/restore.ts';
import { encodeModel } from '../../onnx/encode.ts';
import type { Model } from '../../onnx/graph.ts';

/** Residual, in units of [-1,1], that is drawn white: half the range of the image. */
export const RESIDUAL_WHITE = 1;

export interface FileChoice {
  /** The float arrays too. */
  readonly npy: boolean;
  /** The generator, if it is to be written as it was tuned to the picture. */
  readonly generator?: Model;
}

/** Writes them into `folder`; returns their names. Pictures of other than 1 or 3 channels are written as arrays only. */
export async function writeRestoration(
  folder: string,
  name: string,
  picture: Image,
  result: Restoration,
  { npy, generator }: FileChoice,
): Promise<string[]> {
  const drawable = picture.dims[1] === 1 || picture.dims[1] === 3;
  const written: string[] = [];
  const put = async (kind: string, write: (file: string) => Promise<void>) => {
    await write(path.join(folder, `${name}.${kind}`));
    written.push(`${name}.${kind}`);
  };
  if (drawable) {
    await put('restored.png', (file) => writePicture(file, result.restored));
    await put('composite.png', (file) => writePicture(file, result.composite));
  }
  await put('mask.png', (file) => writeMask(file, result.mask));
  await put('softmask.png', (file) => writeMask(file, result.softMask));
  await put('residual.png', (file) => writePicture(file, colourMap(result.residual, 0, RESIDUAL_WHITE)));
  if (generator) {
    const tuned = withWeightChanges(generator.graph, result.weightChanges);
    await put('generator.onnx', (file) => writeFileAtomic(file, encodeModel(tuned, generator.metadata)));
  }
  if (!npy && drawable) return written;
  await put('picture.npy', (file) => writeNpyFile(file, picture));
  await put('restored.npy', (file) => writeNpyFile(file, result.restored));
  await put('composite.npy', (file) => writeNpyFile(file, result.composite));
  await put('softmask.npy', (file) => writeNpyFile(file, result.softMask));
  await put('residual.npy', (file) => writeNpyFile(file, result.residual));
  await put('latents.npz', (file) => writeFileAtomic(file, writeNpz(result.latents)));
  if (result.weightChanges.size > 0) {
    await put('weights.npz', (file) => writeFileAtomic(file, writeNpz(result.weightChanges)));
  }
  return written;
}
