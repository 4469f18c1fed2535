/** Inspection of one picture by a policy of an open model, and the detector file of both. */
import { findDefects } from '../../detect/defects.ts';
import { exportDetector } from '../../detect/export/detector-file.ts';
import { type Inspector, openInspector } from '../../detect/inspector.ts';
import type { Policy } from '../../detect/policy.ts';
import { parsePolicy } from '../../detect/stored-policy.ts';
import { verdictOf } from '../../detect/verdict.ts';
import { RgiError } from '../../errors.ts';
import { type FeatureNetwork, openFeatureNetwork } from '../../features/network.ts';
import { readModel } from '../../onnx/read.ts';
import { float32 } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { InspectResult, NamedBytes, Picture } from '../engine.ts';
import { sha256Of } from './hash.ts';
import type { OpenModel } from './models.ts';
import { planeAt, seen } from './pictures.ts';

/** In the plane of a map, the limit of a pixel. */
const LIMIT_LEVEL = 128;

/** A policy with what it needs, opened once a model. */
export interface OpenPolicy {
  readonly policy: Policy;
  readonly features?: FeatureNetwork;
  readonly inspector: Inspector;
}

export async function openPolicy(open: OpenModel, name: string, runtime: Runtime): Promise<OpenPolicy> {
  const { files, model, generator, encoder } = open;
  const statistics = files.find((file) => /\.npz$/i.test(file.name));
  if (!statistics) {
    throw new RgiError(
      'model',
      `The policy '${name}' needs the model's .policy.npz; open it together with the .onnx file.`,
    );
  }
  const policy = await parsePolicy(model, statistics.bytes, name);
  const features = await featuresOf(policy, files, runtime);
  const inspector = await openInspector({ generator, encoder, policy, features }, runtime);
  return { policy, features, inspector };
}

async function featuresOf(
  { features }: Policy,
  files: readonly NamedBytes[],
  runtime: Runtime,
): Promise<FeatureNetwork | undefined> {
  if (!features) return undefined;
  const { file: wanted, sha256, range, layers } = features.network;
  for (const { name, bytes } of files.filter((file) => /\.onnx$/i.test(file.name))) {
    if ((await sha256Of(bytes)) === sha256)
      return openFeatureNetwork(readModel(bytes), runtime, { name, range, layers });
  }
  throw new RgiError(
    'model',
    `The policy was made with the feature network '${wanted}', which was not given; open it together with the model.`,
  );
}

export async function inspect(
  { generator }: OpenModel,
  { policy, inspector }: OpenPolicy,
  picture: Picture,
): Promise<InspectResult> {
  const began = performance.now();
  const { view, image } = seen(picture, generator, 'cover');
  const [{ map, score, defective }] = await inspector.inspect([image]);
  const { thresholds } = policy;
  const unit = LIMIT_LEVEL / thresholds.pixel;
  const own = planeAt(map, view.frame, picture, unit);
  const values = float32(
    Float32Array.from(own.data, (value) => value / unit),
    [1, 1, picture.height, picture.width],
  );
  const { crop } = view.placement;
  const perPixel = (crop.height * crop.width) / (generator.height * generator.width);
  const area = Math.max(1, Math.round(policy.leastArea * perPixel));
  const found = findDefects(values, thresholds.pixel, area);
  const { mask, defects } = found.defects.length > 0 || !defective ? found : findDefects(values, thresholds.pixel, 1);
  return {
    score,
    limit: thresholds.image,
    verdict: verdictOf(defective, defects.length),
    map: own,
    mask: { ...own, data: Uint8Array.from(mask.data, (value) => 255 * value) },
    regions: defects.map(({ top, left, height, width, peak }) => ({ x: left, y: top, width, height, score: peak })),
    seconds: (performance.now() - began) / 1000,
  };
}

export async function detectorOf(
  { generator, encoder, facts }: OpenModel,
  { policy, features }: OpenPolicy,
  runtime: Runtime,
): Promise<NamedBytes> {
  const bytes = await exportDetector({ generator, encoder, policy, features }, runtime);
  return { name: `${facts.name.replace(/\.onnx$/i, '')}.detector.onnx`, bytes };
}
