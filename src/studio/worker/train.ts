/** A linear generator of the user's own pictures, fitted in the tab; for inspection its policy is calibrated as well. */
import { writeNpz } from '../../arrays/npy.ts';
import { heldOutCount, heldOutOf } from '../../datasets/held-out.ts';
import { calibrate, FALSE_ALARMS } from '../../detect/calibrate.ts';
import { calibrationFacts } from '../../detect/calibration-facts.ts';
import { type Policy, settingsOf, statisticsArrays } from '../../detect/policy.ts';
import { digestOf, POLICIES } from '../../detect/stored-policy.ts';
import { RgiError } from '../../errors.ts';
import { coarserLayers, openFeatureNetwork } from '../../features/network.ts';
import { exportNetwork, type ModelFacts } from '../../gan/export.ts';
import { fitLinear } from '../../gan/networks/linear.ts';
import { measureNoise } from '../../gan/noise.ts';
import { type Image, stackImages } from '../../images/image.ts';
import { openGeneratorBytes } from '../../models/generator.ts';
import { withMetadata } from '../../onnx/metadata.ts';
import { readModel } from '../../onnx/read.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { NamedBytes, TrainRequest, TrainResult, WorkProgress } from '../engine.ts';
import { sha256Of } from './hash.ts';
import { seen } from './pictures.ts';

/** Of the whole work, what reading and fitting take, about. */
const FITTED = 0.3;

/** Components at most; see `rgi train`. */
const MAX_COMPONENTS = 256;

export interface Trained extends Pick<TrainResult, 'files' | 'good' | 'limit'> {}

/** Throws `input` where there are too few pictures, the signal's reason where it is aborted. */
export async function train(
  request: TrainRequest,
  runtime: Runtime,
  onProgress: (progress: WorkProgress) => void,
  signal: AbortSignal,
): Promise<Trained> {
  const progress = meter(onProgress);
  const { pictures, size, purpose, seed } = request;
  const channels = pictures.every(isGrey) ? 1 : 3;
  const images = pictures.map((picture) => seen(picture, { width: size, height: size, channels }, 'cover').image);
  const names = pictures.map(({ name }) => name);
  const out = new Set(heldOutOf(names, heldFor(pictures.length, purpose), seed));
  const learnt = images.filter((_, i) => !out.has(i));
  const held = images.filter((_, i) => out.has(i));
  progress('Learning what the pictures have in common', 0.05);
  const components = request.components ?? Math.max(1, Math.min(MAX_COMPONENTS, learnt.length >> 1));
  const fitted = await fitLinear(stackImages(learnt), components, runtime, seed);
  signal.throwIfAborted();
  progress('Measuring what it leaves out', 0.5 * FITTED);
  const noise = await measureNoise(fitted.generator, stackImages(held), runtime, { isUniform: false });
  signal.throwIfAborted();
  const facts: ModelFacts = {
    channels,
    size,
    latent: fitted.eigenvalues.length,
    training: { tool: 'rgi studio', pictures: pictures.length, held: held.length, explained: fitted.explained, seed },
    ...(noise ? { noise } : {}),
  };
  const generator = exportNetwork(fitted.generator, 'generator', facts, true);
  if (purpose === 'restore') return { files: [{ name: 'generator.onnx', bytes: generator }] };
  const heldNames = names.filter((_, i) => out.has(i));
  const report = (share: number) => progress('Setting the limits', FITTED + (1 - FITTED) * share);
  const policy = await policyOf(request, generator, { held, learnt, names: heldNames }, runtime, report, signal);
  const { oddest, goodScores } = calibrationFacts(policy);
  const named = oddest.map(({ name, score }) => ({ name, score }));
  // The names of the others are not kept: they are good ones among many.
  const others = goodScores.slice(named.length).map((score, i) => ({ name: `good ${i + 1}`, score }));
  return {
    files: await filesOf(generator, policy, request.features),
    good: [...named, ...others],
    limit: policy.thresholds.image,
  };
}

interface GoodImages {
  readonly held: readonly Image[];
  readonly learnt: readonly Image[];
  readonly names: readonly string[];
}

async function policyOf(
  { features: file, seed }: TrainRequest,
  bytes: Uint8Array,
  { held, learnt, names }: GoodImages,
  runtime: Runtime,
  onShare: (share: number) => void,
  signal: AbortSignal,
): Promise<Policy> {
  const { generator, law } = await openGeneratorBytes(bytes, runtime);
  const network = file && coarserLayers(await openFeatureNetwork(readModel(file.bytes), runtime, { name: file.name }));
  const features = file && network && { network, file: file.name, sha256: await sha256Of(file.bytes), learnt };
  const { policy } = await calibrate(
    { generator, law, form: 'object', unseen: held, names, seen: learnt, features, falseAlarms: FALSE_ALARMS, seed },
    runtime,
    { signal, onProgress: onShare },
  );
  return policy;
}

/** The generator with its policy's settings, the statistics, and the feature network that they are of. */
async function filesOf(generator: Uint8Array, policy: Policy, features: NamedBytes | undefined): Promise<NamedBytes[]> {
  const arrays = statisticsArrays(policy.statistics);
  const settings = { ...settingsOf(policy), statistics: await digestOf(arrays) };
  const bytes = withMetadata(generator, new Map([[POLICIES, JSON.stringify({ [policy.name]: settings })]]));
  const npz = writeNpz(new Map([...arrays].map(([key, tensor]) => [`${policy.name}.${key}`, tensor])));
  return [
    { name: 'generator.onnx', bytes },
    { name: 'generator.policy.npz', bytes: npz },
    ...(policy.features && features ? [features] : []),
  ];
}

/** Inspection sets limits on them, so it holds a third back where there are few. */
function heldFor(count: number, purpose: TrainRequest['purpose']): number {
  if (count < 4) throw new RgiError('input', `${count} pictures are too few to learn from; give at least 16.`);
  return purpose === 'restore'
    ? Math.min(heldOutCount(count), count >> 1)
    : Math.max(heldOutCount(count), Math.round(count / 3));
}

function isGrey({ rgba }: TrainRequest['pictures'][number]): boolean {
  for (let i = 0; i < rgba.length; i += 4) {
    if (rgba[i] !== rgba[i + 1] || rgba[i] !== rgba[i + 2]) return false;
  }
  return true;
}

function meter(onProgress: (progress: WorkProgress) => void) {
  const began = performance.now();
  return (stage: string, share: number) => {
    const seconds = (performance.now() - began) / 1000;
    // Before that the rest cannot be told from the beginning.
    const secondsLeft = share > FITTED ? { secondsLeft: (seconds * (1 - share)) / share } : {};
    onProgress({ stage, share, ...secondsLeft });
  };
}
