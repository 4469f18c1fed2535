/**
 * Restoration of a large picture by overlapping tiles of the generator's size, for generators of textures. Tiles are searched by rows and
 * merged with weights that fall to almost nothing at a tile's rim, so that no seam shows; of the whole picture integers are held only.
 */
import { type Box, type Image, imageAt, type Mask, type Size, stackImages } from '../images/image.ts';
import { inColours } from '../images/own-size/colours.ts';
import type { StoredMap } from '../images/own-size/frame.ts';
import { type Raster, windowOf } from '../images/own-size/raster.ts';
import type { ByteMask } from '../images/own-size/windows.ts';
import { bandMerger, tileBoxes } from '../images/tiles.ts';
import { reuse } from '../inversion/compile/reuse.ts';
import { batchSize, type Restoration, type RestoreJob, restoreImages } from '../inversion/solve/restore.ts';
import { float32 } from '../onnx/tensor.ts';
import type { Runtime } from '../runtime/runtime.ts';

/** A picture at the size at which it is taken apart, and what is known of it. */
export interface TiledPicture {
  /** Grey or RGB, at least as large as a tile. */
  readonly raster: Raster;
  readonly mask?: ByteMask;
  readonly keep?: ByteMask;
  readonly hide?: ByteMask;
  /** 1 where there is no picture. */
  readonly outside?: ByteMask;
}

/** What was found by tiles, at the size of the raster. */
export interface TiledRestoration {
  /** G(z) of the tiles merged, [1,C,H,W]. */
  readonly restored: StoredMap;
  /** 1 = corrupted, [1,1,H,W]. */
  readonly mask: StoredMap;
  /** [1,1,H,W] in [0,1]. */
  readonly softMask: StoredMap;
  /** RMS over the channels, in units of [-1,1], [1,1,H,W]; at most 2. */
  readonly residual: StoredMap;
  /** Root mean square of the tiles' misfits, in grey levels. */
  readonly misfit: number;
  /** Are more than half of the tiles unlike anything that the generator makes? */
  readonly outOfDomain: boolean;
  readonly code: Restoration['code'];
  /** Sum over the tiles. */
  readonly loss: number;
  /** Most steps of a tile. */
  readonly steps: number;
  readonly seconds: number;
  readonly tiles: number;
}

export interface TiledHooks {
  /** Of all tiles, from 0 to 1. */
  readonly onShare?: (share: number, tiles: number) => void;
  readonly signal?: AbortSignal;
}

/** Tiles at most this share of their side apart. */
const STRIDE = 0.75;

/** Undefined where it was aborted. */
export async function restoreTiled(
  job: Omit<RestoreJob, 'images' | 'masks' | 'outside' | 'keep' | 'hide'>,
  picture: TiledPicture,
  runtime: Runtime,
  { onShare, signal }: TiledHooks = {},
): Promise<TiledRestoration | undefined> {
  const { channels, height, width } = job.generator;
  const tile: Size = { height, width };
  const boxes = tileBoxes(picture.raster, tile, Math.max(1, Math.floor(STRIDE * Math.min(height, width))));
  const planes = merging(channels, picture.raster, tile, picture.raster.data instanceof Uint16Array);
  const shared = { ...job, reuse: job.reuse ?? reuse() };
  const batch = batchSize(shared);
  const started = performance.now();
  const sum = { loss: 0, steps: 0, squares: 0, outside: 0, lost: 0, diverged: false };
  for (let from = 0; from < boxes.length; from += batch) {
    const own = boxes.slice(from, from + batch);
    let i = 0;
    for await (const made of restoreImages({ ...shared, ...tilesOf(picture, own, channels) }, runtime, { signal })) {
      planes.add(made, own[i++]);
      sum.loss += made.loss;
      sum.steps = Math.max(sum.steps, made.steps);
      sum.squares += made.misfit ** 2;
      sum.outside += made.outOfDomain ? 1 : 0;
      sum.lost += made.code === 'not-restored' ? 1 : 0;
      sum.diverged ||= made.code === 'diverged';
    }
    if (i < own.length) return undefined;
    onShare?.((from + own.length) / boxes.length, boxes.length);
  }
  return {
    ...planes.finished(),
    misfit: Math.sqrt(sum.squares / boxes.length),
    outOfDomain: sum.outside > boxes.length / 2,
    code: sum.diverged ? 'diverged' : sum.lost > boxes.length / 2 ? 'not-restored' : 'converged',
    loss: sum.loss,
    steps: sum.steps,
    seconds: (performance.now() - started) / 1000,
    tiles: boxes.length,
  };
}

type Tiles = Pick<RestoreJob, 'images' | 'masks' | 'keep' | 'hide' | 'outside'>;

function tilesOf({ raster, mask, keep, hide, outside }: TiledPicture, boxes: readonly Box[], channels: number): Tiles {
  const masksOf = (of: ByteMask | undefined): Mask | undefined =>
    of && stackImages(boxes.map((box) => maskWindow(of, box)));
  return {
    images: stackImages(boxes.map((box) => inColours(windowOf(raster, box), channels))),
    masks: masksOf(mask),
    keep: masksOf(keep),
    hide: masksOf(hide),
    outside: masksOf(outside),
  };
}

function maskWindow({ data, width }: ByteMask, box: Box): Mask {
  const out = new Float32Array(box.height * box.width);
  for (let y = 0; y < box.height; y++) {
    const from = (box.top + y) * width + box.left;
    out.set(data.subarray(from, from + box.width), y * box.width);
  }
  return float32(out, [1, 1, box.height, box.width]);
}

/** Restoration, mask, soft mask and residual of the tiles, merged into planes of integers. */
function merging(channels: number, { height, width }: Size, tile: Size, wide: boolean) {
  const plane = height * width;
  const most = wide ? 65535 : 255;
  const restored = wide ? new Uint16Array(channels * plane) : new Uint8Array(channels * plane);
  const [mask, soft, residual] = [new Uint8Array(plane), new Uint8Array(plane), new Uint8Array(plane)];
  const within = (v: number, top: number) => Math.min(top, Math.max(0, Math.round(v)));
  const merger = bandMerger(channels + 3, width, tile, (c, y, row) => {
    const at = y * width;
    row.forEach((v, x) => {
      if (c < channels) restored[c * plane + at + x] = within(((v + 1) / 2) * most, most);
      else if (c === channels) mask[at + x] = v > 0.5 ? 1 : 0;
      else (c === channels + 1 ? soft : residual)[at + x] = within(c === channels + 1 ? 255 * v : 127.5 * v, 255);
    });
  });
  return {
    add(made: Restoration, box: Box): void {
      merger.finishAbove(box.top);
      const parts: Image[] = [made.restored, made.mask, made.softMask, made.residual];
      const data = new Float32Array((channels + 3) * tile.height * tile.width);
      let at = 0;
      for (const part of parts) {
        data.set(imageAt(part, 0).data, at);
        at += part.data.length;
      }
      merger.add(float32(data, [1, channels + 3, tile.height, tile.width]), box);
    },
    finished(): Pick<TiledRestoration, 'restored' | 'mask' | 'softMask' | 'residual'> {
      merger.finishAbove(height);
      const one = [1, 1, height, width];
      return {
        restored: { data: restored, dims: [1, channels, height, width], unit: 2 / most, offset: -1 },
        mask: { data: mask, dims: one },
        softMask: { data: soft, dims: one, unit: 1 / 255 },
        residual: { data: residual, dims: one, unit: 1 / 127.5 },
      };
    },
  };
}
