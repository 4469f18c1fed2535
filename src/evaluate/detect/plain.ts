/** Detectors in closed form, which any method worth its time must beat. */
import { fitLinear } from '../../gan/networks/linear.ts';
import { type Image, residualMap, shapeOf } from '../../images/image.ts';
import { encodeModel } from '../../onnx/encode.ts';
import { float32, type Tensor } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Detector } from './detector.ts';

/** Lower bound of a standard deviation: two grey levels, the noise of 8 bits and of a camera. */
const MIN_DEVIATION = 2 / 127.5;

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
  const precision = square.map((s, i) => 1 / Math.max(s - mean[i] ** 2, MIN_DEVIATION ** 2));
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
