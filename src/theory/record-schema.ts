/** The schema of stored cells: every field is checked. */
import { z } from 'zod';
import { MASK_GIVEN, readingOlder } from '../jobs/older-names.ts';
import { ESTIMATORS, type EstimatorName } from './estimators.ts';
import { type Cell, EXPERIMENTS, type PathExperiment } from './record.ts';

/** Not finite numbers are null in JSON. */
const number = z.number().nullable();

const errorsSchema = z.object({
  objective: number,
  z: number,
  rms: number,
  rmsInside: number,
  rmsOutside: number,
  psnr: number,
  mask: z.object({ iou: number, falsePositives: number, misses: number, distance: number }).nullable(),
});

const paths = EXPERIMENTS.filter((name): name is PathExperiment => name !== 'tuning');

const pathSchema = z.object({
  kind: z.literal('path'),
  key: z.string(),
  experiment: z.enum(paths),
  case: z.string(),
  estimator: z.enum(Object.keys(ESTIMATORS) as EstimatorName[]),
  level: z.number().optional(),
  points: z.array(
    z.object({
      grey: z.number(),
      lambda: z.number(),
      search: z.array(errorsSchema),
      truth: z.array(errorsSchema).optional(),
    }),
  ),
});

const tuningSchema = z.object({
  kind: z.literal('tuning'),
  key: z.string(),
  experiment: z.literal('tuning'),
  case: z.string(),
  gap: z.enum(['smooth', 'weights']),
  level: z.number(),
  gapGrey: number,
  maskGiven: z.boolean(),
  points: z.array(z.object({ weightSteps: z.number(), errors: z.array(errorsSchema), toCorruption: z.array(number) })),
});

/** A cell; those of earlier versions say `told` for `maskGiven`. */
export const cellSchema = readingOlder(
  z.discriminatedUnion('kind', [pathSchema, tuningSchema]),
  MASK_GIVEN,
) as z.ZodType<unknown> as z.ZodType<Cell>;
