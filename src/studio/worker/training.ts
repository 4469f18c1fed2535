/** Training in the tab: a linear generator of good pictures in closed form, and, for inspection, its policy. */

import { sha256Hex } from '../../arrays/sha256.ts';
import { batchOf, type Dataset, DIGEST_LENGTH, type StoredPicture, storedPicture } from '../../datasets/dataset.ts';
import { contentsOf, groupsOf, heldOutCount, joined, split } from '../../datasets/held-out.ts';
import { evenly } from '../../datasets/sampling.ts';
import { type CalibrationHooks, calibrate } from '../../detect/calibrate.ts';
import { calibrationFacts } from '../../detect/calibration-facts.ts';
import { LEARNT } from '../../detect/calibration-setup.ts';
import { withPolicy } from '../../detect/stored-policy.ts';
import { RgiError } from '../../errors.ts';
import { openFeatureNetwork } from '../../features/network.ts';
import { exportNetwork } from '../../gan/export.ts';
import { componentsFor, fitLinear } from '../../gan/networks/linear.ts';
import { measureNoise } from '../../gan/noise.ts';
import { type Image, imagesOf, shapeOf } from '../../images/image.ts';
import { openGeneratorBytes } from '../../models/generator.ts';
import { readModel } from '../../onnx/read.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { NamedBytes, TrainRequest, TrainResult, WorkProgress } from '../engine.ts';
import type { Gate } from './gate.ts';
import type { Models } from './models.ts';
import { isGrey, seenPicture } from './pictures.ts';

/** Fewer pictures teach nothing. */
const MIN_PICTURES = 4;

interface Tools {
  readonly runtime: Runtime;
  readonly models: Models;
  readonly gate: Gate;
  readonly tell: (progress: WorkProgress) => void;
}

export async function trainModel(request: TrainRequest, { runtime, models, gate, tell }: Tools): Promise<TrainResult> {
  const { name, pictures, seed, purpose } = request;
  if (pictures.length < MIN_PICTURES)
    throw new RgiError(
      'input',
      `${pictures.length} pictures are too few to learn from: choose at least ${MIN_PICTURES}, better 100.`,
    );
  const steps = purpose === 'inspect' ? 3 : 2;
  const report = (stage: string, part: number, share: number) => tell({ stage, share: (part + share) / steps });
  report('Reading', 0, 0);
  const dataset = await datasetOf(request, gate, (share) => report('Reading', 0, share));
  const { train, held } = split(dataset, heldOutCount(pictures.length), seed);
  report('Training', 1, 0);
  await gate.pass();
  const images = batchOf(train, [...train.pictures.keys()]);
  const latent = request.components ?? componentsFor('object', train.pictures.length);
  const linear = await fitLinear(images, latent, runtime, seed);
  await gate.pass();
  report('Training', 1, 0.6);
  const heldImages = batchOf(held, [...held.pictures.keys()]);
  const noise = await measureNoise(linear.generator, heldImages, runtime, { isUniform: false });
  const seen = await digests(train.pictures);
  const training = {
    tool: 'rgi studio',
    settings: { architecture: 'linear', latent: linear.eigenvalues.length, seed },
    explained: linear.explained,
    source: { kind: 'object', scale: 1, seen },
  };
  const facts = { channels: dataset.channels, size: dataset.size, latent: linear.eigenvalues.length, training };
  const bytes = exportNetwork(linear.generator, 'generator', { ...facts, ...(noise ? { noise } : {}) });
  const file = (suffix: string) => `${name}${suffix}`;
  if (purpose === 'restore') {
    const files = [{ name: file('.onnx'), bytes }];
    return { model: await models.open(files), files };
  }
  await gate.pass();
  const calibrated = await calibrateModel(bytes, { ...request, train, held, images, heldImages }, runtime, {
    signal: gate.signal,
    onProgress: (share) => report('Calibrating', 2, share),
  });
  const files: NamedBytes[] = [
    { name: file('.onnx'), bytes: calibrated.model },
    { name: file('.policy.npz'), bytes: calibrated.statistics },
    ...(request.features ? [request.features] : []),
  ];
  return { model: await models.open(files), files, good: calibrated.good, limit: calibrated.limit };
}

/** The pictures at the generator's size, in the order of their names; grey where all are. */
async function datasetOf(
  { pictures, size }: TrainRequest,
  gate: Gate,
  onProgress: (share: number) => void,
): Promise<Dataset> {
  const sorted = [...pictures].sort((a, b) => (a.name < b.name ? -1 : 1));
  const channels = sorted.every(isGrey) ? 1 : 3;
  const stored: StoredPicture[] = [];
  for (const picture of sorted) {
    const { image } = seenPicture(picture, { channels, height: size, width: size }, 'cover');
    stored.push(storedPicture(picture.name, image));
    if (stored.length % 16 === 0) {
      await gate.pass();
      onProgress(stored.length / sorted.length);
    }
  }
  return { channels, size, pictures: stored, mirror: false };
}

interface Learnt extends TrainRequest {
  readonly train: Dataset;
  readonly held: Dataset;
  readonly images: Image;
  readonly heldImages: Image;
}

async function calibrateModel(
  bytes: Uint8Array,
  { features, train, held, images, heldImages, seed }: Learnt,
  runtime: Runtime,
  hooks: CalibrationHooks,
) {
  const { generator } = await openGeneratorBytes(bytes, runtime);
  const names = held.pictures.map(({ name }) => name);
  const groups = joined(contentsOf(held.pictures), groupsOf(names));
  const learnt = imagesOf(images);
  const canCompare = features && (shapeOf(images).channels === 1 || shapeOf(images).channels === 3);
  const { policy } = await calibrate(
    {
      generator,
      form: 'object',
      unseen: imagesOf(heldImages),
      names,
      groups,
      seen: evenly(learnt, LEARNT.residuals),
      ...(canCompare ? { features: await sourceOf(features, evenly(learnt, LEARNT.features), runtime) } : {}),
      seed,
      facts: { pictures: train.pictures.length + held.pictures.length },
    },
    runtime,
    hooks,
  );
  const { oddest, goodScores } = calibrationFacts(policy);
  // Of all held-out pictures the scores, of the oddest the names: both in falling order.
  const good = goodScores.map((score, i) => ({ name: oddest[i]?.name ?? '', score }));
  return { ...(await withPolicy(bytes, policy)), good, limit: policy.thresholds.image };
}

async function sourceOf({ name, bytes }: NamedBytes, learnt: readonly Image[], runtime: Runtime) {
  const network = await openFeatureNetwork(readModel(bytes), runtime, { name });
  return { network, file: name, sha256: await sha256Hex(bytes), learnt };
}

/** Of the training pictures, so that a later calibration sets no thresholds on them. */
async function digests(pictures: readonly StoredPicture[]): Promise<string> {
  const all = await Promise.all(pictures.map(async ({ data }) => (await sha256Hex(data)).slice(0, DIGEST_LENGTH)));
  return all.join('');
}
