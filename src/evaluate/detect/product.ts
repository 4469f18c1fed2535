/** `rgi detect` itself as a detector: the generator with a policy that `rgi calibrate` stored in it. */
import { workingSize } from '../../datasets/working-size.ts';
import { type Inspector, type InspectorOptions, openInspector } from '../../detect/inspector.ts';
import { type Image, imagesOf, shapeOf, stackImages } from '../../images/image.ts';
import { resize } from '../../images/resize.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Detector } from './detector.ts';

export type ProductJob = Pick<InspectorOptions, 'generator' | 'encoder' | 'features' | 'policy' | 'batch'>;

/** Whole objects are inspected as they are; for tiles a picture is first made the policy's `scale` times smaller. */
export function productDetector(job: ProductJob, runtime: Runtime): Detector {
  const { policy, generator } = job;
  const working = (image: Image): Image => {
    if (policy.form === 'object') return image;
    const size = workingSize(shapeOf(image), generator, policy.scale);
    return resize(image, size, size.height < shapeOf(image).height ? 'area' : 'bilinear');
  };
  let opened: Promise<Inspector> | undefined;
  return {
    threshold: policy.thresholds.pixel,
    async find(images, signal) {
      const { height, width } = shapeOf(images);
      opened ??= openInspector({ ...job, signal }, runtime);
      try {
        const inspected = await (await opened).inspect(imagesOf(images).map(working));
        const back = (image: Image) => resize(image, { height, width }, 'bilinear');
        return {
          maps: stackImages(inspected.map(({ map }) => back(map))),
          restored: stackImages(inspected.map(({ restored }) => back(restored))),
          scores: inspected.map(({ score }) => score),
        };
      } catch (error) {
        if (signal?.aborted) return undefined;
        throw error;
      }
    },
    dispose: async () => (await opened)?.dispose(),
  };
}
