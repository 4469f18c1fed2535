/** A detector file as a detector: what is deployed is what is evaluated. */
import { toBytes } from '../../detect/export/check.ts';
import { DETECTOR, type DetectorDescription } from '../../detect/export/facts.ts';
import { clip, type Image, imagesOf, stackImages } from '../../images/image.ts';
import { float32Data, type Tensor } from '../../onnx/tensor.ts';
import type { Runtime, Session } from '../../runtime/runtime.ts';
import type { Detector } from './detector.ts';

/** `bytes`: the file; it is opened with the first pictures. */
export function exportedDetector(bytes: Uint8Array, description: DetectorDescription, runtime: Runtime): Detector {
  const { batch, input, thresholds } = description;
  let opened: Promise<Session> | undefined;
  const run = async (images: Image) => {
    opened ??= runtime.session(bytes);
    // Files hold no values outside of the range.
    const fed: Tensor = input === 'uint8' ? toBytes(clip(images)) : images;
    const made = await (await opened).run(new Map([[DETECTOR.image, fed]]));
    return { map: made.get(DETECTOR.map) as Image, scores: float32Data(made.get(DETECTOR.score)!) };
  };
  return {
    threshold: thresholds.pixel,
    async find(images, signal) {
      if (batch === 'any') {
        const { map, scores } = await run(images);
        return { maps: map, scores: [...scores] };
      }
      const maps: Image[] = [];
      const scores: number[] = [];
      for (const image of imagesOf(images)) {
        if (signal?.aborted) return undefined;
        const made = await run(image);
        maps.push(made.map);
        scores.push(made.scores[0]);
      }
      return { maps: stackImages(maps), scores };
    },
    dispose: async () => (await opened)?.dispose(),
  };
}
