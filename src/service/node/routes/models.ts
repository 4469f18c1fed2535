/** Models: which there are, and what each is. */
import { createRoute, z } from '@hono/zod-openapi';
import { factsSchema, type ModelAnswer, modelListSchema, modelSchema } from '../../schemas.ts';
import type { App, Service } from '../context.ts';
import type { ModelFile } from '../orders.ts';
import { modelParameter, problems } from './parts.ts';

const list = createRoute({
  method: 'get',
  path: '/v1/models',
  tags: ['Models'],
  summary: 'The models that there are',
  responses: {
    200: { description: 'All models.', content: { 'application/json': { schema: modelListSchema } } },
    ...problems(),
  },
});

const one = createRoute({
  method: 'get',
  path: '/v1/models/{model}',
  tags: ['Models'],
  summary: 'One model, and its addresses',
  request: { params: z.object({ model: modelParameter }) },
  responses: {
    200: { description: 'The model.', content: { 'application/json': { schema: modelSchema } } },
    ...problems(404),
  },
});

const inspect = createRoute({
  method: 'get',
  path: '/v1/models/{model}/inspect',
  tags: ['Models'],
  summary: 'What a model is: picture, latents, policies, and notes',
  request: { params: z.object({ model: modelParameter }) },
  responses: {
    200: { description: 'Facts.', content: { 'application/json': { schema: factsSchema } } },
    ...problems(404, 422, 429, 503),
  },
});

export function addModelRoutes(app: App, { admission, catalogue, pool }: Service): void {
  app.openapi(list, async (c) => c.json({ models: (await catalogue.list()).map(modelAnswer) }, 200));
  app.openapi(one, async (c) => c.json(modelAnswer(await catalogue.find(c.req.valid('param').model)), 200));
  app.openapi(inspect, async (c) => {
    const model = await catalogue.find(c.req.valid('param').model);
    const leave = admission.enter(c.get('owner'), c.get('mayHave'));
    try {
      const { result } = await pool.run({ kind: 'inspect', model }, { signal: c.req.raw.signal });
      return c.json({ name: model.name, ...result } as z.infer<typeof factsSchema>, 200);
    } finally {
      leave();
    }
  });
}

function modelAnswer({ name }: ModelFile): ModelAnswer {
  const self = `/v1/models/${name}`;
  return { name, links: { self, inspect: `${self}/inspect`, restore: `${self}/restore`, detect: `${self}/detect` } };
}
