/** Detectors: what learns from good pictures and makes an anomaly map of any picture. */
import { type Image, imageAt, shapeOf } from '../../images/image.ts';
import { gaussianBlur } from '../../images/resize.ts';
import type { Restoration } from '../../inversion/solve/restore.ts';
import { float32 } from '../../onnx/tensor.ts';
import type { TrajectoryPicture } from '../trajectory.ts';

/** What a detector makes of pictures. */
export interface Found {
  /** Raw maps [n,1,H,W], larger is odder. */
  readonly maps: Image;
  /** What the pictures would look like if they were good, where the detector says so: [n,C,H,W] in [-1,1]. */
  readonly restored?: Image;
  /** |M| [n,1,H,W] where the method has a mask: what the paper's variants of the scores are of. */
  readonly softMasks?: Image;
  /** Scores of the pictures, where they are not the largest values of their maps. */
  readonly scores?: readonly number[];
  /** How the search for each picture went, where there was one. */
  readonly searches?: readonly Search[];
}

export type Search = Pick<Restoration, 'code' | 'loss' | 'steps' | 'history'>;

export interface Detector {
  /** The threshold that it brings, for maps that are as they should be: neither smoothed nor calibrated here. */
  readonly threshold?: number;
  /** Undefined if it was aborted. */
  find(images: Image, signal?: AbortSignal): Promise<Found | undefined>;
  /** How the search for one picture [1,C,H,W] goes, in about `count` pictures; absent where nothing is searched. */
  trajectory?(image: Image, count: number, signal?: AbortSignal): Promise<readonly TrajectoryPicture[]>;
  dispose(): Promise<void>;
}

/** Sigma, in pixels of a picture of size 128 and in proportion at other sizes, by which maps are smoothed before they are scored. */
export const SMOOTHING = 1.5;

/** The maps of a detector as they are read: smoothed, unless it brings its own threshold. */
export function mapsOf(detector: Detector, maps: Image): Image {
  return detector.threshold === undefined ? smoothed(maps) : maps;
}

export function smoothed(maps: Image): Image {
  const { height, width } = shapeOf(maps);
  return gaussianBlur(maps, (SMOOTHING * Math.min(height, width)) / 128);
}

export interface FindAllHooks {
  /** After each batch: how many pictures it had. */
  readonly onDone?: (newly: number) => void;
  readonly signal?: AbortSignal;
}

/** The raw maps [1,1,H,W] of many pictures, `batch` at a time; undefined if aborted. */
export async function findAll(
  detector: Detector,
  images: Image,
  batch: number,
  { onDone, signal }: FindAllHooks = {},
): Promise<Image[] | undefined> {
  const { count } = shapeOf(images);
  const maps: Image[] = [];
  const size = images.data.length / count;
  for (let from = 0; from < count; from += batch) {
    if (signal?.aborted) return undefined;
    const to = Math.min(count, from + batch);
    const part = float32(images.data.subarray(from * size, to * size), [to - from, ...images.dims.slice(1)]);
    const found = await detector.find(part, signal);
    if (!found) return undefined;
    for (let i = 0; i < to - from; i++) maps.push(imageAt(found.maps, i));
    onDone?.(to - from);
  }
  return maps;
}
