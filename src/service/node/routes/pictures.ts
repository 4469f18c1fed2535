/** Restoration and inspection of one picture: answered at once, or as a job. */
import { createRoute, type RouteConfig, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import {
  DETECT_FILES,
  type DetectOptions,
  detectOptionsSchema,
  RESTORE_FILES,
  type RestoreOptions,
  restoreOptionsSchema,
} from '../../options.ts';
import { HttpError } from '../../problem.ts';
import { jobSchema } from '../../schemas.ts';
import type { App, Env, Service } from '../context.ts';
import type { Job, JobKind } from '../desk.ts';
import { takePicture } from '../intake.ts';
import { jobAnswer } from './answers.ts';
import { modelParameter, problems } from './parts.ts';
import { queryOf, validated } from './validation.ts';

const ANSWER = 'record';

const OPTIONS = { restore: restoreOptionsSchema, detect: detectOptionsSchema } as const;
const FILES = { restore: RESTORE_FILES, detect: DETECT_FILES } as const;

const WHAT = {
  restore: 'Find what is corrupted in a picture, and restore it',
  detect: 'Find defects in a picture by a policy of the model',
} as const;

type ZodRequestBody = NonNullable<NonNullable<RouteConfig['request']>['body']>;

/** Uploads are described by hand: a schema of files has no form in JSON Schema. */
const BINARY = { type: 'string', format: 'binary' } as const;

function bodyOf(kind: JobKind): ZodRequestBody {
  const properties = { image: { ...BINARY, description: 'A picture file, or an .npy array [C,H,W] in [-1,1].' } };
  const mask = { ...BINARY, description: 'White where the picture is to be filled, of the same size.' };
  return {
    required: true,
    content: {
      'application/octet-stream': { schema: BINARY },
      'image/*': { schema: BINARY },
      'multipart/form-data': {
        schema: {
          type: 'object',
          required: ['image'],
          properties: kind === 'restore' ? { ...properties, mask } : properties,
          description: 'Options may be fields, too.',
        },
      },
    },
  };
}

export function addPictureRoutes(app: App, service: Service): void {
  for (const kind of ['restore', 'detect'] as const) {
    addAnswered(app, service, kind);
    addQueued(app, service, kind);
  }
}

/** POST .../restore: waits for the result. Whoever hangs up cancels. */
function addAnswered(app: App, service: Service, kind: JobKind): void {
  const choices = [ANSWER, ...FILES[kind].map((name) => name)] as [string, ...string[]];
  const answer = z
    .enum(choices)
    .default(ANSWER)
    .openapi({ description: "What the body of the answer is: the job's record, or one of its files." });
  const options = OPTIONS[kind].extend({ answer });
  const route = createRoute({
    method: 'post',
    path: `/v1/models/{model}/${kind}`,
    tags: ['Pictures'],
    summary: WHAT[kind],
    request: { params: z.object({ model: modelParameter }), query: options, body: bodyOf(kind) },
    responses: {
      200: {
        description: 'Done.',
        content: {
          'application/json': { schema: jobSchema },
          'image/png': { schema: BINARY },
          'application/octet-stream': { schema: BINARY },
        },
      },
      ...problems(400, 404, 408, 413, 415, 422, 429, 503),
    },
  });
  app.openAPIRegistry.registerPath(route);
  app.post(`/v1/models/:model/${kind}`, async (c) => {
    const { job, answer: wanted } = await taken(c, service, kind, options, 'submit');
    const { desk } = service;
    const hangUp = () => void desk.cancel(job.id, job.owner).catch(() => undefined);
    c.req.raw.signal.addEventListener('abort', hangUp);
    if (c.req.raw.signal.aborted) hangUp();
    const finished = await desk.finished(job.id);
    c.req.raw.signal.removeEventListener('abort', hangUp);
    if (finished.problem) return problemResponse(finished);
    if (finished.state === 'cancelled') throw new HttpError(503, 'The job was cancelled.', { retryAfter: 1 });
    if (wanted === ANSWER) return c.json(jobAnswer(finished), 200);
    return fileResponse(await desk.file(finished, wanted), wanted);
  });
}

/** POST .../restore/jobs: 202 and the job. */
function addQueued(app: App, service: Service, kind: JobKind): void {
  const options = OPTIONS[kind];
  const route = createRoute({
    method: 'post',
    path: `/v1/models/{model}/${kind}/jobs`,
    tags: ['Jobs'],
    summary: `${WHAT[kind]}, as a job`,
    request: { params: z.object({ model: modelParameter }), query: options, body: bodyOf(kind) },
    responses: {
      202: { description: 'Queued.', content: { 'application/json': { schema: jobSchema } } },
      ...problems(400, 404, 408, 413, 415, 422, 429, 503),
    },
  });
  app.openAPIRegistry.registerPath(route);
  app.post(`/v1/models/:model/${kind}/jobs`, async (c) => {
    service.queue?.check();
    const { job } = await taken(c, service, kind, options, 'send');
    return c.json(jobAnswer(await service.desk.find(job.id, job.owner)), 202, { location: `/v1/jobs/${job.id}` });
  });
}

/** The job of a request: options and model are checked before its body is read. */
async function taken(
  c: Context<Env, `/v1/models/:model/${string}`>,
  { admission, catalogue, desk, limits }: Service,
  kind: JobKind,
  schema: z.ZodObject,
  /** Computed here, or by whoever computes jobs. */
  how: 'submit' | 'send',
): Promise<{ readonly job: Pick<Job, 'id' | 'owner'>; readonly answer: string }> {
  const model = await catalogue.find(c.req.param('model'));
  const query = queryOf(c.req.url);
  validated(schema, query);
  const leave = admission.enter(c.get('owner'), c.get('mayHave'));
  const draft = await desk.draft();
  try {
    const { masked, fields } = await takePicture(c.req.raw, draft.folder, limits.maxBytes);
    if (kind === 'detect' && masked)
      throw new HttpError(400, "The form has no file field 'mask': detection takes none.");
    const twice = Object.keys(fields).find((name) => Object.hasOwn(query, name));
    if (twice !== undefined) throw new HttpError(400, `The option '${twice.slice(0, 100)}' is given twice.`);
    const { answer = ANSWER, ...options } = validated(schema, { ...query, ...fields });
    const { maxPixels, maxSteps } = limits;
    const common = { model, folder: draft.folder, maxPixels };
    const order =
      kind === 'restore'
        ? { ...common, kind, masked, maxSteps, options: options as RestoreOptions }
        : { ...common, kind, options: options as DetectOptions };
    const sent = { owner: c.get('owner'), requestId: c.get('requestId'), traceparent: c.get('traceparent') };
    return { job: await draft[how](order, sent, leave), answer: String(answer) };
  } catch (error) {
    leave();
    await draft.discard();
    throw error;
  }
}

function problemResponse({ problem }: Job): Response {
  return new Response(JSON.stringify(problem), {
    status: problem!.status,
    headers: { 'content-type': 'application/problem+json' },
  });
}

/** A file of the results. */
export function fileResponse(bytes: Uint8Array<ArrayBuffer>, name: string): Response {
  const type = name.endsWith('.png') ? 'image/png' : 'application/octet-stream';
  return new Response(bytes, { headers: { 'content-type': type, 'x-content-type-options': 'nosniff' } });
}
