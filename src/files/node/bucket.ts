/**
 * S3-compatible buckets: objects are read, written, listed and removed by signed requests, which are tried again where that may help.
 * Addresses are `s3://bucket/key`. Credentials, region and endpoint are those of the standard AWS_* variables; no message holds them.
 */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as later } from 'node:timers/promises';
import { AwsClient } from 'aws4fetch';
import { type FileReason, fileError, messageOf, RgiError } from '../../errors.ts';

/** A bucket, and a key or the beginning of keys in it. */
export interface BucketAddress {
  readonly bucket: string;
  readonly key: string;
}

export interface Bucket {
  /** Addresses of the objects whose address begins so, in the order of their keys; page by page. */
  list(prefix: string): AsyncGenerator<string>;
  /** Copies an object into a file. */
  download(address: string, to: string): Promise<void>;
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

/** Throws `usage` where it is none. */
export function parseBucketAddress(address: string): BucketAddress {
  const [, bucket, key = ''] = ADDRESS.exec(address) ?? [];
  if (bucket === undefined)
    throw new RgiError('usage', `'${address}' is no address of a bucket; write s3://bucket/key.`, { file: address });
  return { bucket, key };
}

/** Times that a request is sent in all, and the first pause, doubled each time. */
const ATTEMPTS = 5;
const PAUSE_MS = 200;

/** How long an answer may take, its body included. */
const ANSWER_MS = 300_000;

const HASH = 'x-amz-meta-sha256';

/** With the environment's credentials. Throws `usage` where it has none. */
export function openBucket(env: NodeJS.ProcessEnv = process.env): Bucket {
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  } = env;
  if (!accessKeyId || !secretAccessKey)
    throw new RgiError('usage', 'A bucket needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; set these variables.');
  const region = env.AWS_REGION || env.AWS_DEFAULT_REGION || 'us-east-1';
  const client = new AwsClient({ accessKeyId, secretAccessKey, sessionToken, service: 's3', region });
  const endpoint = env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL;
  const urlOf = ({ bucket, key }: BucketAddress) =>
    endpoint
      ? new URL(`${endpoint.replace(/\/+$/, '')}/${bucket}/${encoded(key)}`)
      : new URL(`https://${bucket}.s3.${region}.amazonaws.com/${encoded(key)}`);

  /** The answer, which may be 404 where `absent` says so. */
  const ask = async (address: string, url: URL, init: Asked = {}, absent = false): Promise<Response> => {
    for (let attempt = 1; ; attempt++) {
      const answer = await fetched(client, url, init).catch((error: unknown) => error as Error);
      const isFailed = answer instanceof Error;
      if (!isFailed && (answer.ok || (absent && answer.status === 404))) return answer;
      const mayHelp = isFailed || answer.status >= 500 || answer.status === 429 || answer.status === 408;
      if (!mayHelp || attempt >= ATTEMPTS) throw await refused(address, init.method, answer);
      if (!isFailed) await answer.body?.cancel();
      await later(PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random() / 2));
    }
  };
  const at = (address: string) => urlOf(parseBucketAddress(address));
  const put = async (address: string, content: Uint8Array | string) => {
    const sha256 = createHash('sha256').update(content).digest('hex');
    const headers = { 'x-amz-content-sha256': sha256, [HASH]: sha256 };
    await (await ask(address, at(address), { method: 'PUT', body: content, headers })).arrayBuffer();
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
        const page = pageOf(await (await ask(prefix, url)).text());
        for (const found of page.keys) yield `s3://${bucket}/${found}`;
        token = page.next;
      } while (token !== undefined);
    },
    async download(address, to) {
      for (let attempt = 1; ; attempt++) {
        const { body } = await ask(address, at(address));
        try {
          await pipeline(
            body ? Readable.fromWeb(body as import('node:stream/web').ReadableStream) : Readable.from([]),
            createWriteStream(to),
          );
          return;
        } catch (error) {
          // Cut in the middle.
          if (attempt >= ATTEMPTS) throw await refused(address, 'GET', error as Error);
        }
      }
    },
    async text(address) {
      const answer = await ask(address, at(address), {}, true);
      return answer.ok ? answer.text() : void (await answer.body?.cancel());
    },
    async hashOf(address) {
      const answer = await ask(address, at(address), { method: 'HEAD' }, true);
      return answer.ok ? (answer.headers.get(HASH) ?? '') : undefined;
    },
    put,
    upload: async (address, from) => put(address, await readFile(from)),
    async remove(address) {
      await (await ask(address, at(address), { method: 'DELETE' }, true)).arrayBuffer();
    },
  };
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
async function fetched(client: AwsClient, url: URL, { method = 'GET', body, headers }: Asked): Promise<Response> {
  const content = typeof body === 'string' ? body : body && new Uint8Array(body);
  const signed = await client.sign(url, { method, body: content, headers });
  return fetch(signed, { signal: AbortSignal.timeout(ANSWER_MS), redirect: 'manual' });
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

async function refused(address: string, method: Asked['method'] = 'GET', answer: Response | Error): Promise<RgiError> {
  const verb = method === 'PUT' ? 'written' : method === 'DELETE' ? 'removed' : 'read';
  if (answer instanceof Error) {
    const why = messageOf(answer.cause instanceof Error ? answer.cause : answer) || 'no answer';
    return fileError(
      address,
      'unreadable',
      `${address} cannot be ${verb}: the bucket does not answer (${why}).`,
      answer,
    );
  }
  const { status } = answer;
  const code = /<Code>(\w{1,60})<\/Code>/.exec(await answer.text().catch(() => ''))?.[1];
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
function pageOf(xml: string): { readonly keys: readonly string[]; readonly next?: string } {
  const isEncoded = /<EncodingType>url<\/EncodingType>/.test(xml);
  const keyOf = (text: string) => (isEncoded ? decodeURIComponent(text.replaceAll('+', ' ')) : unescaped(text));
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
