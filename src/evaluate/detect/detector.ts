/**
 * Detectors: what learns from good pictures and makes an anomaly map of any picture. The plain ones here have closed forms
 * and must be beaten by any method worth its time.
 */

import { fitLinear } from '../../gan/networks/linear.ts';
import { type Image, imageAt, residualMap, shapeOf } from '../../images/image.ts';
import { gaussianBlur } from '../../images/resize.ts';
import { encodeModel } from '../../onnx/encode.ts';
import { float32, type Tensor } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';

/** What a detector makes of pictures. */
export interface Found {
  /** Raw maps [n,1,H,W], larger is odder. */
  readonly maps: Image;
  /** What the pictures would look like if they were good, where the detector says so: [n,C,H,W] in [-1,1]. */
  readonly restored?: Image;
}

export interface Detector {
  find(images: Image): Promise<Found>;
  dispose(): Promise<void>;
}

/** Maps are smoothed by so many pixels (at 128 pixels; in proportion at other sizes) before anything is read off them. */
export const SMOOTHING = 1.5;

export function smoothed(maps: Image): Image {
  const { height, width } = shapeOf(maps);
  return gaussianBlur(maps, (SMOOTHING * Math.min(height, width)) / 128);
}

/** Least standard deviation that is believed: two grey levels, the noise of 8 bits and of a camera. */
const LEAST_DEVIATION = 2 / 127.5;

/**
 * A Gaussian per pixel and channel: the map is the root mean square over the channels of (x - mean) / deviation. `good` is
 * [n,C,H,W]; pictures must be aligned for it to mean anything.
 */
export function gaussianDetector(good: Image): Detector {
  const { count, channels, height, width } = shapeOf(good);
  const size = channels * height * width;
  const mean = new Float64Array(size);
  const square = new Float64Array(size);
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < size; i++) {
      const value = good.data[n * size + i];
      mean[i] += value / count;
      square[i] += value ** 2 / count;
    }
  }
  const precision = square.map((s, i) => 1 / Math.max(s - mean[i] ** 2, LEAST_DEVIATION ** 2));
  const plane = height * width;
  return {
    async find(images) {
      const n = images.dims[0];
      const maps = new Float32Array(n * plane);
      for (let k = 0; k < n; k++) {
        for (let p = 0; p < plane; p++) {
          let sum = 0;
          for (let c = 0; c < channels; c++) {
            const i = c * plane + p;
            sum += (images.data[k * size + i] - mean[i]) ** 2 * precision[i];
          }
          maps[k * plane + p] = Math.sqrt(sum / channels);
        }
      }
      const means = Float32Array.from({ length: n * size }, (_, i) => mean[i % size]);
      return { maps: float32(maps, [n, 1, height, width]), restored: float32(means, images.dims) };
    },
    dispose: async () => {},
  };
}

/** Reconstruction by principal components of the good pictures; the map is the residual (RMS over the channels). */
export async function pcaDetector(good: Image, components: number, runtime: Runtime): Promise<Detector> {
  const model = await fitLinear(good, components, runtime);
  const encoder = await runtime.session(encodeModel(model.encoder));
  const generator = await runtime.session(encodeModel(model.generator));
  const first = (outputs: ReadonlyMap<string, Tensor>, graph: { outputs: readonly { name: string }[] }) =>
    outputs.get(graph.outputs[0].name)!;
  return {
    async find(images) {
      const codes = await encoder.run(new Map([[model.encoder.inputs[0].name, images]]));
      const made = await generator.run(new Map([[model.generator.inputs[0].name, first(codes, model.encoder)]]));
      const restored = first(made, model.generator) as Image;
      return { maps: residualMap(images, restored), restored };
    },
    async dispose() {
      await encoder.dispose();
      await generator.dispose();
    },
  };
}

/** One picture at a time would waste the machine, all at once its memory. */
export async function findAll(
  detector: Detector,
  images: Image,
  batch: number,
  onDone?: (done: number) => void,
): Promise<Found[]> {
  const { count } = shapeOf(images);
  const found: Found[] = [];
  const size = images.data.length / count;
  for (let from = 0; from < count; from += batch) {
    const to = Math.min(count, from + batch);
    const part = float32(images.data.subarray(from * size, to * size), [to - from, ...images.dims.slice(1)]);
    const { maps, restored } = await detector.find(part);
    for (let i = 0; i < to - from; i++) {
      found.push({ maps: imageAt(maps, i), ...(restored ? { restored: imageAt(restored, i) } : {}) });
    }
    onDone?.(to);
  }
  return found;
}
