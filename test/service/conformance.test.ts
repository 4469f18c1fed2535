/** Requests drawn from the schemas and beside them: only documented codes, bodies as the OpenAPI document has them, never a 5xx. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiDocument, readDocument, requestsOf, tried } from './requests.ts';
import { ready, startService, type TestService } from './support.ts';

/** Small enough that a restoration that is allowed takes a fraction of a second. */
const MAX_STEPS = 160;

const MODEL = 'fashion-trousers';

/** `npm run bench -- conformance` draws 10,000. */
const RUNS = { reading: 150, pictures: 40, protocol: 100, beside: 60 };

describe('conformance', () => {
  let service: TestService;
  let document: ApiDocument;
  beforeAll(async () => {
    service = await startService({ maxSteps: MAX_STEPS, maxBytes: 100_000 });
    await ready(service);
    document = await readDocument(service.url);
  });
  afterAll(() => service?.close());

  it('answers every route that only asks', async () => {
    const names = { '{model}': MODEL, '{id}': 'none', '{file}': 'mask.png' };
    for (const [template, methods] of Object.entries(document.paths)) {
      const path = Object.entries(names).reduce((where, [key, name]) => where.replace(key, name), template);
      for (const method of Object.keys(methods).filter((one) => one !== 'post'))
        expect(await tried(service.url, document, { template, path, method })).toBeLessThan(500);
    }
  });

  it.each(Object.entries(RUNS))('answers requests of the kind %s as documented', async (kind, numRuns) => {
    const drawn = requestsOf(document, MODEL)[kind];
    await fc.assert(
      fc.asyncProperty(drawn, async (request) => void (await tried(service.url, document, request))),
      { numRuns },
    );
  });
});
