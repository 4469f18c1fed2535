/** Pictures for training: kept in memory as bytes, handed out as batches of float32 [N,C,H,W] in [-1,1]. */
import { type Image, shapeOf, toPixels } from '../images/image.ts';
import { float32 } from '../onnx/tensor.ts';
import { type Random, randomFrom } from '../random.ts';

/** One picture: bytes [C,height,width], 0..255. Larger than the dataset's size where crops are drawn from it. */
export interface StoredPicture {
  readonly name: string;
  readonly height: number;
  readonly width: number;
  readonly data: Uint8Array;
}

export interface Dataset {
  readonly channels: number;
  /** Height and width of what is handed out. */
  readonly size: number;
  readonly pictures: readonly StoredPicture[];
  /** Are pictures mirrored left to right, each time by a coin's toss? */
  readonly mirror: boolean;
}

/** Characters of the digest by which a model remembers a training picture: the first ones of its bytes' SHA-256. */
export const DIGEST_LENGTH = 8;

/** A picture [1,C,H,W] in [-1,1] in 8 bits. */
export function storedPicture(name: string, image: Image): StoredPicture {
  const { channels, height, width } = shapeOf(image);
  const pixels = toPixels({ ...image, dims: [1, channels, height, width] });
  const plane = height * width;
  const data = new Uint8Array(channels * plane);
  for (let i = 0; i < plane; i++) for (let c = 0; c < channels; c++) data[c * plane + i] = pixels[i * channels + c];
  return { name, height, width, data };
}

/**
 * Pictures `indices` as [n,C,size,size]. Larger ones give a crop: at random with `random`, else the central one; without
 * `random` nothing is mirrored.
 */
export function batchOf(dataset: Dataset, indices: ArrayLike<number>, random?: Random): Image {
  const { channels, size, pictures, mirror } = dataset;
  const plane = size * size;
  const data = new Float32Array(indices.length * channels * plane);
  for (let n = 0; n < indices.length; n++) {
    const { height, width, data: bytes } = pictures[indices[n]];
    const [top, left] = [height, width].map((side) => (random ? random.integer(side - size + 1) : (side - size) >> 1));
    const mirrored = mirror && random !== undefined && random.uniform() < 0.5;
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < size; y++) {
        const from = (c * height + top + y) * width + left;
        const to = (n * channels + c) * plane + y * size;
        for (let x = 0; x < size; x++) data[to + x] = bytes[from + (mirrored ? size - 1 - x : x)] / 127.5 - 1;
      }
    }
  }
  return float32(data, [indices.length, channels, size, size]);
}

/**
 * Which pictures step `step` (0, 1, ...) of `batch` pictures takes: each once per pass, every pass in an order of its own.
 * A function of its arguments alone, so that a resumed run takes the same ones.
 */
export function orderOf(count: number, batch: number, step: number, seed: number): Uint32Array {
  const indices = new Uint32Array(batch);
  let pass = -1;
  let order = new Uint32Array();
  for (let i = 0; i < batch; i++) {
    const position = step * batch + i;
    if (Math.floor(position / count) !== pass) {
      pass = Math.floor(position / count);
      order = randomFrom(mixed(seed, pass)).sample(count, count) as Uint32Array<ArrayBuffer>;
    }
    indices[i] = order[position % count];
  }
  return indices;
}

/** A seed made of several numbers (the mixing function of MurmurHash3). */
export function mixed(...parts: readonly number[]): number {
  let hash = 0x9747b28c;
  for (const part of parts) {
    let k = Math.imul(part | 0, 0xcc9e2d51);
    k = (k << 15) | (k >>> 17);
    hash ^= Math.imul(k, 0x1b873593);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
