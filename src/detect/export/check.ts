/** A detector file compared with the inspection that it was exported from. */
import { RgiError } from '../../errors.ts';
import type { Image } from '../../images/image.ts';
import { float32, float32Data, zeros } from '../../onnx/tensor.ts';
import { randomFrom } from '../../random.ts';
import type { Runtime, Session } from '../../runtime/runtime.ts';
import { type Inspection, openInspector } from '../inspector.ts';
import type { DetectorExport } from './detector-file.ts';
import { DETECTOR } from './facts.ts';

/** Largest difference of maps, and of a score from its limit where the verdicts of a picture may differ. */
const MAX_DIFFERENCE = 1e-4;

/**
 * Times that other pictures are tried. Rounding may move a pixel of one picture across the hard threshold of the inversion's mask, which
 * changes its map by more; a graph that computes something else does so on every picture.
 */
const MAX_TRIES = 4;

/** Weight of the noise in the pictures that are compared, and the grey levels of the even ones, in [-1,1]. */
const NOISE = 0.2;
const GREYS = [0, 0.25, -0.25, 0.5];

/**
 * The largest difference between the maps of `detect` and of the file, over a grey picture and one of noise. Throws `check` where it is
 * above `MAX_DIFFERENCE` or a verdict differs, of each of `MAX_TRIES` pairs of such pictures.
 */
export async function checkDetector(bytes: Uint8Array, options: DetectorExport, runtime: Runtime): Promise<number> {
  const inspector = await openInspector({ ...options, batch: 1 }, runtime);
  const session = await runtime.session(bytes);
  try {
    let refused: string | undefined;
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const pictures = comparedPictures(options.generator, attempt);
      const found = await inspector.inspect(pictures);
      const made: DetectorAnswer[] = [];
      for (const picture of pictures) made.push(await answerOf(session, picture, options.input));
      const { difference, refusal } = compared(made, found, options.policy.thresholds.image);
      if (refusal === undefined) return difference;
      refused ??= refusal;
    }
    throw new RgiError('check', refused!);
  } finally {
    await session.dispose();
    await inspector.dispose();
  }
}

/** A grey picture and one of noise, [1,C,H,W]. */
export function comparedPictures(
  { channels, height, width }: Pick<DetectorExport['generator'], 'channels' | 'height' | 'width'>,
  attempt: number,
): Image[] {
  const grey = zeros('float32', [1, channels, height, width]);
  // The middle of a range of 8 bits lies between two levels.
  grey.data.fill(levelled(GREYS[attempt]));
  const noise = randomFrom(attempt)
    .normals(grey.data.length)
    .map((v) => levelled(NOISE * v));
  return [grey, float32(noise, grey.dims)];
}

/** What the file says of one picture. */
interface DetectorAnswer {
  readonly map: Float32Array;
  readonly defective: boolean;
}

async function answerOf(session: Session, picture: Image, input: DetectorExport['input']): Promise<DetectorAnswer> {
  const fed = input === 'uint8' ? toBytes(picture) : picture;
  const made = await session.run(new Map([[DETECTOR.image, fed]]));
  return {
    map: float32Data(made.get(DETECTOR.map)!),
    defective: Boolean(made.get(DETECTOR.defective)!.data[0]),
  };
}

/** The largest difference of the maps, and the sentence by which the file is refused. */
function compared(
  made: readonly DetectorAnswer[],
  found: readonly Inspection[],
  limit: number,
): { readonly difference: number; readonly refusal?: string } {
  let difference = 0;
  for (const [i, { map }] of made.entries())
    map.forEach((v, p) => {
      const apart = Math.abs(v - found[i].map.data[p]);
      // What is not a number differs.
      difference = Math.max(difference, Number.isFinite(apart) ? apart : Number.POSITIVE_INFINITY);
    });
  if (difference > MAX_DIFFERENCE)
    return {
      difference,
      refusal: `The maps of the exported detector and of 'rgi detect' differ by ${difference.toPrecision(2)}, more than ${MAX_DIFFERENCE}.`,
    };
  const odd = made.findIndex(
    ({ defective }, i) => defective !== found[i].defective && Math.abs(found[i].score - limit) > MAX_DIFFERENCE,
  );
  if (odd < 0) return { difference };
  return {
    difference,
    refusal: `The exported detector and 'rgi detect' disagree about a picture of ${odd === 0 ? 'grey' : 'noise'}.`,
  };
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
