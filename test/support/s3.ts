/**
 * A small S3 of the test's own, in memory: checks every signature (AWS Signature Version 4, computed here from its description), lists in
 * pages, and fails where it is told to.
 */
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const ACCESS_KEY = 'AKIDEXAMPLE';
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const REGION = 'eu-test-1';

interface Stored {
  readonly bytes: Buffer;
  readonly meta: Readonly<Record<string, string>>;
}

export interface TestBucket {
  /** Keys (`bucket/key`) to what was stored. */
  readonly objects: Map<string, Stored>;
  /** Method and path of each request that was answered. */
  readonly requests: string[];
  /** Given a request, the status that it fails with, now or later; undefined: it does not. */
  fail: (request: string) => number | undefined | Promise<undefined>;
  /** Given a request, what becomes of its answer: cut off in the middle, stalled there, or sent byte by byte; undefined: nothing. */
  broken: (request: string) => 'cut' | 'stalled' | 'slow' | undefined;
  readonly env: Readonly<Record<string, string>>;
  put(key: string, content: string | Uint8Array): void;
  close(): Promise<void>;
}

export async function startBucket(pageSize = 3): Promise<TestBucket> {
  const objects = new Map<string, Stored>();
  const requests: string[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    await answer(request, Buffer.concat(chunks), response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bucket: TestBucket = {
    objects,
    requests,
    fail: () => undefined,
    broken: () => undefined,
    env: {
      AWS_ACCESS_KEY_ID: ACCESS_KEY,
      AWS_SECRET_ACCESS_KEY: SECRET,
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    },
    put: (key, content) => void objects.set(key, { bytes: Buffer.from(content), meta: {} }),
    async close() {
      server.closeAllConnections();
      server.close();
    },
  };

  async function answer(request: IncomingMessage, body: Buffer, response: ServerResponse): Promise<void> {
    const { method = '', headers } = request;
    const [rawPath, rawQuery = ''] = (request.url ?? '').split('?');
    const key = decodeURIComponent(rawPath.slice(1));
    const refuse = (status: number, code: string) =>
      response.writeHead(status).end(method === 'HEAD' ? undefined : `<Error><Code>${code}</Code></Error>`);
    const line = `${method} ${key}`;
    requests.push(line);
    const failure = await bucket.fail(line);
    if (failure !== undefined) return void refuse(failure, failure === 403 ? 'AccessDenied' : 'SlowDown');
    if (!isSigned(method, rawPath, rawQuery, headers, body)) return void refuse(403, 'SignatureDoesNotMatch');
    const [name] = key.split('/');
    if (name === 'no-such-bucket') return void refuse(404, 'NoSuchBucket');
    const query = new URLSearchParams(rawQuery);
    const broken = bucket.broken(line);
    if (broken !== undefined) breakOff(response, broken);
    if (query.get('list-type') === '2') return void response.end(page(objects, name, query, pageSize));
    const stored = objects.get(key);
    if (method === 'PUT') {
      const meta = Object.entries(headers).filter(([one]) => one.startsWith('x-amz-meta-'));
      objects.set(key, { bytes: body, meta: Object.fromEntries(meta) as Record<string, string> });
      response.end();
    } else if (method === 'DELETE') {
      objects.delete(key);
      response.writeHead(204).end();
    } else if (!stored) refuse(404, 'NoSuchKey');
    else
      response
        .writeHead(200, { ...stored.meta, 'content-length': stored.bytes.length })
        .end(method === 'HEAD' ? undefined : stored.bytes);
  }
  return bucket;
}

const BYTE_MS = 50;

/** The body that comes next is not sent as it should be. */
function breakOff(response: ServerResponse, how: 'cut' | 'stalled' | 'slow'): void {
  const end = response.end.bind(response);
  response.end = (content: unknown) => {
    const bytes = Buffer.from(content as string);
    if (!response.headersSent) response.setHeader('content-length', bytes.length);
    if (how !== 'slow') response.write(bytes.subarray(0, bytes.length / 2), () => how === 'cut' && response.destroy());
    else
      [...bytes].forEach((_, i) => {
        setTimeout(() => response.write(bytes.subarray(i, i + 1)), i * BYTE_MS);
      });
    if (how === 'slow') setTimeout(end, bytes.length * BYTE_MS);
    return response;
  };
}

function page(objects: ReadonlyMap<string, Stored>, bucket: string, query: URLSearchParams, size: number): string {
  const start = `${bucket}/${query.get('prefix') ?? ''}`;
  const after = query.get('continuation-token') ?? '';
  const keys = [...objects.keys()].sort().filter((key) => key.startsWith(start) && key > after);
  const shown = keys.slice(0, size);
  const contents = shown.map((key) => {
    const name = encodeURIComponent(key.slice(bucket.length + 1))
      .replaceAll('%2F', '/')
      .replaceAll('%20', '+');
    return `<Contents><Key>${name}</Key></Contents>`;
  });
  const escaped = shown.at(-1)?.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const next = keys.length > size ? `<NextContinuationToken>${escaped}</NextContinuationToken>` : '';
  return `<ListBucketResult><EncodingType>url</EncodingType>${contents.join('')}${next}</ListBucketResult>`;
}

function isSigned(
  method: string,
  path: string,
  query: string,
  headers: IncomingMessage['headers'],
  body: Buffer,
): boolean {
  const [, date, signed, signature] =
    /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/(\d{8})\/eu-test-1\/s3\/aws4_request, SignedHeaders=([\w;-]+), Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    ) ?? [];
  if (signature === undefined) return false;
  const hash = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');
  const content = headers['x-amz-content-sha256'];
  if (content !== 'UNSIGNED-PAYLOAD' && content !== hash(body)) return false;
  if (method === 'PUT' && content === 'UNSIGNED-PAYLOAD') return false;
  const sorted = query.split('&').sort().join('&');
  const lines = signed.split(';').map((name) => `${name}:${headers[name]}\n`);
  // Spaces of a query are '+' as URLs have them and '%20' where they are signed.
  const canonical = [method, path, sorted.replaceAll('+', '%20'), lines.join(''), signed, content].join('\n');
  const time = headers['x-amz-date'];
  const text = ['AWS4-HMAC-SHA256', time, `${date}/${REGION}/s3/aws4_request`, hash(canonical)].join('\n');
  const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest();
  const key = ['s3', 'aws4_request'].reduce<Buffer>(hmac, hmac(hmac(`AWS4${SECRET}`, date), REGION));
  return hmac(key, text).toString('hex') === signature;
}
