/**
 * Requests to the service, drawn from its OpenAPI document and beside it: never a 5xx, only documented codes, bodies that an independent
 * validator accepts. Prints how many requests of each kind were answered with which status.
 *
 *   npm run bench -- conformance [--count 10000] [--seed 1] [--steps 40]
 */
import fc from 'fast-check';
import { readDocument, requestsOf, tried } from '../test/service/requests.ts';
import { ready, startService } from '../test/service/support.ts';
import { argument } from './trials.ts';

const MODEL = 'fashion-trousers';

/** Of all requests; those with pictures are computed, and take their time. */
const SHARES = { reading: 0.4, pictures: 0.1, protocol: 0.35, beside: 0.15 };

export async function conformance(args: readonly string[]): Promise<void> {
  const count = Number(argument(args, 'count', '10000'));
  const seed = Number(argument(args, 'seed', '1'));
  const maxSteps = Number(argument(args, 'steps', '40'));
  const service = await startService({ maxSteps, maxBytes: 100_000 });
  try {
    await ready(service);
    const document = await readDocument(service.url);
    const requests = requestsOf(document, MODEL);
    let total = 0;
    for (const [kind, share] of Object.entries(SHARES)) {
      const statuses = new Map<number, number>();
      const began = performance.now();
      const property = fc.asyncProperty(requests[kind], async (request) => {
        const status = await tried(service.url, document, request);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        total++;
      });
      await fc.assert(property, { numRuns: Math.round(share * count), seed });
      const answers = [...statuses].sort(([a], [b]) => a - b).map(([status, times]) => `${times} x ${status}`);
      console.log(`${kind}: ${answers.join(', ')} (${((performance.now() - began) / 1000).toFixed(0)} s)`);
    }
    console.log(`${total} requests, all answered as documented, none with 5xx`);
  } finally {
    await service.close();
  }
}
