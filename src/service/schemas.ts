/** What the service answers, as schemas: its OpenAPI document is made of them. */
import { z } from '@hono/zod-openapi';
import { problemSchema } from './problem.ts';

export const modelSchema = z
  .object({
    name: z.string(),
    links: z.object({ self: z.string(), inspect: z.string(), restore: z.string(), detect: z.string() }),
  })
  .openapi('Model');

export const modelListSchema = z.object({ models: z.array(modelSchema) }).openapi('ModelList');

export const factsSchema = z
  .looseObject({
    name: z.string(),
    picture: z.object({ channels: z.number(), height: z.number(), width: z.number() }),
    latents: z.array(z.object({ name: z.string(), dims: z.array(z.number()) })),
    encoder: z.boolean(),
    policies: z.array(z.string()),
    notes: z.array(z.string()),
    parameters: z.number(),
    opset: z.number(),
  })
  .openapi('ModelFacts', { description: "What 'rgi inspect --json' says of the model." });

export const jobSchema = z
  .object({
    id: z.string(),
    kind: z.enum(['restore', 'detect']),
    model: z.string(),
    state: z.enum(['queued', 'running', 'done', 'failed', 'cancelled']),
    created: z.string().openapi({ format: 'date-time' }),
    progress: z.object({ share: z.number(), what: z.string() }),
    record: z
      .looseObject({ status: z.string() })
      .optional()
      .openapi({ description: 'What the manifest of the command says of a picture; of a job that is done.' }),
    files: z.record(z.string(), z.string()).openapi({ description: 'Addresses of the results, by file.' }),
    stages: z.record(z.string(), z.number()).optional().openapi({ description: 'Seconds by stage.' }),
    problem: problemSchema.optional(),
    links: z.object({ self: z.string(), events: z.string() }),
  })
  .openapi('Job');

export type JobAnswer = z.infer<typeof jobSchema>;
export type ModelAnswer = z.infer<typeof modelSchema>;
