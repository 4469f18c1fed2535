/** Inspection of pictures by a policy: each is restored, its residual scored, and the score compared with the thresholds. */
import { RgiError } from '../errors.ts';
import type { FeatureNetwork } from '../features/network.ts';
import { type Image, shapeOf } from '../images/image.ts';
import type { Generator } from '../inversion/generator/generator.ts';
import type { Graph } from '../onnx/graph.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { appearanceInWords, appearanceScore } from './appearance.ts';
import { imageScore } from './defects.ts';
import { featureMap, openFeatureScorer } from './feature-space.ts';
import { joinedMap } from './joining.ts';
import { checkPolicyFits, type Policy } from './policy.ts';
import { openRestorer } from './restorer.ts';
import { anomalyMap } from './scoring.ts';

/** Version of how pictures are inspected: raised whenever the same policy gives other maps or scores. */
export const INSPECTION_RULES = 1;

/** The result of one picture. */
export interface Inspection {
  /** What a good picture would look like, [1,C,H,W]. */
  readonly restored: Image;
  /** Anomaly map [1,1,H,W]; about 1 where the picture is good. The policy's thresholds are in its units. */
  readonly map: Image;
  /** That of the map (`imageScore`), or a larger one of the picture as a whole where that is above the limit (`appearanceScore`); in the map's units. */
  readonly score: number;
  /** Is the score above the policy's image threshold? */
  readonly defective: boolean;
  /** Where the picture is defective as a whole: how it differs most from good ones, such as 'darker'. */
  readonly appearance?: string;
}

/** Inspects pictures by one policy. Holds compiled graphs and sessions until it is disposed of. */
export interface Inspector {
  /** Pictures that should be given together. */
  readonly batch: number;
  /** Pictures [1,C,H,W] at the working size: the generator's for whole objects, any for tiles (reduced by the policy's `scale`). */
  inspect(images: readonly Image[], onDone?: (share: number) => void): Promise<Inspection[]>;
  /** Frees its sessions; it cannot be used afterwards. */
  dispose(): Promise<void>;
}

/** What `openInspector` is given. */
export interface InspectorOptions {
  /** The generator that the policy was made for. */
  readonly generator: Generator;
  /** The encoder that the policy was made with, if any. */
  readonly encoder?: Graph;
  /** The feature network that the policy was made with; needed where the policy compares features (`policy.features`). */
  readonly features?: FeatureNetwork;
  /** From `calibrate`, `readPolicy` or `parsePolicy`. */
  readonly policy: Policy;
  /** Pictures or tiles that are searched together; chosen by their size if not given. */
  readonly batch?: number;
  /** Aborts the work: `inspect` then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Opens an inspector: the generator's step graph is compiled once, for all pictures. Throws `RgiError` where the
 * generator does not fit the policy or cannot be differentiated.
 *
 * @example
 * ```ts
 * import { fileURLToPath } from 'node:url';
 * import { openInspector, openGenerator, openModel, randomFrom, readPolicy } from 'rgi/node';
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
 * const inspector = await openInspector({ generator, encoder, policy }, runtime);
 * const [{ defective }] = await inspector.inspect([picture]);
 * console.log(defective); // false
 * await runtime.dispose();
 * ```
 */
export async function openInspector(options: InspectorOptions, runtime: Runtime): Promise<Inspector> {
  const { policy, features, ...rest } = options;
  checkPolicyFits(policy, options.generator);
  const { form, stride, inversion: settings, statistics, evidence, appearance, thresholds, scorePixels } = policy;
  const second = await openSecondSpace(options, runtime);
  const restorer = await openRestorer({ ...rest, form, stride, settings }, runtime);
  return {
    batch: restorer.batch,
    async inspect(images, onDone) {
      const restored = await restorer.restore(images, onDone);
      const pixels = images.map((image, i) => anomalyMap(image, restored[i], statistics, evidence));
      const maps = second ? await second.join(images, pixels) : pixels;
      return maps.map((map, i) => {
        const asWhole = appearance ? appearanceScore(images[i], appearance) : 0;
        const ofMap = imageScore(map.data, scorePixels);
        const score = asWhole > thresholds.image ? Math.max(ofMap, asWhole) : ofMap;
        return {
          restored: restored[i],
          map,
          score,
          defective: score > thresholds.image,
          ...(appearance && asWhole > thresholds.image ? { appearance: appearanceInWords(images[i], appearance) } : {}),
        };
      });
    },
    async dispose() {
      await second?.dispose();
      await restorer.dispose();
    },
  };
}

interface SecondSpace {
  /** The maps joined with those of the pictures' features. */
  join(images: readonly Image[], pixels: readonly Image[]): Promise<Image[]>;
  dispose(): Promise<void>;
}

/** Undefined where the policy compares pixels alone. Throws `usage` where its feature network is not given. */
async function openSecondSpace(
  { policy, features: network, generator }: InspectorOptions,
  runtime: Runtime,
): Promise<SecondSpace | undefined> {
  const { features: settings, statistics } = policy;
  if (!settings || !statistics.features) return undefined;
  if (!network)
    throw new RgiError(
      'usage',
      `The policy '${policy.name}' compares the features of '${settings.network.file}': open that network and give it as 'features'.`,
    );
  const scorer = await openFeatureScorer(network, statistics.features, generator, runtime);
  return {
    async join(images, pixels) {
      const distances = await scorer.score(images);
      return pixels.map((map, i) =>
        joinedMap(map, featureMap(distances[i], shapeOf(map), settings.smoothing), settings.units),
      );
    },
    dispose: scorer.dispose,
  };
}
