/** The errors of restored pictures against the truth, and which part of z can be found at all. */

import { rows } from '../arrays/rows.ts';
import { binaryMask, clip, type Image, imageAt, type Mask } from '../images/image.ts';
import type { Generator } from '../inversion/generator/generator.ts';
import { psnr } from '../metrics/fidelity.ts';
import { confusion } from '../metrics/overlap.ts';
import { encodeModel } from '../onnx/encode.ts';
import { float32, float32Data, sizeOf, type Tensor } from '../onnx/tensor.ts';
import { randomFrom } from '../random.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Errors, Invariance, MaskErrors } from './record.ts';

export const GREY = 127.5;

export interface Found {
  readonly objective: number;
  /** [1,C,H,W] */
  readonly image: Image;
  /** Soft mask [1,1|C,H,W]. */
  readonly mask?: Image;
  /** Of one picture, [1, ...dims] each. */
  readonly latents: ReadonlyMap<string, Tensor>;
}

export interface Truth {
  readonly clean: Image;
  readonly mask: Mask;
  /** z*; absent for real pictures. */
  readonly latents?: ReadonlyMap<string, Tensor>;
}

export function errorsOf(found: Found, truth: Truth, invariance: Invariance): Errors {
  const { clean, mask } = truth;
  const inside = rmsGrey(found.image, clean, mask, 1);
  const decibels = psnr(clip(found.image), clip(clean));
  return {
    objective: rounded(found.objective),
    z: truth.latents ? rounded(latentError(found.latents, truth.latents, invariance.scale)) : null,
    rms: rounded(rmsGrey(found.image, clean) ?? 0),
    rmsInside: inside === null ? null : rounded(inside),
    rmsOutside: roundedOrNull(rmsGrey(found.image, clean, mask, 0)),
    psnr: Number.isFinite(decibels) ? rounded(decibels) : null,
    mask: found.mask ? maskErrors(found.mask, mask) : null,
  };
}

/** RMS of a - b in grey levels over the pixels where the mask [1,1,H,W] is `value`; null where there are none. */
export function rmsGrey(a: Image, b: Image, mask?: Mask, value?: 0 | 1): number | null {
  const [, channels, height, width] = a.dims;
  const plane = height * width;
  let sum = 0;
  let count = 0;
  for (let i = 0; i < channels * plane; i++) {
    if (mask && mask.data[i % plane] > 0.5 !== (value === 1)) continue;
    sum += (a.data[i] - b.data[i]) ** 2;
    count++;
  }
  return count > 0 ? GREY * Math.sqrt(sum / count) : null;
}

/** ||z - z*|| / ||z*|| over all latents together; each brought to the length of z* first where only directions count. */
export function latentError(
  found: ReadonlyMap<string, Tensor>,
  truth: ReadonlyMap<string, Tensor>,
  directions: boolean,
): number {
  let error = 0;
  let whole = 0;
  for (const [name, wanted] of truth) {
    const [a, b] = [float32Data(found.get(name)!), float32Data(wanted)];
    const [lengthA, lengthB] = [norm(a), norm(b)];
    const scale = directions && lengthA > 0 ? lengthB / lengthA : 1;
    for (let i = 0; i < b.length; i++) error += (scale * a[i] - b[i]) ** 2;
    whole += lengthB ** 2;
  }
  return Math.sqrt(error / whole);
}

function norm(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
}

function maskErrors(soft: Image, truth: Mask): MaskErrors {
  const counts = confusion(truth.data, binaryMask(soft).data);
  const { truePositives, falsePositives, falseNegatives, trueNegatives } = counts;
  const channels = soft.dims[1];
  const plane = truth.data.length;
  let distance = 0;
  for (let i = 0; i < soft.data.length; i++) distance += Math.abs(soft.data[i] - truth.data[i % plane]);
  const union = truePositives + falsePositives + falseNegatives;
  return {
    iou: rounded(union > 0 ? truePositives / union : 1),
    falsePositives: rounded(falsePositives / Math.max(1, falsePositives + trueNegatives)),
    misses: rounded(falseNegatives / Math.max(1, falseNegatives + truePositives)),
    distance: rounded(distance / (channels * plane)),
  };
}

/** Six digits are more than two runs on different machines agree on. */
function rounded(value: number): number {
  return Number(value.toPrecision(6));
}

function roundedOrNull(value: number | null): number | null {
  return value === null ? null : rounded(value);
}

/** Change of the pictures under z -> 2z, relative to how much they differ among themselves, that counts as none. */
const UNCHANGED = 1e-3;

/** Does only the direction of z count (PGGAN's pixel norm)? Tried on a few latents. */
export async function findInvariance(generator: Generator, runtime: Runtime, seed: number): Promise<Invariance> {
  const count = generator.batch === 'any' ? 4 : generator.batch;
  const drawn = await generator.draw(count, randomFrom(seed));
  const doubled = new Map(
    [...drawn].map(([name, z]): [string, Tensor] => [
      name,
      float32(
        float32Data(z).map((v) => 2 * v),
        z.dims,
      ),
    ]),
  );
  const other = await generator.draw(count, randomFrom(seed + 1));
  const [a, b, c] = [
    await generateImages(generator, drawn, runtime),
    await generateImages(generator, doubled, runtime),
    await generateImages(generator, other, runtime),
  ];
  const whole = (x: Image): Image => ({ ...x, dims: [1, 1, 1, sizeOf(x.dims)] });
  const change = (rmsGrey(whole(a), whole(b)) ?? 0) / (rmsGrey(whole(a), whole(c)) ?? 1);
  const scale = change < UNCHANGED;
  return {
    scale,
    sentence: scale
      ? 'G(2z) = G(z): only the direction of z counts, and errors of z are of vectors brought to one length.'
      : 'G(2z) differs from G(z): z is compared as it is. Other invariances are not looked for; one would show as an error of z that stays while that of the image vanishes.',
  };
}

/** G of latents [n, ...dims], n any number. */
export async function generateImages(
  generator: Pick<Generator, 'graph' | 'output' | 'batch'>,
  latents: ReadonlyMap<string, Tensor>,
  runtime: Runtime,
): Promise<Image> {
  const session = await runtime.session(encodeModel(generator.graph));
  const n = [...latents.values()][0].dims[0];
  const size = generator.batch === 'any' ? Math.min(n, 25) : generator.batch;
  const parts: Float32Array[] = [];
  let dims: readonly number[] = [];
  try {
    for (let from = 0; from < n; from += size) {
      // A last part that is too short for a fixed batch is filled up with its last latent.
      const length = generator.batch === 'any' ? Math.min(size, n - from) : size;
      const picked = Array.from({ length }, (_, i) => Math.min(n - 1, from + i));
      const feeds = new Map([...latents].map(([name, z]): [string, Tensor] => [name, rows(z, picked)]));
      const made = (await session.run(feeds, [generator.output])).get(generator.output)!;
      dims = made.dims;
      parts.push(float32Data(made));
    }
  } finally {
    await session.dispose();
  }
  const one = sizeOf(dims.slice(1));
  const data = new Float32Array(n * one);
  parts.forEach((part, i) => {
    data.set(part.subarray(0, Math.min(part.length, data.length - i * size * one)), i * size * one);
  });
  return float32(data, [n, ...dims.slice(1)]);
}

/** Picture i of a batch of truths. */
export function truthAt(
  clean: Image,
  mask: Mask,
  latents: ReadonlyMap<string, Tensor> | undefined,
  index: number,
): Truth {
  return {
    clean: imageAt(clean, index),
    mask: imageAt(mask, index),
    ...(latents ? { latents: rowsOf(latents, [index]) } : {}),
  };
}

/** Those rows of every latent. */
export function rowsOf(latents: ReadonlyMap<string, Tensor>, picked: readonly number[]): Map<string, Tensor> {
  return new Map([...latents].map(([name, z]) => [name, rows(z, picked)]));
}
