/** The files of one restored picture. */
import { writeNpy, writeNpz } from '../../arrays/npy.ts';
import { isDrawable } from '../../images/image.ts';
import { EXTENSIONS } from '../../images/node/stored.ts';
import { encodePng } from '../../images/node/write.ts';
import { withWeightChanges } from '../../inversion/generator/weight-changes.ts';
import type { Restoration } from '../../inversion/solve/restore.ts';
import type { OutputSet } from '../../jobs/job.ts';
import { encodeModel } from '../../onnx/encode.ts';
import type { Model } from '../../onnx/graph.ts';
import { fillFor } from '../detail.ts';
import { type AtOwnSize, type OwnSizeChoice, putAtOwnSize } from './own-size.ts';
import type { Loaded, Source } from './pictures.ts';

/** What may follow a picture's name in a file that looks like a picture. */
export const PICTURE_KINDS: readonly string[] = [
  'restored.png',
  ...Object.values(EXTENSIONS).map((extension) => `composite.${extension}`),
  'mask.png',
  'softmask.png',
  'residual.png',
  'picture.npy',
  'restored.npy',
  'composite.npy',
  'softmask.npy',
  'residual.npy',
];

export interface FileChoice extends OwnSizeChoice {
  /** The float arrays too. */
  readonly npy: boolean;
  /** The generator, if it is to be written as it was tuned to the picture. */
  readonly generator?: Model;
}

/** Puts them into `outputs`. Pictures of other than 1 or 3 channels are written as arrays only. */
export async function putRestoration(
  outputs: OutputSet,
  name: string,
  source: Source,
  loaded: Loaded,
  result: Restoration,
  { npy, generator, ...ownSize }: FileChoice,
): Promise<AtOwnSize> {
  const { image: picture } = loaded;
  const drawable = isDrawable(picture);
  const put = (kind: string, content: Uint8Array) => outputs.put(`${name}.${kind}`, content);
  if (drawable) await put('restored.png', await encodePng(result.restored));
  const fill = fillFor(picture, loaded.view.frame, result);
  const made = await putAtOwnSize(put, source, loaded, { ...result, restored: fill }, ownSize);
  if (generator) {
    const tuned = withWeightChanges(generator.graph, result.weightChanges);
    await put('generator.onnx', encodeModel(tuned, generator.metadata));
  }
  if (!npy && drawable) return made;
  await put('picture.npy', writeNpy(picture));
  await put('restored.npy', writeNpy(result.restored));
  await put('composite.npy', writeNpy(result.composite));
  await put('softmask.npy', writeNpy(result.softMask));
  await put('residual.npy', writeNpy(result.residual));
  await put('latents.npz', writeNpz(result.latents));
  if (result.weightChanges.size > 0) await put('weights.npz', writeNpz(result.weightChanges));
  return made;
}
