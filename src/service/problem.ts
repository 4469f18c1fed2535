/** Errors as `application/problem+json` (RFC 9457): the sentence, and the typed details of `RgiError`. */
import { z } from '@hono/zod-openapi';
import { type ErrorDetails, messageOf, RgiError } from '../errors.ts';

export const problemSchema = z
  .object({
    type: z.string().openapi({ description: "A URN that names the kind of problem, for instance 'urn:rgi:input'." }),
    title: z.string(),
    status: z.number().int(),
    detail: z.string().openapi({ description: 'What was wrong, where, and what to do next: one sentence or two.' }),
    instance: z.string().optional().openapi({ description: 'The id of the request, as in the log.' }),
    details: z
      .looseObject({ kind: z.string() })
      .optional()
      .openapi({ description: 'What was wrong as data: an option, a name, a shape, a file, an operator.' }),
    errors: z
      .array(z.object({ field: z.string(), message: z.string() }))
      .optional()
      .openapi({ description: 'Fields of the request that are wrong.' }),
  })
  .openapi('Problem');

export type Problem = z.infer<typeof problemSchema>;

/** Every status that a problem has here. */
export const PROBLEM_TITLES = {
  400: 'The request is wrong',
  401: 'A valid token is needed',
  403: 'That is not allowed',
  404: 'There is no such thing here',
  405: 'The method is not allowed',
  408: 'The request took too long to arrive',
  409: 'That is not possible in this state',
  413: 'The request is too large',
  415: 'The content type is not read here',
  422: 'The request cannot be carried out',
  429: 'Too many requests',
  500: 'The service failed',
  503: 'The service takes no work now',
} as const;

export type ProblemStatus = keyof typeof PROBLEM_TITLES;

/** A refusal that has a status of its own. */
export class HttpError extends Error {
  readonly status: ProblemStatus;
  readonly more: Partial<Pick<Problem, 'details' | 'errors'>>;
  /** Seconds after which it is worth trying again. */
  readonly retryAfter?: number;

  constructor(
    status: ProblemStatus,
    message: string,
    more: HttpError['more'] & { retryAfter?: number } = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    const { retryAfter, ...rest } = more;
    this.status = status;
    this.more = rest;
    if (retryAfter !== undefined) this.retryAfter = retryAfter;
  }
}

const CODES: Readonly<Record<RgiError['code'], ProblemStatus>> = {
  usage: 400,
  input: 422,
  model: 422,
  'unsupported-operator': 422,
  device: 422,
  runtime: 422,
  check: 422,
};

/** The status of an error, and its problem. What is not meant for clients is not said to them. */
export function problemOf(error: unknown, instance?: string): Problem & { readonly status: ProblemStatus } {
  const [status, type, detail, more] = factsOf(error);
  return {
    type: `urn:rgi:${type}`,
    title: PROBLEM_TITLES[status],
    detail,
    ...(instance ? { instance } : {}),
    ...more,
    status,
  };
}

function factsOf(error: unknown): [ProblemStatus, string, string, HttpError['more']] {
  if (error instanceof HttpError) return [error.status, String(error.status), messageOf(error), error.more];
  if (error instanceof RgiError) {
    const { code, details } = error;
    return [statusOf(code, details), code, messageOf(error), details ? { details: { ...details } } : {}];
  }
  return [500, 'unexpected', 'The service met an error of its own; its log says more under the id of the request.', {}];
}

function statusOf(code: RgiError['code'], details: ErrorDetails | undefined): ProblemStatus {
  if (details?.kind === 'name' && details.of === 'model') return 404;
  if (details?.kind === 'file' && details.reason === 'too-large') return 413;
  return CODES[code];
}
