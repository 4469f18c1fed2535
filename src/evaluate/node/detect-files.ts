/** The files of a detection protocol: trained networks, thresholds, maps, and the stored pictures of a trial. */

import path from 'node:path';
import { readNpy } from '../../arrays/npy.ts';
import { sha256OfContent } from '../../files/node/hash.ts';
import { MAX_FILE_BYTES } from '../../files/node/limits.ts';
import { readRegular, readTextIfThere } from '../../files/node/regular.ts';
import { colourMap } from '../../images/colour.ts';
import { type Image, maskToImage } from '../../images/image.ts';
import { encodePng, writeFileAtomic } from '../../images/node/write.ts';
import type { OutputSet } from '../../jobs/job.ts';
import { float32, float32Data } from '../../onnx/tensor.ts';
import type { TrialPictures } from '../record.ts';
import { LEARNT, slug } from './folder.ts';

/** A candidate's trained network, stored for a resumed run. */
export interface Learnt {
  /** Undefined where there is none, or where the file is not what was stored. */
  load(): Promise<Uint8Array | undefined>;
  store(bytes: Uint8Array): Promise<void>;
}

export function learntFile(folder: string, method: string, key: string): Learnt {
  const file = path.join(folder, LEARNT.networks, `${slug(method)}-${key}.onnx`);
  const checksum = `${file}.sha256`;
  return {
    async load() {
      const bytes = await readRegular(file, MAX_FILE_BYTES).catch(() => undefined);
      const stored = await readTextIfThere(checksum).catch(() => undefined);
      return bytes !== undefined && stored === sha256OfContent(bytes) ? bytes : undefined;
    },
    async store(bytes) {
      await writeFileAtomic(file, bytes);
      await writeFileAtomic(checksum, sha256OfContent(bytes));
    },
  };
}

export async function storedThreshold(place: string, key: string): Promise<number | undefined> {
  try {
    const stored = JSON.parse((await readTextIfThere(path.join(place, LEARNT.threshold))) ?? '') as {
      key?: unknown;
      threshold?: unknown;
    };
    return stored.key === key && typeof stored.threshold === 'number' ? stored.threshold : undefined;
  } catch {
    return undefined;
  }
}

export async function storeThreshold(place: string, key: string, threshold: number): Promise<void> {
  await writeFileAtomic(path.join(place, LEARNT.threshold), JSON.stringify({ key, threshold }));
}

/** A trial's map, relative to the folder. */
export function mapFile(method: string, key: string): string {
  return `maps/${slug(method)}/${key}.npy`;
}

/** The map of an earlier trial, [H*W]. */
export async function storedMap(folder: string, method: string, key: string): Promise<Float32Array> {
  return float32Data(readNpy(await readRegular(path.join(folder, mapFile(method, key)))));
}

export interface Shown {
  readonly method: string;
  /** Begins the names of this method's files. */
  readonly stem: string;
  /** Begins the names of the files that all methods share. */
  readonly givenStem: string;
  readonly image: Image;
  readonly truth?: Float32Array;
  readonly restored?: Image;
  readonly found: Float32Array;
  readonly map: Float32Array;
  /** The map's value that is drawn white. */
  readonly white: number;
}

/** Input and annotated mask are the same for all methods, and lie beside theirs. */
export async function putDetectPictures(outputs: OutputSet, shown: Shown): Promise<TrialPictures> {
  const { image, truth, restored, found, map, white } = shown;
  const [, , height, width] = image.dims;
  const dims = [1, 1, height, width];
  const place = `pictures/${slug(shown.method)}/${shown.stem}`;
  const given = `pictures/given/${shown.givenStem}`;
  const put = async (file: string, picture: Image) => outputs.put(file, await encodePng(picture));
  const maskOf = (data: Float32Array) => maskToImage(float32(data, dims));
  await put(`${given}.png`, image);
  if (truth) await put(`${given}.mask.png`, maskOf(truth));
  if (restored) await put(`${place}.restored.png`, restored);
  await put(`${place}.mask.png`, maskOf(found));
  await put(`${place}.map.png`, colourMap(float32(map, dims), 0, white));
  return {
    input: `${given}.png`,
    ...(truth ? { trueMask: `${given}.mask.png` } : {}),
    ...(restored ? { restored: `${place}.restored.png` } : {}),
    mask: `${place}.mask.png`,
    map: `${place}.map.png`,
  };
}
