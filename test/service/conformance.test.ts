/** Requests drawn from the schemas and beside them: only documented codes, bodies as the OpenAPI document has them, never a 5xx. */
import { createRequire } from 'node:module';
import fc from 'fast-check';
import type validatorModule from 'openapi-response-validator';
import type { OpenAPIResponseValidatorArgs } from 'openapi-response-validator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ready, startService, type TestService, TROUSERS } from './support.ts';

// A CommonJS module, whose default export loaders unwrap differently.
const Validator: typeof validatorModule.default = createRequire(import.meta.url)('openapi-response-validator').default;

/** Small enough that a restoration that is allowed takes a fraction of a second. */
const MAX_STEPS = 160;

interface Operation {
  readonly responses: OpenAPIResponseValidatorArgs['responses'];
  readonly parameters?: readonly { readonly in: string; readonly name: string; readonly schema: Schema }[];
}
interface Schema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: OpenAPIResponseValidatorArgs['components'];
}

describe('conformance', () => {
  let service: TestService;
  let document: Document;
  beforeAll(async () => {
    service = await startService({ maxSteps: MAX_STEPS, maxBytes: 100_000 });
    await ready(service);
    document = await (await service.get('/openapi.json')).json();
  });
  afterAll(() => service?.close());

  /** Throws where the answer is not one that the document has for the route. */
  async function check(template: string, method: string, answer: Response): Promise<void> {
    const { responses } = document.paths[template][method];
    const type = answer.headers.get('content-type') ?? '';
    const body = type.includes('json') ? await answer.json() : await answer.text();
    const about = `${method} ${template}: ${answer.status} ${JSON.stringify(body).slice(0, 300)}`;
    expect(answer.status, about).toBeLessThan(500);
    expect(Object.keys(responses), about).toContain(String(answer.status));
    expect(Object.keys(contentOf(responses, answer.status)), about).toContain(type.split(';')[0]);
    if (!type.includes('json')) return;
    const validator = new Validator({
      responses: structuredClone(responses),
      components: structuredClone(document.components),
    });
    expect(validator.validateResponse(answer.status, body), about).toBeUndefined();
  }

  it('answers every route that only asks', async () => {
    const names = { '{model}': 'fashion-trousers', '{id}': 'none', '{file}': 'mask.png' };
    for (const [template, methods] of Object.entries(document.paths)) {
      const where = Object.entries(names).reduce((path, [key, name]) => path.replace(key, name), template);
      for (const method of Object.keys(methods).filter((one) => one !== 'post'))
        await check(template, method, await service.get(where, { method: method.toUpperCase() }));
    }
  });

  it('answers options drawn from the schemas, and beside them', async () => {
    const template = '/v1/models/{model}/restore';
    const { parameters = [] } = document.paths[template].post;
    const options = parameters.filter((one) => one.in === 'query' && one.name !== 'answer');
    const drawn = fc.record(
      Object.fromEntries(
        options.map(({ name, schema }) => [
          name,
          fc.oneof({ weight: 6, arbitrary: drawnValue(schema) }, fc.string({ maxLength: 8 })),
        ]),
      ),
      { requiredKeys: [] },
    );
    const bodies = fc.oneof(
      { weight: 6, arbitrary: fc.constant(TROUSERS) },
      fc.uint8Array({ maxLength: 64 }).map((bytes) => new Uint8Array(bytes)),
      fc.nat(TROUSERS.length).map((length) => TROUSERS.slice(0, length)),
    );
    await fc.assert(
      fc.asyncProperty(drawn, bodies, async (query, body) => {
        const where = `/v1/models/fashion-trousers/restore?${new URLSearchParams(query as Record<string, string>)}`;
        await check(template, 'post', await service.post(where, body, { 'content-type': 'application/octet-stream' }));
      }),
      { numRuns: 40 },
    );
  });

  it('answers requests of the protocol drawn from its schema, and beside it', async () => {
    const text = fc.string({ maxLength: 6 });
    const input = fc.record(
      {
        name: fc.oneof(fc.constant('image'), text),
        datatype: fc.constantFrom('FP32', 'FP64', 'INT64', 'BOOL', 'BYTES', 'x'),
        shape: fc.oneof(fc.constant([1, 1, 32, 32]), fc.array(fc.integer({ min: -1, max: 64 }), { maxLength: 5 })),
        data: fc.oneof(fc.constant(Array(1024).fill(0)), fc.array(fc.jsonValue(), { maxLength: 4 })),
        parameters: fc.dictionary(
          fc.oneof(fc.constant('binary_data_size'), text),
          fc.oneof(fc.integer(), text, fc.boolean()),
        ),
      },
      { requiredKeys: [] },
    );
    const request = fc.oneof(
      fc.record(
        { inputs: fc.array(input, { maxLength: 2 }), outputs: fc.array(fc.record({ name: text })), id: text },
        { requiredKeys: ['inputs'] },
      ),
      fc.jsonValue(),
    );
    const template = '/v2/models/{model}/infer';
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('fashion-trousers', 'fashion-trousers.restore', 'x'),
        request,
        async (model, body) => {
          const where = `/v2/models/${model}/infer`;
          await check(
            template,
            'post',
            await service.post(where, JSON.stringify(body), { 'content-type': 'application/json' }),
          );
        },
      ),
      { numRuns: 100 },
    );
  });
});

/** Values that the schema allows, as text. */
function drawnValue({ type, enum: values, minimum = 0, maximum = 1000 }: Schema): fc.Arbitrary<string> {
  if (values) return fc.constantFrom(...values);
  if (type === 'integer') return fc.integer({ min: minimum, max: Math.min(maximum, minimum + 40) }).map(String);
  if (type === 'number') return fc.double({ min: minimum, max: maximum, noNaN: true }).map(String);
  return fc.string({ maxLength: 20 });
}

/** The content types that an operation documents for a status. */
function contentOf(responses: Operation['responses'], status: number): Readonly<Record<string, unknown>> {
  return (
    (responses as unknown as Record<string, { readonly content?: Record<string, unknown> }>)[status]?.content ?? {}
  );
}
