/** What a detector file is called and says of itself: names of its input and outputs, and its metadata. */
import * as z from 'zod/mini';
import { RgiError } from '../../errors.ts';
import { jsonOf } from '../../jobs/json.ts';
import type { Model } from '../../onnx/graph.ts';

/** Names of the input and the outputs. */
export const DETECTOR = {
  image: 'image',
  map: 'map',
  mask: 'mask',
  score: 'score',
  defective: 'defective',
} as const;

/** The form of the pictures: float32 [N,C,H,W] in [-1,1], or uint8 [N,H,W,C] as files hold them. */
export type DetectorInput = 'float32' | 'uint8';

/** All forms by name. */
export const DETECTOR_INPUTS: readonly DetectorInput[] = ['float32', 'uint8'];

/** The policy's numbers that a user of the file needs (`rgi.detector`). */
export interface DetectorFacts {
  /** Name of the policy. */
  readonly policy: string;
  /** In the map's units: above the first a pixel is marked, above the second a score is that of a defective picture. */
  readonly thresholds: { readonly pixel: number; readonly image: number };
  /** The rates that the thresholds were set for. */
  readonly falseAlarms: { readonly pixel?: number; readonly image: number };
  readonly [fact: string]: unknown;
}

/** The metadata of a detector file, JSON values. */
export function detectorMetadata(
  { channels, height, width }: { readonly channels: number; readonly height: number; readonly width: number },
  input: DetectorInput,
  facts: DetectorFacts,
): Map<string, string> {
  const image =
    input === 'uint8'
      ? { channels, size: [height, width], range: [0, 255], layout: 'NHWC' }
      : { channels, size: [height, width], range: [-1, 1], layout: 'NCHW' };
  const entries: [string, unknown][] = [
    ['rgi.role', 'detector'],
    ['rgi.image', image],
    ['rgi.detector', { format: 1, ...facts }],
  ];
  return new Map(entries.map(([key, value]) => [key, JSON.stringify(value)]));
}

const imageSchema = z.looseObject({
  channels: z.int().check(z.positive()),
  size: z.tuple([z.int().check(z.positive()), z.int().check(z.positive())]),
  layout: z.enum(['NCHW', 'NHWC']),
});

const factsSchema = z.looseObject({
  format: z.literal(1),
  policy: z.string(),
  thresholds: z.object({ pixel: z.number(), image: z.number() }),
});

/** A detector file as its metadata describe it. */
export interface DetectorDescription {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly input: DetectorInput;
  readonly policy: string;
  readonly thresholds: { readonly pixel: number; readonly image: number };
  /** Pictures in one run: any number, or the one that the file was exported for. */
  readonly batch: number | 'any';
}

/** Throws `usage` for a file that `rgi export` has not written. */
export function describeDetector(
  { graph, metadata }: Pick<Model, 'graph' | 'metadata'>,
  file: string,
): DetectorDescription {
  const entry = (key: string) => jsonOf(metadata.get(key) ?? '');
  const image = imageSchema.safeParse(entry('rgi.image'));
  const facts = factsSchema.safeParse(entry('rgi.detector'));
  if (entry('rgi.role') !== 'detector' || !image.success || !facts.success)
    throw new RgiError('usage', `${file} is no detector file: 'rgi export MODEL.onnx --as ${file}' makes one.`, {
      file,
    });
  const { channels, size, layout } = image.data;
  const [count] = graph.inputs[0]?.dims ?? [];
  return {
    channels,
    height: size[0],
    width: size[1],
    input: layout === 'NHWC' ? 'uint8' : 'float32',
    policy: facts.data.policy,
    thresholds: facts.data.thresholds,
    batch: typeof count === 'number' ? count : 'any',
  };
}
