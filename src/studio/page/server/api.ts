/** The HTTP API of `rgi serve`, as far as the studio uses it; see docs/serve.md. */
import type { JobAnswer } from '../../../service/schemas.ts';
import { PageFailure } from '../failures.ts';
import { texts } from '../texts.ts';

/** Between a stream of events that broke off and the next one. */
const RECONNECT_MS = 1000;

/** A service that takes longer to cancel a job is not waited for. */
const MAX_CANCEL_MS = 5000;

/** The service refused a request. */
export class Refusal extends PageFailure {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** What the service says of a model, of `rgi inspect --json`. */
export interface ModelFacts {
  readonly picture: { readonly channels: number; readonly height: number; readonly width: number };
  readonly latents: readonly { readonly dims: readonly number[] }[];
  readonly policies: readonly string[];
  readonly notes: readonly string[];
}

export interface Api {
  /** Does the service answer? */
  isThere(): Promise<boolean>;
  /** Names of its models. */
  models(): Promise<string[]>;
  facts(model: string): Promise<ModelFacts>;
  /**
   * Sends a picture and waits for its restoration. Throws what `signal` was aborted with, at once: the job is cancelled
   * beside it, as it is after a failure and where the page is left.
   * @param options Of the query: `method`, `steps`, ...
   */
  restore(
    model: string,
    options: Readonly<Record<string, string>>,
    picture: Blob,
    hooks: { readonly signal: AbortSignal; onProgress(job: JobAnswer): void },
  ): Promise<JobAnswer>;
  /** A file of a job's results. */
  file(job: JobAnswer, name: string): Promise<File>;
}

/**
 * @param root Where the service's addresses begin.
 * @param token The bearer token; '' for none.
 */
export function apiAt(root: string, token: () => string): Api {
  const ask = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const bearer = token();
    const headers = { ...init.headers, ...(bearer ? { authorization: `Bearer ${bearer}` } : {}) };
    const answer = await fetch(new URL(path, root), { ...init, headers, cache: 'no-store' }).catch(() => {
      init.signal?.throwIfAborted();
      throw new PageFailure(texts.server.silent(new URL(root).host));
    });
    if (answer.ok) return answer;
    const { detail } = (await answer.json().catch(() => ({}))) as { readonly detail?: string };
    throw new Refusal(answer.status, detail ?? texts.server.failed(answer.status));
  };
  const json = async <T>(path: string, init?: RequestInit) => (await (await ask(path, init)).json()) as T;
  const cancelJob = (id: string) =>
    ask(`v1/jobs/${id}`, { method: 'DELETE', keepalive: true, signal: AbortSignal.timeout(MAX_CANCEL_MS) });
  /** A job to its end. Its events may break off before: then its state says whether they are followed again. */
  const followed = async (id: string, signal: AbortSignal, onProgress: (job: JobAnswer) => void) => {
    for (;;) {
      try {
        const { body } = await ask(`v1/jobs/${id}/events`, { signal });
        for await (const event of eventsOf(body!)) onProgress(event);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof Refusal) throw error;
      }
      const job = await json<JobAnswer>(`v1/jobs/${id}`, { signal });
      if (job.state !== 'queued' && job.state !== 'running') return finished(job);
      await unlessAborted(new Promise((resolve) => setTimeout(resolve, RECONNECT_MS)), signal);
    }
  };
  return {
    isThere: async () => (await fetch(new URL('healthz', root)).catch(() => undefined))?.ok ?? false,
    async models() {
      const { models } = await json<{ readonly models: readonly { readonly name: string }[] }>('v1/models');
      return models.map(({ name }) => name);
    },
    facts: (model) => json(`v1/models/${model}/inspect`),
    async restore(model, options, picture, { signal, onProgress }) {
      signal.throwIfAborted();
      const query = new URLSearchParams(options);
      // Without the signal: of an upload that is broken off nobody would know whether it began a job.
      const sent = { method: 'POST', body: picture, headers: { 'content-type': picture.type } };
      const posted = json<JobAnswer>(`v1/models/${model}/restore/jobs?${query}`, sent);
      const cancel = () => void posted.then(({ id }) => cancelJob(id)).catch(() => undefined);
      addEventListener('pagehide', cancel);
      try {
        return await followed((await unlessAborted(posted, signal)).id, signal, onProgress);
      } catch (error) {
        cancel();
        throw error;
      } finally {
        removeEventListener('pagehide', cancel);
      }
    },
    async file({ id }, name) {
      const blob = await (await ask(`v1/jobs/${id}/files/${name}`)).blob();
      return new File([blob], name, { type: 'image/png' });
    },
  };
}

/** What `promise` brings; or throws what `signal` is aborted with, where that is sooner. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function finished(job: JobAnswer): JobAnswer {
  if (job.state === 'done') return job;
  throw new Refusal(job.problem?.status ?? 503, job.problem?.detail ?? texts.server.cancelled);
}

/** The data of server-sent events. An `EventSource` could not send a token. */
async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<JobAnswer> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (rest + decoder.decode(value, { stream: true })).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) {
      const data = /^data: (.*)$/m.exec(event)?.[1];
      if (data) yield JSON.parse(data) as JobAnswer;
    }
  }
}
