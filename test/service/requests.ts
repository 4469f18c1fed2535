/**
 * Requests drawn from the OpenAPI document of a service and beside it, and the check that every answer is one that the document has: never a
 * 5xx, a documented status and content type, a body that an independent validator accepts.
 */
import { createRequire } from 'node:module';
import fc from 'fast-check';
import type validatorModule from 'openapi-response-validator';
import type { OpenAPIResponseValidatorArgs } from 'openapi-response-validator';
import { TROUSERS } from './support.ts';

// A CommonJS module, whose default export loaders unwrap differently.
const Validator: typeof validatorModule.default = createRequire(import.meta.url)('openapi-response-validator').default;

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
export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: OpenAPIResponseValidatorArgs['components'];
}

/** A request, by the template of its route in the document; of what is no route: undefined. */
export interface Drawn {
  readonly template?: string;
  readonly path: string;
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

export async function readDocument(url: string): Promise<ApiDocument> {
  return (await fetch(`${url}/openapi.json`)).json() as Promise<ApiDocument>;
}

/** Sends a request; returns the status. Throws where the answer is not one that the document has. */
export async function tried(url: string, document: ApiDocument, drawn: Drawn): Promise<number> {
  const { template, path, method, headers, body } = drawn;
  // A stream of events ends with its job.
  const signal = AbortSignal.timeout(60_000);
  const answer = await fetch(url + path, { method: method.toUpperCase(), headers, body, signal, redirect: 'manual' });
  const type = answer.headers.get('content-type') ?? '';
  const isJson = type.includes('json');
  const text = await answer.text();
  const fail = (what: string) => {
    throw new Error(`${method} ${path}: ${what}: ${answer.status} ${type} ${text.slice(0, 300)}`);
  };
  if (answer.status >= 500) fail('the service failed');
  const parsed = isJson && method !== 'head' ? JSON.parse(text) : undefined;
  if (template === undefined) {
    const isProblem = path.startsWith('/v2') ? typeof parsed?.error === 'string' : typeof parsed?.detail === 'string';
    if (answer.status < 400 || (method !== 'head' && !isProblem)) fail('what is no route was answered');
    return answer.status;
  }
  const { responses } = document.paths[template][method];
  if (!(String(answer.status) in responses)) fail('the status is not documented');
  if (!(type.split(';')[0] in contentOf(responses, answer.status))) fail('the content type is not documented');
  if (isJson) {
    const { components } = document;
    const validator = new Validator({ responses: structuredClone(responses), components: structuredClone(components) });
    const wrong = validator.validateResponse(answer.status, parsed);
    if (wrong) fail(JSON.stringify(wrong));
  }
  return answer.status;
}

/** The kinds of requests that are drawn, for a service with the model `model`. */
export function requestsOf(document: ApiDocument, model: string): Readonly<Record<string, fc.Arbitrary<Drawn>>> {
  return {
    reading: reading(document, model),
    pictures: pictures(document, model),
    protocol: protocol(model),
    beside: beside(),
  };
}

const word = fc.string({ unit: 'binary', maxLength: 12 }).filter((text) => text !== '' && !/^\.{1,2}$/.test(text));

/** Every route that only asks, and the end of a job, with names that there are and others. */
function reading({ paths }: ApiDocument, model: string): fc.Arbitrary<Drawn> {
  const routes = Object.entries(paths).flatMap(([template, methods]) =>
    Object.keys(methods)
      .filter((method) => method !== 'post')
      .map((method) => ({ template, method })),
  );
  const name = fc.oneof(fc.constantFrom(model, `${model}.restore`, 'none', 'mask.png'), fc.uuid(), word);
  return fc
    .record({ route: fc.constantFrom(...routes), names: fc.array(name, { minLength: 2, maxLength: 2 }) })
    .map(({ route: { template, method }, names }) => {
      let next = 0;
      const path = template.replace(/\{\w+\}/g, () => encodeURIComponent(names[next++]));
      return { template, path, method };
    });
}

/** Pictures, at once and as jobs, with options that the schemas allow, and others. */
function pictures(document: ApiDocument, model: string): fc.Arbitrary<Drawn> {
  const templates = Object.keys(document.paths).filter((path) => /\/(restore|detect)(\/jobs)?$/.test(path));
  const body = fc.oneof(
    { weight: 4, arbitrary: fc.constant(TROUSERS) },
    fc.uint8Array({ maxLength: 64 }).map((bytes) => new Uint8Array(bytes)),
    fc.nat(TROUSERS.length).map((length) => TROUSERS.slice(0, length)),
  );
  const type = fc.constantFrom(
    'application/octet-stream',
    'image/png',
    'image/png',
    'text/plain',
    'multipart/form-data',
  );
  return fc.constantFrom(...templates).chain((template) => {
    const options = (document.paths[template].post.parameters ?? []).filter((one) => one.in === 'query');
    const query = fc.record(
      Object.fromEntries(
        options.map(({ name, schema }) => [name, fc.oneof({ weight: 6, arbitrary: drawnValue(schema) }, word)]),
      ),
      { requiredKeys: [] },
    );
    return fc
      .record({ query, body, type, other: fc.oneof({ weight: 6, arbitrary: fc.constant(null) }, word) })
      .map(({ query: given, body: bytes, type: content, other }) => {
        const where = template.replace('{model}', other === null ? model : encodeURIComponent(other));
        const text = new URLSearchParams(given as Record<string, string>);
        return {
          template,
          path: `${where}?${text}`,
          method: 'post',
          headers: { 'content-type': content },
          body: bytes,
        };
      });
  });
}

/** Tensors of the Open Inference Protocol, and what looks like them. */
function protocol(model: string): fc.Arbitrary<Drawn> {
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
  const picture = { name: 'image', datatype: 'FP32', shape: [1, 1, 32, 32], data: Array(1024).fill(0) };
  const request = fc.oneof(
    fc.constant({ inputs: [picture], parameters: { steps: 3 } }),
    fc.record(
      { inputs: fc.array(input, { maxLength: 2 }), outputs: fc.array(fc.record({ name: text })), id: text },
      { requiredKeys: ['inputs'] },
    ),
    fc.jsonValue(),
  );
  return fc
    .record({ name: fc.constantFrom(model, `${model}.restore`, 'x'), request })
    .map(({ name, request: body }) => ({
      template: '/v2/models/{model}/infer',
      path: `/v2/models/${name}/infer`,
      method: 'post',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }));
}

/** What is no route, and methods that no route has. */
function beside(): fc.Arbitrary<Drawn> {
  const path = fc.array(word, { maxLength: 4 }).map((parts) => `/none/${parts.map(encodeURIComponent).join('/')}`);
  const method = fc.constantFrom('get', 'post', 'put', 'patch', 'delete', 'head', 'options');
  return fc.record({
    path: fc.oneof(
      path,
      path.map((one) => `/v2${one}`),
    ),
    method,
  });
}

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
