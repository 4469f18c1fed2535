/**
 * A policy as ONE plain ONNX file, the detector: pictures in; map, mask, score and verdict out. It holds all that `openInspector` does, in
 * standard operators of opset 17, so that it runs where there is ONNX Runtime and none of this code.
 */
import { RgiError } from '../../errors.ts';
import type { FeatureNetwork } from '../../features/network.ts';
import { affineMapOf } from '../../inversion/generator/affine-map.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { GraphBuilder, type Value } from '../../onnx/builder.ts';
import { encodeModel } from '../../onnx/encode.ts';
import type { Graph, ValueInfo } from '../../onnx/graph.ts';
import { lowered, PORTABLE } from '../../onnx/lower.ts';
import { withoutDeadCode } from '../../passes/dead-code.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { emitAppearanceScore } from '../appearance.ts';
import { checkPolicyFits, isProjection, type Policy } from '../policy.ts';
import { emitProjection, maskLimit, notAffine, projectionShrinkage } from '../projection.ts';
import { DETECTOR, type DetectorFacts, type DetectorInput, detectorMetadata } from './facts.ts';
import { halvedWhereExact } from './halved.ts';
import { emitMap } from './map.ts';
import { emitSearch } from './search.ts';
import { sharedInitializers } from './shared-initializers.ts';
import { emitMask, emitScore } from './verdict.ts';

/** What `exportDetector` is given: what `openInspector` is, and the form of the file. */
export interface DetectorExport {
  /** The generator that the policy was made for. */
  readonly generator: Generator;
  /** The encoder that the policy was made with; needed where the policy searches. */
  readonly encoder?: Graph;
  /** The feature network that the policy was made with; needed where the policy compares features. */
  readonly features?: FeatureNetwork;
  /** From `calibrate`, `readPolicy` or `parsePolicy`. */
  readonly policy: Policy;
  /** The form of the pictures; default 'float32'. */
  readonly input?: DetectorInput;
  /** Further facts for the file's metadata (`rgi.detector`): plain JSON. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/**
 * The bytes of the detector: input `image`, float32 [N,C,H,W] in [-1,1] or uint8 [N,H,W,C]; outputs `map` [N,1,H,W] in units of good
 * pictures, `mask` uint8 [N,1,H,W] of 0 and 1, `score` [N], `defective` bool [N]. A policy that searches is exported for one picture at a
 * time (N = 1). Throws `usage` for a policy that cannot be exported, `unsupported-operator` where a network is not of opset 17.
 *
 * @example
 * ```ts
 * import { fileURLToPath } from 'node:url';
 * import { createRuntime, exportDetector, openGenerator, openModel, readPolicy } from 'rgi/node';
 *
 * const named = (file: string) => fileURLToPath(import.meta.resolve(`rgi/models/bsd-pitting/${file}`));
 * const runtime = await createRuntime();
 * const model = await openModel(named('generator.onnx'));
 * const generator = await openGenerator(model.graph, runtime);
 * const encoder = (await openModel(named('encoder.onnx'))).graph;
 * const policy = await readPolicy(named('generator.onnx'), model);
 * const detector = await exportDetector({ generator, encoder, policy }, runtime);
 * console.log(detector.length > 1e6); // true
 * await runtime.dispose();
 * ```
 */
export async function exportDetector(options: DetectorExport, runtime: Runtime): Promise<Uint8Array> {
  const { generator, policy, features, input = 'float32' } = options;
  checkPolicyFits(policy, generator);
  checkExportable(options);
  const { channels, height, width } = generator;
  const size = { height, width };
  const b = new GraphBuilder();
  for (const name of Object.values(DETECTOR)) b.reserve(name);
  const image = input === 'uint8' ? fromBytes(b) : DETECTOR.image;
  const made = await emitRestoration(b, image, options, runtime);
  const restored = b.Clip(made, b.scalar(-1), b.scalar(1));
  const map = emitMap(b, image, restored, policy, features, size);
  const ofMap = emitScore(b, map, size, policy.scorePixels);
  const score = policy.appearance
    ? emitWithAppearance(b, ofMap, emitAppearanceScore(b, image, channels, policy.appearance), policy)
    : ofMap;
  const defective = b.Greater(score, b.scalar(policy.thresholds.image));
  const mask = emitMask(b, map, size, policy, defective);
  b.node('Identity', [map], {}, [DETECTOR.map]);
  b.node('Identity', [b.Cast(mask, 'uint8')], {}, [DETECTOR.mask]);
  b.node('Identity', [score], {}, [DETECTOR.score]);
  b.node('Identity', [defective], {}, [DETECTOR.defective]);
  const count = isProjection(policy.inversion) && (features?.batch ?? 'any') === 'any' ? 'N' : 1;
  const inputs: ValueInfo[] = [
    input === 'uint8'
      ? { name: DETECTOR.image, type: 'uint8', dims: [count, height, width, channels] }
      : { name: DETECTOR.image, type: 'float32', dims: [count, channels, height, width] },
  ];
  const outputs: ValueInfo[] = [
    { name: DETECTOR.map, type: 'float32', dims: [count, 1, height, width] },
    { name: DETECTOR.mask, type: 'uint8', dims: [count, 1, height, width] },
    { name: DETECTOR.score, type: 'float32', dims: [count] },
    { name: DETECTOR.defective, type: 'bool', dims: [count] },
  ];
  const graph = halvedWhereExact(sharedInitializers(withoutDeadCode(b.graph('detector', inputs, outputs))));
  const facts: DetectorFacts = {
    policy: policy.name,
    thresholds: policy.thresholds,
    falseAlarms: policy.falseAlarms,
    scorePixels: policy.scorePixels,
    leastArea: policy.leastArea,
    displayHigh: policy.displayHigh,
    ...options.facts,
  };
  return encodeModel(lowered(graph), detectorMetadata(generator, input, facts), undefined, PORTABLE);
}

/** The score of the map, or that of the picture as a whole where it is above the limit. */
function emitWithAppearance(b: GraphBuilder, ofMap: Value, asWhole: Value, { thresholds }: Policy): Value {
  return b.Where(b.Greater(asWhole, b.scalar(thresholds.image)), b.Max(ofMap, asWhole), ofMap);
}

/** Throws `usage`, naming what can be exported, for a policy that cannot. */
function checkExportable({ policy, generator, encoder, features }: DetectorExport): void {
  const fail = (what: string) => new RgiError('usage', `The policy '${policy.name}' cannot be exported: ${what}`);
  if (policy.form !== 'object')
    throw fail(
      'it inspects pictures by tiles, and a detector file takes whole pictures of one size (calibrate with --form object).',
    );
  if (policy.features && !features)
    throw fail(`it compares the features of '${policy.features.network.file}': give that network.`);
  if (features && features.batch !== 'any' && features.batch !== 1)
    throw fail(`its feature network takes ${features.batch} pictures at a time; it must take one, or any number.`);
  if (isProjection(policy.inversion)) return;
  if (!encoder)
    throw fail(
      'it searches from random starts that compete, which a graph of a fixed number of steps cannot do; what can be exported is a policy of a linear generator, or of one with an encoder (--encoder).',
    );
  if (generator.latents.length !== 1)
    throw fail('its generator has several latents, and the search of an exported detector moves one.');
}

async function emitRestoration(
  b: GraphBuilder,
  image: Value,
  { generator, encoder, policy }: DetectorExport,
  runtime: Runtime,
): Promise<Value> {
  const { inversion } = policy;
  if (!isProjection(inversion))
    return emitSearch(b, image, { generator, encoder: encoder!, settings: inversion }, runtime);
  const map = await affineMapOf(generator, runtime);
  if (!map) throw notAffine();
  return emitProjection(b, image, generator, map, {
    shrinkage: b.constant(await projectionShrinkage(map, inversion, runtime), 'shrinkage'),
    limit: b.scalar(maskLimit(inversion)),
    rounds: inversion.rounds,
  });
}

/** Pictures as files hold them, [N,H,W,C] of 0 to 255, as [N,C,H,W] in [-1,1]. */
function fromBytes(b: GraphBuilder): Value {
  const values = b.Cast(b.Transpose(DETECTOR.image, [0, 3, 1, 2]), 'float32');
  return b.Sub(b.Div(values, b.scalar(127.5)), b.scalar(1));
}
