/** Where the search begins: the best of a pool of random latents, by a distance of their images to the target. */
import { rows } from '../../arrays/rows.ts';
import { encodeModel } from '../../onnx/encode.ts';
import { float32, float32Data, type Tensor } from '../../onnx/tensor.ts';
import { randomFrom } from '../../random.ts';
import type { Runtime, Session } from '../../runtime/runtime.ts';
import { pooled, type Reuse } from '../compile/reuse.ts';
import type { Generator } from '../generator/generator.ts';
import type { StartDistance, StartRule } from '../spec/start-rule.ts';

/** Images evaluated at a time when the pool is looked through. */
const POOL_BATCH = 25;

/** Costs of `batch` latents for image `i`. */
export type LatentCost = (i: number, latents: ReadonlyMap<string, Tensor>) => Promise<Float32Array>;

export interface ChooseOptions {
  /** [n,1,H,W], 1 = trust: limits the comparison to known pixels. */
  readonly visibility?: Tensor;
  /** Serves the distance 'loss', for `poolBatch` latents at a time. */
  readonly cost?: LatentCost;
  /** Keeps the pool's images for the next call with the same generator and rule. */
  readonly pool?: Reuse['pool'];
  /** Aborted, the best of what was looked at so far are taken. */
  readonly signal?: AbortSignal;
}

/**
 * For each image of `images` [n,C,H,W] the `count` best latents of the pool, best first. Returns each latent as [n*count, ...dims], an image's starts side by side.
 */
export async function chooseStarts(
  generator: Generator,
  images: Tensor,
  rule: StartRule,
  count: number,
  runtime: Runtime,
  { visibility, cost, pool, signal }: ChooseOptions = {},
): Promise<Map<string, Tensor>> {
  const n = images.dims[0];
  const batch = poolBatch(generator);
  const size = Math.ceil(Math.max(rule.pool, count) / batch) * batch;
  const drawn = scaledBy(await generator.draw(size, randomFrom(rule.seed)), rule.scale ?? 1);
  const best: { distance: number; index: number }[][] = Array.from({ length: n }, () => []);
  const targets = cost ? [] : targetsOf(images, rule.distance, visibility);
  const session = await runtime.session(encodeModel(generator.graph));
  const made = (from: number, latents: ReadonlyMap<string, Tensor>) =>
    pooled(pool, from, size, batch, () => imagesOf(generator, session, latents));
  try {
    for (let from = 0; from < size && !(signal?.aborted && from >= count); from += batch) {
      const chunk = new Map([...drawn].map(([name, latent]) => [name, rows(latent, range(from, batch))]));
      const distances = cost
        ? await costsOf(cost, chunk, n)
        : distancesTo(targets, await made(from, chunk), batch, generator.channels, rule.distance);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < batch && from + j < Math.max(rule.pool, count); j++) {
          best[i].push({ distance: distances[i * batch + j], index: from + j });
        }
        best[i].sort((a, b) => a.distance - b.distance);
        best[i].length = Math.min(best[i].length, count);
      }
    }
  } finally {
    await session.dispose();
  }
  const chosen = best.flatMap((list) => list.map((entry) => entry.index));
  return new Map([...drawn].map(([name, latent]) => [name, rows(latent, chosen)]));
}

/** How many latents of a pool are looked at together. */
export function poolBatch(generator: Generator): number {
  return generator.batch === 'any' ? POOL_BATCH : generator.batch;
}

async function imagesOf(
  generator: Generator,
  session: Session,
  latents: ReadonlyMap<string, Tensor>,
): Promise<Float32Array> {
  return float32Data((await session.run(latents, [generator.output])).get(generator.output)!);
}

async function costsOf(cost: LatentCost, latents: ReadonlyMap<string, Tensor>, n: number): Promise<number[]> {
  const costs: number[] = [];
  for (let i = 0; i < n; i++) costs.push(...(await cost(i, latents)));
  return costs;
}

/** What of an image made ones are compared with. */
interface Target {
  readonly pixels: Int32Array;
  /** The channels of each pixel, side by side. */
  readonly values: Float32Array;
  /** How much each pixel is trusted; all alike if not given. */
  readonly weights?: Float32Array;
}

function targetsOf(images: Tensor, distance: StartDistance, visibility?: Tensor): Target[] {
  const [n, channels, height, width] = images.dims;
  const plane = height * width;
  const kept = visibility && float32Data(visibility);
  const every = Int32Array.from({ length: plane }, (_, p) => p);
  const seen = lookedAt(every, distance);
  return Array.from({ length: n }, (_, i) => {
    const own = kept?.subarray(i * plane, (i + 1) * plane);
    // Of images that are known wholly the same pixels are looked at, so that what is made is gathered once for all.
    const trust = own?.every((k) => k === 1) ? undefined : own;
    const pixels = trust
      ? lookedAt(
          every.filter((p) => trust[p] > 0),
          distance,
        )
      : seen;
    return {
      pixels,
      values: valuesAt(float32Data(images), i, pixels, channels, plane),
      ...(trust ? { weights: Float32Array.from(pixels, (p) => trust[p]) } : {}),
    };
  });
}

/** The robust distance, which has only to tell good starts from bad ones, looks at so many pixels at most. */
const LOOKED_AT = 1024;

/** `pixels`, or every so-manieth of them: an odd number, so that it does not keep in step with the rows. */
function lookedAt(pixels: Int32Array, { kind }: StartDistance): Int32Array {
  if (kind !== 'truncated' || pixels.length <= LOOKED_AT) return pixels;
  const stride = Math.ceil(pixels.length / LOOKED_AT) | 1;
  return pixels.filter((_, i) => i % stride === 0);
}

/** Distance of each target to each of `batch` made images [batch,C,H,W]: [n * batch]. */
function distancesTo(
  targets: readonly Target[],
  made: Float32Array,
  batch: number,
  channels: number,
  distance: StartDistance,
): Float64Array {
  const plane = made.length / (batch * channels);
  const result = new Float64Array(targets.length * batch);
  for (let j = 0; j < batch; j++) {
    let values: Float32Array | undefined;
    targets.forEach(({ pixels, values: wanted, weights }, i) => {
      if (!values || pixels !== targets[i - 1].pixels) values = valuesAt(made, j, pixels, channels, plane);
      result[i * batch + j] = distanceOf(wanted, values, channels, distance, weights);
    });
  }
  return result;
}

/** The channels of each of the `pixels` of image `i`, side by side. */
function valuesAt(data: Float32Array, i: number, pixels: Int32Array, channels: number, plane: number): Float32Array {
  const values = new Float32Array(pixels.length * channels);
  for (let k = 0, to = 0; k < pixels.length; k++) {
    for (let c = 0; c < channels; c++) values[to++] = data[(i * channels + c) * plane + pixels[k]];
  }
  return values;
}

function distanceOf(
  a: Float32Array,
  b: Float32Array,
  channels: number,
  distance: StartDistance,
  weights?: Float32Array,
): number {
  const squared = distance.kind === 'l2';
  const limit = distance.kind === 'truncated' ? distance.limit : Number.POSITIVE_INFINITY;
  let total = 0;
  for (let k = 0, at = 0; at < a.length; k++) {
    let cost = 0;
    for (let c = 0; c < channels; c++, at++) {
      const r = a[at] - b[at];
      cost += squared ? r * r : Math.abs(r);
    }
    total += (weights ? weights[k] : 1) * (cost < limit ? cost : limit);
  }
  return total;
}

function scaledBy(latents: Map<string, Tensor>, scale: number): Map<string, Tensor> {
  if (scale === 1) return latents;
  return new Map(
    [...latents].map(([name, z]) => [
      name,
      float32(
        float32Data(z).map((v) => v * scale),
        z.dims,
      ),
    ]),
  );
}

function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}
