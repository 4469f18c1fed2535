/** The files of a detection protocol: networks learnt, thresholds, maps, and the pictures that are kept of a trial. */
import path from 'node:path';
import { readNpy } from '../../arrays/npy.ts';
import { MAX_FILE_BYTES, readRegular, readTextIfThere } from '../../files/node/regular.ts';
import { colourMap } from '../../images/colour.ts';
import type { Image } from '../../images/image.ts';
import { writeFileAtomic, writeMask, writePicture } from '../../images/node/write.ts';
import { float32, float32Data } from '../../onnx/tensor.ts';
import type { TrialPictures, TrialRecord } from '../record.ts';
import { type Store, slug } from './store.ts';

/** What a candidate has learnt, kept for a run that is resumed. */
export interface Learnt {
  load(): Promise<Uint8Array | undefined>;
  store(bytes: Uint8Array): Promise<void>;
}

export function learntFile(folder: string, method: string, key: string): Learnt {
  const file = path.join(folder, 'learnt', `${slug(method)}-${key}.onnx`);
  return {
    load: () => readRegular(file, MAX_FILE_BYTES).catch(() => undefined),
    store: (bytes) => writeFileAtomic(file, bytes),
  };
}

export async function storedThreshold(place: string, key: string): Promise<number | undefined> {
  try {
    const stored = JSON.parse((await readTextIfThere(path.join(place, 'calibration.json'))) ?? '') as {
      key?: unknown;
      threshold?: unknown;
    };
    return stored.key === key && typeof stored.threshold === 'number' ? stored.threshold : undefined;
  } catch {
    return undefined;
  }
}

export async function storeThreshold(place: string, key: string, threshold: number): Promise<void> {
  await writeFileAtomic(path.join(place, 'calibration.json'), JSON.stringify({ key, threshold }));
}

export interface Wanted {
  readonly pictures: boolean;
  readonly way: boolean;
}

/** An earlier record and its map, if they and the pictures that are now asked for are there. */
export async function earlierTrial(
  store: Store,
  key: string,
  file: string,
  wanted: Wanted,
): Promise<{ record: TrialRecord; map: Float32Array } | undefined> {
  const record = store.find(key);
  if (!record || (wanted.pictures && !record.pictures) || (wanted.way && !record.snapshots)) return undefined;
  try {
    return { record, map: float32Data(readNpy(await readRegular(file))) };
  } catch {
    return undefined;
  }
}

export interface Shown {
  readonly method: string;
  /** Begins the files' names. */
  readonly stem: string;
  readonly image: Image;
  readonly truth?: Float32Array;
  readonly restored?: Image;
  readonly found: Float32Array;
  readonly map: Float32Array;
  /** The map's value that is drawn white. */
  readonly white: number;
}

/** Input and annotated mask once, the rest per method. */
export async function writeDetectPictures(folder: string, shown: Shown): Promise<TrialPictures> {
  const { image, truth, restored, found, map, white } = shown;
  const [, , height, width] = image.dims;
  const dims = [1, 1, height, width];
  const place = `pictures/${slug(shown.method)}/${shown.stem}`;
  const given = `pictures/given/${shown.stem}`;
  const file = (name: string) => path.join(folder, name);
  await writePicture(file(`${given}.png`), image);
  if (truth) await writeMask(file(`${given}.mask.png`), float32(truth, dims));
  if (restored) await writePicture(file(`${place}.restored.png`), restored);
  await writeMask(file(`${place}.mask.png`), float32(found, dims));
  await writePicture(file(`${place}.map.png`), colourMap(float32(map, dims), 0, white));
  return {
    input: `${given}.png`,
    ...(truth ? { trueMask: `${given}.mask.png` } : {}),
    ...(restored ? { restored: `${place}.restored.png` } : {}),
    mask: `${place}.mask.png`,
    map: `${place}.map.png`,
  };
}
