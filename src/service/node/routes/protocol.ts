/**
 * The Open Inference Protocol v2 (KServe, Triton, Seldon): health, metadata, inference with tensors in JSON or as bytes. Errors are
 * { "error": sentence }, as the protocol has them.
 */

import { stat } from 'node:fs/promises';
import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { statisticsFile } from '../../../detect/node/policy-files.ts';
import { VERSION } from '../../../jobs/node/program.ts';
import { parseProtocolName, protocolName, type Variant } from '../../oip/variants.ts';
import { HttpError } from '../../problem.ts';
import type { App, Env, Service } from '../context.ts';
import { readBody } from '../intake.ts';
import type { ModelFile, Order } from '../orders.ts';
import { checkReady } from './health.ts';

const tags = ['Open Inference Protocol v2'];
const errorSchema = z.object({ error: z.string() }).openapi('ProtocolError');
const failure = { 'application/json': { schema: errorSchema } };
const json = <S extends z.ZodType>(schema: S, description = 'Yes.') => ({
  description,
  content: { 'application/json': { schema } },
});
const errors = <S extends number>(...statuses: readonly S[]) =>
  Object.fromEntries(
    [401, 403, ...statuses].map((status) => [status, { description: 'An error.', content: failure }]),
  ) as unknown as {
    readonly [status in S | 401 | 403]: { description: string; content: typeof failure };
  };

const params = z.object({
  model: z.string().openapi({ param: { name: 'model', in: 'path' }, example: 'fashion-trousers.restore' }),
});
const tensorSchema = z.object({ name: z.string(), datatype: z.string(), shape: z.array(z.number().int()) });
const metadataSchema = z
  .object({
    name: z.string(),
    versions: z.array(z.string()),
    platform: z.string(),
    inputs: z.array(tensorSchema),
    outputs: z.array(tensorSchema),
  })
  .openapi('ProtocolModel');
const parameters = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
const dataSchema = tensorSchema.extend({
  parameters: parameters.optional(),
  data: z
    .array(z.unknown())
    .optional()
    .openapi({ description: 'Row-major, flat or nested; absent where the bytes follow the JSON.' }),
});
const requestSchema = z
  .object({
    id: z.string().optional(),
    parameters: parameters
      .optional()
      .openapi({ description: 'Of NAME.restore: method, preset, steps and so on, as of /v1. Of NAME.detect: policy.' }),
    inputs: z.array(dataSchema),
    outputs: z.array(z.object({ name: z.string(), parameters: parameters.optional() })).optional(),
  })
  .openapi('ProtocolRequest');
const responseSchema = z
  .object({
    model_name: z.string(),
    model_version: z.string(),
    id: z.string().optional(),
    outputs: z.array(dataSchema),
  })
  .openapi('ProtocolResponse');

const serverSchema = z.object({ name: z.string(), version: z.string(), extensions: z.array(z.string()) });

const get = <R>(path: string, summary: string, responses: R) => ({
  method: 'get' as const,
  path,
  tags,
  summary,
  responses,
});

const ROUTES = {
  server: createRoute(get('/v2', 'What the server is', { 200: json(serverSchema, 'The server.'), ...errors() })),
  live: createRoute(get('/v2/health/live', 'Is the server alive?', { 200: json(z.object({ live: z.boolean() })) })),
  ready: createRoute(
    get('/v2/health/ready', 'Can it take work now?', { 200: json(z.object({ ready: z.boolean() })), ...errors(503) }),
  ),
  models: createRoute(
    get('/v2/models', 'Names of the models', {
      200: json(z.object({ models: z.array(z.string()) }), 'All names.'),
      ...errors(),
    }),
  ),
  modelReady: createRoute({
    ...get('/v2/models/{model}/ready', 'Is the model there?', {
      200: json(z.object({ name: z.string(), ready: z.boolean() })),
      ...errors(404, 503),
    }),
    request: { params },
  }),
  metadata: createRoute({
    ...get('/v2/models/{model}', "The model's tensors", {
      200: json(metadataSchema, 'The model.'),
      ...errors(400, 404, 422, 429, 503),
    }),
    request: { params },
  }),
};

const HEADER_LENGTH = 'inference-header-content-length';

const infer = createRoute({
  method: 'post',
  path: '/v2/models/{model}/infer',
  tags,
  summary: 'Run a model on tensors',
  request: {
    params,
    body: {
      required: true,
      content: {
        'application/json': { schema: requestSchema },
        'application/octet-stream': { schema: { type: 'string', format: 'binary' } },
      },
    },
  },
  responses: {
    200: {
      description: `Tensors; as bytes after the JSON, whose length is in the header ${HEADER_LENGTH}, where that was asked for.`,
      content: {
        'application/json': { schema: responseSchema },
        'application/octet-stream': { schema: { type: 'string', format: 'binary' } },
      },
    },
    ...errors(400, 404, 408, 413, 415, 422, 429, 503),
  },
});

/** The one version that every model has. */
const MODEL_VERSION = '1';

export function addProtocolRoutes(app: App, service: Service): void {
  const { catalogue } = service;
  for (const route of [...Object.values(ROUTES), infer]) app.openAPIRegistry.registerPath(route);
  app.get('/v2', (c) =>
    c.json({ name: 'rgi', version: VERSION, extensions: ['binary_tensor_data', 'model_repository'] }),
  );
  app.get('/v2/health/live', (c) => c.json({ live: true }));
  app.get('/v2/health/ready', (c) => {
    checkReady(service);
    return c.json({ ready: true });
  });
  app.get('/v2/models', async (c) => c.json({ models: await allNames(service) }));
  // Triton's list of models, which tritonclient asks for.
  app.post('/v2/repository/index', async (c) =>
    c.json((await allNames(service)).map((name) => ({ name, version: MODEL_VERSION, state: 'READY' }))),
  );
  for (const version of ['', `/versions/${MODEL_VERSION}`]) {
    app.get(`/v2/models/:model${version}/ready`, async (c) => {
      const { name, variant } = await foundModel(catalogue, c.req.param('model'));
      checkReady(service);
      return c.json({ name: protocolName(name, variant), ready: true });
    });
    app.get(`/v2/models/:model${version}`, async (c) => {
      const { variant, ...model } = await foundModel(catalogue, c.req.param('model'));
      const { result } = await computed(c, service, { kind: 'metadata', model, variant });
      return c.json({
        name: protocolName(model.name, variant),
        versions: [MODEL_VERSION],
        platform: 'rgi_onnx',
        ...result,
      });
    });
    app.post(`/v2/models/:model${version}/infer`, (c) => answered(c, service, c.req.param('model')));
  }
}

async function answered(c: Context<Env>, service: Service, called: string): Promise<Response> {
  const { catalogue, limits } = service;
  const { variant, ...model } = await foundModel(catalogue, called);
  const headerLength = headerLengthOf(c.req.header(HEADER_LENGTH));
  const { result } = await computed(c, service, async () => {
    const body = await readBody(c.req.raw, limits.maxBytes);
    const { maxPixels, maxSteps } = limits;
    return { kind: 'infer', model, variant, body, headerLength, maxPixels, maxSteps } as const;
  });
  const binary = result.headerLength !== undefined;
  const headers: Record<string, string> = { 'content-type': binary ? 'application/octet-stream' : 'application/json' };
  if (binary) headers[HEADER_LENGTH] = String(result.headerLength);
  return new Response(new Uint8Array(result.body), { headers });
}

/** Runs an order within the bounds of the queue; it may need a body, which is read when there is room. */
async function computed<O extends Order>(
  c: Context<Env>,
  { admission, metrics, pool, tracing }: Service,
  order: O | (() => Promise<O>),
) {
  const leave = admission.enter(c.get('owner'), c.get('mayHave'));
  try {
    const made = typeof order === 'function' ? await order() : order;
    const { result, stages } = await pool.run(made, { signal: c.req.raw.signal });
    for (const [stage, seconds] of Object.entries(stages)) metrics.stage(made.kind, stage, seconds);
    tracing?.job({ kind: made.kind, model: made.model.name, stages }, c.get('traceparent'));
    return { result };
  } finally {
    leave();
  }
}

function headerLengthOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new HttpError(400, `The header ${HEADER_LENGTH} is '${text.slice(0, 40)}'; it is a number of bytes.`);
}

async function foundModel(
  catalogue: Service['catalogue'],
  called: string,
): Promise<ModelFile & { readonly variant: Variant }> {
  const { name, variant } = parseProtocolName(called);
  const model = await catalogue.find(name);
  if (variant === 'detect' && !(await hasPolicy(model))) {
    throw new HttpError(404, `The model '${name}' has no policy: 'rgi calibrate' makes one.`);
  }
  return { ...model, variant };
}

/** A policy's statistics lie beside the model. */
function hasPolicy({ file }: ModelFile): Promise<boolean> {
  return stat(statisticsFile(file)).then(
    (found) => found.isFile(),
    () => false,
  );
}

async function allNames({ catalogue }: Service): Promise<string[]> {
  const models = await catalogue.list();
  const names = await Promise.all(
    models.map(async (model) => {
      const variants: Variant[] = (await hasPolicy(model))
        ? ['generate', 'restore', 'detect']
        : ['generate', 'restore'];
      return variants.map((variant) => protocolName(model.name, variant));
    }),
  );
  return names.flat();
}
