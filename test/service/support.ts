/** A service for tests: the shipped models, in this process; its computing processes are real ones. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { ServiceLimits } from '../../src/service/limits.ts';
import { type RunningService, type ServeOptions, serve } from '../../src/service/node/serve.ts';

export const MODELS = path.resolve(import.meta.dirname, '../../models');

export const TROUSERS: Uint8Array<ArrayBuffer> = new Uint8Array(
  readFileSync(path.join(MODELS, 'fashion-trousers/pictures/00097.png')),
);

export interface TestService extends RunningService {
  /** Lines of the log, parsed. */
  readonly log: Record<string, unknown>[];
  get(path: string, init?: RequestInit): Promise<Response>;
  /** Sends a picture. */
  post(path: string, body: BodyInit, headers?: Record<string, string>): Promise<Response>;
}

export async function startService(
  limits: Partial<ServiceLimits> = {},
  options: Partial<ServeOptions> = {},
): Promise<TestService> {
  const log: Record<string, unknown>[] = [];
  const service = await serve({
    models: MODELS,
    port: 0,
    limits,
    onLog: (line) => log.push(JSON.parse(line)),
    ...options,
  });
  return {
    ...service,
    log,
    get: (where, init) => fetch(service.url + where, init),
    post: (where, body, headers = { 'content-type': 'image/png' }) =>
      fetch(service.url + where, { method: 'POST', body, headers }),
  };
}

/** Waits until the processes can compute. */
export async function ready(service: TestService): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if ((await service.get('/readyz')).ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('The service did not become ready.');
}

/** The problem of an answer, which must be one. */
export async function problemIn(response: Response): Promise<{ status: number; detail: string; details?: unknown }> {
  if (response.headers.get('content-type') !== 'application/problem+json')
    throw new Error(`No problem: ${response.status} ${await response.text()}`);
  const problem = await response.json();
  if (problem.status !== response.status) throw new Error(`${problem.status} in an answer of ${response.status}`);
  return problem;
}
