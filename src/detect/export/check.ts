/** A detector file compared with the inspection that it was exported from. */
import { RgiError } from '../../errors.ts';
import type { Image } from '../../images/image.ts';
import { float32, float32Data, zeros } from '../../onnx/tensor.ts';
import { randomFrom } from '../../random.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openInspector } from '../inspector.ts';
import type { DetectorExport } from './detector-file.ts';
import { DETECTOR } from './facts.ts';

/**
 * Largest difference of the maps of the pictures that are compared. On others it may be larger: rounding may move a pixel across the hard
 * threshold of the inversion's mask.
 */
const MAX_DIFFERENCE = 1e-4;

/** Weight of the noise in the pictures that are compared. */
const NOISE = 0.2;

/**
 * The largest difference between the maps of `detect` and of the file, over a grey picture and one of noise. Throws `check` where it is
 * above `MAX_DIFFERENCE`, or a verdict differs.
 */
export async function checkDetector(bytes: Uint8Array, options: DetectorExport, runtime: Runtime): Promise<number> {
  const { channels, height, width } = options.generator;
  const dims = [1, channels, height, width];
  const grey = zeros('float32', dims);
  const noise = float32(
    randomFrom(0)
      .normals(grey.data.length)
      .map((v) => levelled(NOISE * v)),
    dims,
  );
  // The middle of a range of 8 bits lies between two levels.
  grey.data.fill(levelled(0));
  const pictures: readonly Image[] = [grey, noise];
  const inspector = await openInspector({ ...options, batch: 1 }, runtime);
  const session = await runtime.session(bytes);
  try {
    const found = await inspector.inspect(pictures);
    let difference = 0;
    for (const [i, picture] of pictures.entries()) {
      const fed = options.input === 'uint8' ? toBytes(picture) : picture;
      const made = await session.run(new Map([[DETECTOR.image, fed]]));
      const map = float32Data(made.get(DETECTOR.map)!);
      map.forEach((v, p) => {
        const apart = Math.abs(v - found[i].map.data[p]);
        // What is not a number differs.
        difference = Math.max(difference, Number.isFinite(apart) ? apart : Number.POSITIVE_INFINITY);
      });
      if (Boolean(made.get(DETECTOR.defective)!.data[0]) !== found[i].defective)
        throw new RgiError(
          'check',
          `The exported detector and 'rgi detect' disagree about a picture of ${i === 0 ? 'grey' : 'noise'}.`,
        );
    }
    if (difference > MAX_DIFFERENCE)
      throw new RgiError(
        'check',
        `The maps of the exported detector and of 'rgi detect' differ by ${difference.toPrecision(2)}, more than ${MAX_DIFFERENCE}.`,
      );
    return difference;
  } finally {
    await session.dispose();
    await inspector.dispose();
  }
}

/** The nearest value that 8 bits hold. */
function levelled(value: number): number {
  return Math.round((Math.min(1, Math.max(-1, value)) + 1) * 127.5) / 127.5 - 1;
}

/** [1,C,H,W] in [-1,1] as uint8 [1,H,W,C]. */
export function toBytes({ data, dims }: Image) {
  const [count, channels, height, width] = dims;
  const plane = height * width;
  const bytes = new Uint8Array(data.length);
  for (let n = 0; n < count; n++)
    for (let c = 0; c < channels; c++)
      for (let p = 0; p < plane; p++)
        bytes[(n * plane + p) * channels + c] = Math.round((data[(n * channels + c) * plane + p] + 1) * 127.5);
  return { type: 'uint8', data: bytes, dims: [count, height, width, channels] } as const;
}
