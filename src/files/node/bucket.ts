/**
 * S3-compatible buckets: objects are read, written, listed and removed by signed requests, which are tried again where that may help.
 * Addresses are `s3://bucket/key`. Credentials, region and endpoint are those of the standard AWS_* variables; no message holds them.
 */
import { createHash } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as later } from 'node:timers/promises';
import { AwsClient } from 'aws4fetch';
import { type FileReason, fileError, messageOf, RgiError } from '../../errors.ts';
import { bucketSettings } from './bucket-settings.ts';
import { MAX_FILE_BYTES, tooLarge } from './limits.ts';

/** A bucket, and a key or the beginning of keys in it. */
export interface BucketAddress {
  readonly bucket: string;
  readonly key: string;
}

export interface Bucket {
  /** Addresses of the objects whose address begins so, in the order of their keys; page by page. */
  list(prefix: string): AsyncGenerator<string>;
  /** Copies an object of at most `limit` bytes (default: `MAX_FILE_BYTES`) into a file; where this fails, a part of it may be there. */
  download(address: string, to: string, limit?: number): Promise<void>;
  /** The text of an object; undefined where there is none. */
  text(address: string): Promise<string | undefined>;
  /** The SHA-256 that an object was written with here: '' of one that was not; undefined where there is none. */
  hashOf(address: string): Promise<string | undefined>;
  /** Writes an object: whole, or not at all. */
  put(address: string, content: Uint8Array | string): Promise<void>;
  upload(address: string, from: string): Promise<void>;
  /** Removes an object where there is one. */
  remove(address: string): Promise<void>;
}

const ADDRESS = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/s;

/** Does a name begin as the address of a bucket? */
export function isBucketAddress(name: string): boolean {
  return name.startsWith('s3://');
}

/** Throws `usage` where it is none, or its key has parts `.` or `..`. */
export function parseBucketAddress(address: string): BucketAddress {
  const [, bucket, key = ''] = ADDRESS.exec(address) ?? [];
  if (bucket === undefined)
    throw new RgiError('usage', `'${address}' is no address of a bucket; write s3://bucket/key.`, { file: address });
  // In a URL, they would lead to another object, or into another bucket.
  if (key.split('/').some((part) => part === '.' || part === '..'))
    throw new RgiError('usage', `'${address}' has a part '.' or '..'; write the key itself.`, { file: address });
  return { bucket, key };
}

/** Times that a request is sent in all, and the first pause, doubled each time. */
const ATTEMPTS = 5;
const PAUSE_MS = 200;

/** How long it may take until an answer, or the next piece of it, arrives. */
const IDLE_MS = 300_000;

const HASH = 'x-amz-meta-sha256';

/** With the environment's credentials. Throws `usage` where it has none, or where a variable cannot be used. */
export function openBucket(env: NodeJS.ProcessEnv = process.env, idleMs = IDLE_MS): Bucket {
  const { endpoint, region, ...credentials } = bucketSettings(env);
  const client = new AwsClient({ ...credentials, service: 's3', region });
  const urlOf = ({ bucket, key }: BucketAddress) =>
    endpoint
      ? new URL(`${endpoint.replace(/\/+$/, '')}/${bucket}/${encoded(key)}`)
      : new URL(`https://${bucket}.s3.${region}.amazonaws.com/${encoded(key)}`);

  /** What `read` makes of the answer, which may be 404 where `absent` says so. It is read here, since its body may be cut off. */
  const ask = async <T>(
    address: string,
    url: URL,
    read: (answer: Response, renew: () => void) => Promise<T>,
    init: Asked = {},
    absent = false,
  ): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      const request = await signed(client, address, url, init);
      const failure = await watched(idleMs, async (signal, renew): Promise<Failure | { readonly value: T }> => {
        try {
          const answer = await fetch(request, { signal, redirect: 'manual' });
          renew();
          if (answer.ok || (absent && answer.status === 404)) return { value: await read(answer, renew) };
          return { status: answer.status, code: errorCode(await answer.text().catch(() => '')) };
        } catch (error) {
          if (error instanceof RgiError) throw error;
          return error as Error;
        }
      });
      if ('value' in failure) return failure.value;
      const mayHelp = failure instanceof Error || failure.status >= 500 || [408, 429].includes(failure.status);
      if (!mayHelp || attempt >= ATTEMPTS) throw refused(address, init.method, failure);
      await later(PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random() / 2));
    }
  };
  const at = (address: string) => urlOf(parseBucketAddress(address));
  const put = async (address: string, content: Uint8Array | string) => {
    const sha256 = createHash('sha256').update(content).digest('hex');
    const headers = { 'x-amz-content-sha256': sha256, [HASH]: sha256 };
    await ask(address, at(address), drained, { method: 'PUT', body: content, headers });
  };

  return {
    async *list(prefix) {
      const { bucket, key } = parseBucketAddress(prefix);
      let token: string | undefined;
      do {
        const url = urlOf({ bucket, key: '' });
        const query = {
          'list-type': '2',
          'encoding-type': 'url',
          prefix: key,
          ...(token ? { 'continuation-token': token } : {}),
        };
        for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
        const page = pageOf(prefix, await ask(prefix, url, (answer) => answer.text()));
        for (const found of page.keys) yield `s3://${bucket}/${found}`;
        token = page.next;
      } while (token !== undefined);
    },
    download: async (address, to, limit = MAX_FILE_BYTES) =>
      ask(address, at(address), (answer, renew) => save(address, answer, to, limit, renew)),
    async text(address) {
      const read = async (answer: Response) => (answer.ok ? await answer.text() : await drained(answer));
      return (await ask(address, at(address), read, {}, true)) ?? undefined;
    },
    async hashOf(address) {
      const read = async ({ ok, headers }: Response) => (ok ? (headers.get(HASH) ?? '') : undefined);
      return ask(address, at(address), read, { method: 'HEAD' }, true);
    },
    put,
    upload: async (address, from) => put(address, await readFile(from)),
    async remove(address) {
      await ask(address, at(address), drained, { method: 'DELETE' }, true);
    },
  };
}

async function drained(answer: Response): Promise<undefined> {
  await answer.arrayBuffer();
}

/** Aborts the signal where `renew` is not called for so long. */
async function watched<T>(ms: number, work: (signal: AbortSignal, renew: () => void) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error(`nothing arrived for ${ms / 1000} s`)), ms);
  try {
    return await work(controller.signal, () => void timer.refresh());
  } finally {
    clearTimeout(timer);
  }
}

/** Writes the body of an answer into a file. Throws `input` where it is larger than `limit`, or the file cannot be written. */
async function save(
  address: string,
  { headers, body }: Response,
  to: string,
  limit: number,
  renew: () => void,
): Promise<void> {
  let size = Number(headers.get('content-length') ?? 0);
  if (size > limit) throw tooLarge(address, size, limit);
  const here = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw fileError(to, 'unreadable', `${address} cannot be copied to ${to} (${messageOf(error)}).`, error);
    }
  };
  const file = await here(open(to, 'w'));
  try {
    size = 0;
    for await (const chunk of body ?? []) {
      renew();
      size += chunk.length;
      if (size > limit) throw tooLarge(address, size, limit);
      await here(file.writeFile(chunk));
    }
  } finally {
    await here(file.close());
  }
}

/** Why an object or a file could not be used; undefined of any other error. */
export function reasonOf(error: unknown): FileReason | undefined {
  const details = error instanceof RgiError ? error.details : undefined;
  return details?.kind === 'file' ? details.reason : undefined;
}

interface Asked {
  readonly method?: 'GET' | 'HEAD' | 'PUT' | 'DELETE';
  readonly body?: Uint8Array | string;
  readonly headers?: Record<string, string>;
}

/** Signed anew each time: a signature has its time. */
async function signed(
  client: AwsClient,
  address: string,
  url: URL,
  { method = 'GET', body, headers }: Asked,
): Promise<Request> {
  const content = typeof body === 'string' ? body : body && new Uint8Array(body);
  try {
    return await client.sign(url, { method, body: content, headers });
  } catch {
    // Its message may quote the credentials.
    throw fileError(address, 'unreadable', `${address}: no request can be signed; check the AWS_* variables.`);
  }
}

/** As signatures have it (RFC 3986). */
function encoded(key: string): string {
  const escaped = (part: string) =>
    encodeURIComponent(part).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
  return key.split('/').map(escaped).join('/');
}

const REFUSALS: Readonly<Record<number, readonly [FileReason, string]>> = {
  301: ['unreadable', 'the bucket is in another region; set AWS_REGION'],
  400: ['unreadable', 'the request is not understood; check AWS_REGION and AWS_ENDPOINT_URL_S3'],
  403: ['denied', 'it is not allowed; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and their rights'],
};

/** What was answered, or why nothing was. */
type Failure = { readonly status: number; readonly code: string | undefined } | Error;

function errorCode(xml: string): string | undefined {
  return /<Code>(\w{1,60})<\/Code>/.exec(xml)?.[1];
}

function refused(address: string, method: Asked['method'] = 'GET', failure: Failure): RgiError {
  const verb = method === 'PUT' ? 'written' : method === 'DELETE' ? 'removed' : 'read';
  if (failure instanceof Error) {
    const why = messageOf(failure.cause instanceof Error ? failure.cause : failure) || 'no answer';
    return fileError(
      address,
      'unreadable',
      `${address} cannot be ${verb}: the bucket does not answer (${why}).`,
      failure,
    );
  }
  const { status, code } = failure;
  const said = code === undefined ? String(status) : `${status} ${code}`;
  if (status === 404) {
    const what =
      code === 'NoSuchBucket'
        ? `There is no bucket '${parseBucketAddress(address).bucket}'.`
        : `${address} does not exist.`;
    return fileError(address, 'missing', what);
  }
  const [reason, why] = REFUSALS[status] ?? (['unreadable', 'the bucket fails; try again later'] as const);
  return fileError(address, reason, `${address} cannot be ${verb} (${said}): ${why}.`);
}

/** A page of ListObjectsV2. */
function pageOf(prefix: string, xml: string): { readonly keys: readonly string[]; readonly next?: string } {
  const isEncoded = /<EncodingType>url<\/EncodingType>/.test(xml);
  const keyOf = (text: string) => {
    try {
      return isEncoded ? decodeURIComponent(text.replaceAll('+', ' ')) : unescaped(text);
    } catch (error) {
      throw fileError(prefix, 'damaged', `${prefix} cannot be listed: the bucket names a key that is no text.`, error);
    }
  };
  const keys = [...xml.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, text]) => keyOf(text));
  const next = /<NextContinuationToken>([^<]+)<\/NextContinuationToken>/.exec(xml)?.[1];
  return { keys, ...(next === undefined ? {} : { next: unescaped(next) }) };
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };

function unescaped(text: string): string {
  return text.replace(/&(#x?[0-9a-fA-F]+|\w+);/g, (whole, name: string) => {
    if (name.startsWith('#x')) return String.fromCodePoint(Number.parseInt(name.slice(2), 16));
    if (name.startsWith('#')) return String.fromCodePoint(Number(name.slice(1)));
    return ENTITIES[name] ?? whole;
  });
}
