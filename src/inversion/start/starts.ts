/** Where the search begins: the best of a pool of random latents, by a distance of their images to the target. */
import { rows } from '../../arrays/rows.ts';
import { splitModel } from '../../onnx/encode.ts';
import { float32, float32Data, type Tensor } from '../../onnx/tensor.ts';
import { randomFrom } from '../../random.ts';
import type { Runtime, Session } from '../../runtime/runtime.ts';
import type { Reuse } from '../compile/reuse.ts';
import { type Generator, poolBatch } from '../generator/generator.ts';
import type { StartDistance, StartRule } from '../spec/start-rule.ts';
import { everyKth, type KeptPixels, keptPixels, pooled } from './pool.ts';

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
  const { channels, height, width } = generator;
  const { targets, pixels, isPooled } = cost
    ? { targets: [], pixels: undefined, isPooled: false }
    : comparison(images, rule.distance, visibility, pool && keptPixels(size, channels, height * width));
  const session = await runtime.session(splitModel(generator.graph));
  const made = (from: number, latents: ReadonlyMap<string, Tensor>) =>
    pooled(isPooled ? pool : undefined, from, () => imagesOf(generator, session, latents, pixels));
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

async function imagesOf(
  generator: Generator,
  session: Session,
  latents: ReadonlyMap<string, Tensor>,
  pixels?: Int32Array,
): Promise<Float32Array> {
  const made = float32Data((await session.run(latents, [generator.output])).get(generator.output)!);
  if (!pixels) return made;
  const plane = generator.height * generator.width;
  const kept = new Float32Array((made.length / plane) * pixels.length);
  for (let from = 0, to = 0; from < made.length; from += plane) for (const p of pixels) kept[to++] = made[from + p];
  return kept;
}

async function costsOf(cost: LatentCost, latents: ReadonlyMap<string, Tensor>, n: number): Promise<number[]> {
  const costs: number[] = [];
  for (let i = 0; i < n; i++) costs.push(...(await cost(i, latents)));
  return costs;
}

/** What of an image made ones are compared with. */
interface Target {
  /** Places in a channel of what is made. */
  readonly pixels: Int32Array;
  /** The channels of each pixel, side by side. */
  readonly values: Float32Array;
  /** How much each pixel is trusted; all alike if not given. */
  readonly weights?: Float32Array;
}

/** The targets of `images`, and what they need of the images made: some pixels or all, kept in the pool or not. */
function comparison(
  images: Tensor,
  distance: StartDistance,
  visibility: Tensor | undefined,
  kept: KeptPixels | undefined,
): { readonly targets: Target[]; readonly pixels?: Int32Array; readonly isPooled: boolean } {
  const [n, channels, height, width] = images.dims;
  const plane = height * width;
  const every = Int32Array.from({ length: plane }, (_, p) => p);
  const shown = visibility && float32Data(visibility);
  // Of images that are known wholly the same pixels are looked at, so that what is made is gathered once for all.
  const trusts = Array.from({ length: n }, (_, i) => {
    const own = shown?.subarray(i * plane, (i + 1) * plane);
    return own?.every((k) => k === 1) ? undefined : own;
  });
  const known = trusts.map((trust) => (trust ? every.filter((p) => trust[p] > 0) : every));
  const isRobust = distance.kind === 'truncated';
  const amongKept = isRobust && kept?.pixels ? known.map((own) => kept.compared(own)) : [];
  const pixels = amongKept.length > 0 && amongKept.every((own) => own !== undefined) ? kept?.pixels : undefined;
  const places = new Map(pixels && Array.from(pixels, (p, place) => [p, place] as const));
  const seen = isRobust ? everyKth(every) : every;
  const placed = pixels && Int32Array.from(pixels.keys());
  const targets = trusts.map((trust, i): Target => {
    const own = pixels ? amongKept[i]! : !trust ? seen : isRobust ? everyKth(known[i]) : known[i];
    return {
      pixels: !pixels ? own : own === pixels ? placed! : own.map((p) => places.get(p)!),
      values: valuesAt(float32Data(images), i, own, channels, plane),
      ...(trust ? { weights: Float32Array.from(own, (p) => trust[p]) } : {}),
    };
  });
  return { targets, pixels, isPooled: kept !== undefined && (kept.pixels === undefined || pixels !== undefined) };
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
