/** What a model's file says of its training (`rgi.training`) and licence, in words. */
import { z } from 'zod';
import { jsonOf } from '../jobs/json.ts';
import { duration } from './progress.ts';

const decibels = z.looseObject({ median: z.number(), worst: z.number().optional() });

const trainingSchema = z.looseObject({
  tool: z.string(),
  data: z.looseObject({
    folder: z.string(),
    pictures: z.number(),
    held: z.number(),
    kind: z.string().optional(),
    broken: z.number().optional(),
  }),
  settings: z.looseObject({ architecture: z.string(), seed: z.number().optional() }),
  step: z.number(),
  seconds: z.number(),
  coverage: decibels,
  block: decibels.optional(),
});

const licenceSchema = z.looseObject({ name: z.string(), attribution: z.string().optional() });

/** Lines for people; none where the file does not say, or not in our way. */
export function trainingLines(metadata: Readonly<Record<string, string>>): string[] {
  const parsed = trainingSchema.safeParse(jsonOf(metadata['rgi.training'] ?? 'null'));
  if (!parsed.success) return [];
  const { tool, data, settings, step, seconds, coverage, block } = parsed.data;
  const crops = data.kind === 'crops' ? 'crops of ' : '';
  const steps = step > 0 ? `${step} steps, ` : '';
  const worst = coverage.worst === undefined ? '' : ` (worst ${coverage.worst.toFixed(1)})`;
  const hidden = block ? `; with the centre hidden ${block.median.toFixed(1)} dB` : '';
  return [
    `by ${tool}: ${settings.architecture}, ${crops}${data.pictures} pictures of '${data.folder}', ${data.held} held out; ${steps}${duration(seconds)}`,
    `plain inversion reaches held-out pictures with ${coverage.median.toFixed(1)} dB${worst}${hidden}`,
  ];
}

export function licenceLine(metadata: Readonly<Record<string, string>>): string | undefined {
  const parsed = licenceSchema.safeParse(jsonOf(metadata['rgi.licence'] ?? 'null'));
  if (!parsed.success) return undefined;
  const { name, attribution } = parsed.data;
  return attribution ? `${name}; ${attribution}` : name;
}
