/** Pictures examined by a policy: restored, compared with what good ones are like, judged. */
import type { Image } from '../images/image.ts';
import type { Generator } from '../inversion/generator/generator.ts';
import type { Graph } from '../onnx/graph.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { imageScore } from './defects.ts';
import { anomalyMap } from './evidence.ts';
import { checkPolicyFits, type Policy } from './policy.ts';
import { openRestorer } from './restorer.ts';

/** Version of how pictures are examined: raised whenever the same policy gives other maps or scores. */
export const EXAMINE_RULES = 1;

/** What was found on one picture. */
export interface Examination {
  /** What a good picture would look like, [1,C,H,W]. */
  readonly restored: Image;
  /** How odd each pixel is, [1,1,H,W]; about 1 where it is good. The policy's thresholds are in its units. */
  readonly map: Image;
  /** See `imageScore`; in the map's units. */
  readonly score: number;
  /** Is the score above the policy's image threshold? */
  readonly defective: boolean;
}

/** Inspects pictures by one policy. Holds compiled graphs and sessions until it is disposed of. */
export interface Examiner {
  /** Pictures that should be given together. */
  readonly batch: number;
  /** Pictures [1,C,H,W] at the working size: the generator's for whole objects, any for tiles (made `scale` times smaller). */
  examine(images: readonly Image[], onDone?: (share: number) => void): Promise<Examination[]>;
  /** Frees its sessions; it cannot be used afterwards. */
  dispose(): Promise<void>;
}

/** What `openExaminer` is given. */
export interface ExaminerOptions {
  /** The generator that the policy was made for. */
  readonly generator: Generator;
  /** The encoder that the policy was made with, if any. */
  readonly encoder?: Graph;
  /** From `calibrate`, `readPolicy` or `parsePolicy`. */
  readonly policy: Policy;
  /** Pictures or tiles that are searched together; chosen by their size if not given. */
  readonly batch?: number;
  /** Aborts the work: `examine` then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Opens an examiner: the generator's step graph is compiled once, for all pictures. Throws `RgiError` where the
 * generator does not fit the policy or cannot be differentiated.
 *
 * @example
 * ```ts
 * import { fileURLToPath } from 'node:url';
 * import { openExaminer, openGenerator, openModel, randomFrom, readPolicy } from 'rgi/node';
 * import { createRuntime, encodeModel } from 'rgi/node';
 *
 * const named = (file: string) => fileURLToPath(import.meta.resolve(`rgi/models/bsd-pitting/${file}`));
 * const runtime = await createRuntime();
 * const model = await openModel(named('generator.onnx'));
 * const generator = await openGenerator(model.graph, runtime);
 * const encoder = (await openModel(named('encoder.onnx'))).graph;
 * const policy = await readPolicy(named('generator.onnx'), model);
 * const session = await runtime.session(encodeModel(model.graph));
 * const drawn = await session.run(await generator.draw(1, randomFrom(1)));
 * const data = drawn.get(generator.output)!.data as Float32Array;
 * const picture = { type: 'float32', dims: [1, generator.channels, generator.height, generator.width], data } as const;
 * const examiner = await openExaminer({ generator, encoder, policy }, runtime);
 * const [{ defective }] = await examiner.examine([picture]);
 * console.log(defective); // false
 * await runtime.dispose();
 * ```
 */
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
