/** Parts of the OpenAPI document that several routes share. */
import { z } from '@hono/zod-openapi';
import { PROBLEM_TITLES, type ProblemStatus, problemSchema } from '../../problem.ts';

export const modelParameter = z.string().openapi({
  param: { name: 'model', in: 'path' },
  description: 'Name of a model of GET /v1/models.',
  example: 'fashion-trousers',
});

export const jobParameter = z.string().openapi({ param: { name: 'id', in: 'path' }, description: 'Id of a job.' });

/** What any route may refuse: a missing token, a page of another site. */
const ALWAYS = [401, 403] as const;

/** The problems that a route answers with. */
export function problems<S extends ProblemStatus>(...statuses: readonly S[]) {
  const content = { 'application/problem+json': { schema: problemSchema } };
  const entries = [...ALWAYS, ...statuses].map((status) => [status, { description: PROBLEM_TITLES[status], content }]);
  return Object.fromEntries(entries) as unknown as {
    readonly [status in S | (typeof ALWAYS)[number]]: { description: string; content: typeof content };
  };
}
