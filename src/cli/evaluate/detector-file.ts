/** `rgi evaluate detect --detector`: a file of `rgi export` as one of the methods. */
import { type DetectorDescription, describeDetector } from '../../detect/export/facts.ts';
import { RgiError } from '../../errors.ts';
import { exportedDetector } from '../../evaluate/detect/exported.ts';
import type { Candidate } from '../../evaluate/node/detect.ts';
import { sha256Of } from '../../files/node/hash.ts';
import { MAX_FILE_BYTES } from '../../files/node/limits.ts';
import { readRegular } from '../../files/node/regular.ts';
import { openTriedModel, type TrialFlags } from '../../models/node/trial.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { PictureShape } from './detectors.ts';

/** Pictures that a file for any number of them is given together. */
const TOGETHER = 16;

export interface OpenedDetector {
  readonly file: string;
  readonly sha256: string;
  readonly bytes: Uint8Array;
  readonly description: DetectorDescription;
}

/** Throws `usage` for a file that `rgi export` has not written. */
export async function openDetectorFile(file: string, flags: TrialFlags): Promise<OpenedDetector> {
  const { modelMemory, modelSeconds, signal } = flags;
  const model = await openTriedModel(file, { modelMemory, modelSeconds, signal });
  const description = describeDetector(model, file);
  return { file, sha256: await sha256Of(file), bytes: await readRegular(file, MAX_FILE_BYTES), description };
}

export function detectorCandidate(
  name: string,
  { file, sha256, bytes, description }: OpenedDetector,
  runtime: Runtime,
): Candidate {
  return {
    name,
    description: { kind: 'detector', file, sha256, policy: description.policy },
    batch: description.batch === 'any' ? TOGETHER : 1,
    walks: false,
    learn: async () => exportedDetector(bytes, description, runtime),
  };
}

/** What pictures must be for the other methods and the detector. Throws `usage` where these differ. */
export function sharedShape(
  others: PictureShape | undefined,
  detector: OpenedDetector | undefined,
): PictureShape | undefined {
  if (!detector) return others;
  const { channels, height, width } = detector.description;
  const { size } = others ?? {};
  if (others && (others.channels !== channels || size?.height !== height || size.width !== width))
    throw new RgiError(
      'usage',
      `${detector.file} takes pictures of ${width} x ${height} pixels and ${channels} channel(s), the other methods take other ones: evaluate them in separate runs.`,
    );
  return { channels, size: { height, width } };
}
