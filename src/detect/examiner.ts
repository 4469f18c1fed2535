/** Pictures examined by a policy: restored, compared with what good ones are like, judged. */
import type { Image } from '../images/image.ts';
import type { Generator } from '../inversion/generator.ts';
import type { Graph } from '../onnx/graph.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { imageScore } from './defects.ts';
import { anomalyMap } from './evidence.ts';
import { checkPolicyFits, type Policy } from './policy.ts';
import { openRestorer } from './restorer.ts';

export interface Examination {
  /** What a good picture would look like, [1,C,H,W]. */
  readonly restored: Image;
  /** How odd each pixel is, [1,1,H,W]; about 1 where it is good. The policy's thresholds are in its units. */
  readonly map: Image;
  /** See `imageScore`; in the map's units. */
  readonly score: number;
  readonly defective: boolean;
}

export interface Examiner {
  /** Pictures that should be given together. */
  readonly batch: number;
  /** Pictures [1,C,H,W] at the working size: the generator's for whole objects, any for tiles (made `scale` times smaller). */
  examine(images: readonly Image[], onDone?: (share: number) => void): Promise<Examination[]>;
  dispose(): Promise<void>;
}

export interface ExaminerOptions {
  readonly generator: Generator;
  readonly encoder?: Graph;
  readonly policy: Policy;
  readonly batch?: number;
  readonly signal?: AbortSignal;
}

/** Throws `model` where the policy is of another generator. */
export async function openExaminer(options: ExaminerOptions, runtime: Runtime): Promise<Examiner> {
  const { policy, ...rest } = options;
  checkPolicyFits(policy, options.generator);
  const { form, stride, inversion: settings, statistics, evidence, thresholds, scorePixels } = policy;
  const restorer = await openRestorer({ ...rest, form, stride, settings }, runtime);
  return {
    batch: restorer.batch,
    async examine(images, onDone) {
      const restored = await restorer.restore(images, onDone);
      return images.map((image, i) => {
        const map = anomalyMap(image, restored[i], statistics, evidence);
        const score = imageScore(map.data, scorePixels);
        return { restored: restored[i], map, score, defective: score > thresholds.image };
      });
    },
    dispose: restorer.dispose,
  };
}
