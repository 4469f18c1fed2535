/** A generator's method as a detector: each picture is inverted, and what is left of it is the map. */
import { type Image, stackImages } from '../../images/image.ts';
import { reuse } from '../../inversion/compile/reuse.ts';
import type { Critic } from '../../inversion/generator/critic.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { restoreImages } from '../../inversion/solve/restore.ts';
import type { Method } from '../../inversion/spec/method.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { searchTrajectory } from '../trajectory.ts';
import type { Detector, Search } from './detector.ts';

export interface SearchJob {
  readonly generator: Generator;
  readonly method: Method;
  readonly critic?: Critic;
  /** Methods without a mask of their own: residual, in grey levels, above which a pixel counts as found. */
  readonly thresholdGrey: number;
  /** A picture's score: the largest value of its map, or (AnoGAN) the loss that the search ended with. */
  readonly scoredBy: 'map' | 'loss';
}

export function searchDetector({ scoredBy, ...job }: SearchJob, runtime: Runtime): Detector {
  const shared = { ...job, reuse: reuse() };
  const masks = job.method.stages.some((stage) => stage.formulation.mask.form !== 'none');
  return {
    async find(images, signal) {
      const made: { residual: Image; restored: Image; softMask: Image; search: Search }[] = [];
      const all = { ...shared, images, batch: images.dims[0], blend: 'none' as const };
      for await (const one of restoreImages(all, runtime, { signal })) {
        const { code, loss, steps, history, restored, softMask } = one;
        // A search that diverged has found nothing.
        const residual = code === 'diverged' ? { ...one.residual, data: one.residual.data.map(() => 0) } : one.residual;
        made.push({ residual, restored, softMask, search: { code, loss, steps, history } });
      }
      if (made.length < images.dims[0]) return undefined;
      return {
        maps: stackImages(made.map((one) => one.residual)),
        restored: stackImages(made.map((one) => one.restored)),
        ...(masks ? { softMasks: stackImages(made.map((one) => one.softMask)) } : {}),
        searches: made.map((one) => one.search),
        ...(scoredBy === 'loss' ? { scores: made.map((one) => one.search.loss) } : {}),
      };
    },
    trajectory: (image, count, signal) => searchTrajectory({ ...shared, image }, count, runtime, signal),
    dispose: async () => {},
  };
}
