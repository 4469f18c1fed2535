/** The OpenAPI document, and the page that shows it. */
import { VERSION } from '../../../jobs/node/program.ts';
import { type ApiDocument, apiPage } from '../../page.ts';
import type { App, Service } from '../context.ts';

export function addDocuments(app: App, { gate, limits, catalogue, studio }: Service): void {
  if (gate.hasTokens)
    app.openAPIRegistry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' });
  const document = () =>
    app.getOpenAPIDocument({
      openapi: '3.0.3',
      info: {
        title: 'rgi',
        version: VERSION,
        description: 'Mask-free restoration and pixel-wise anomaly detection with generators (ONNX).',
      },
      ...(gate.hasTokens ? { security: [{ token: [] }] } : {}),
    });
  app.get('/openapi.json', (c) => c.json(document()));
  app.get('/', async (c) => {
    const models = gate.hasTokens ? [] : (await catalogue.list()).map(({ name }) => name);
    const page = await apiPage(document() as unknown as ApiDocument, {
      url: new URL(c.req.url).origin,
      models,
      limits,
      hasTokens: gate.hasTokens,
      hasStudio: studio !== undefined,
    });
    return c.body(page, 200, { 'content-type': 'text/html; charset=utf-8' });
  });
}
