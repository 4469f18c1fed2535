/** Whatever is sent, the service answers with a documented refusal, and goes on. */
import { connect } from 'node:net';
import { deflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problemIn, ready, startService, type TestService, TROUSERS } from './support.ts';

const RESTORE = '/v1/models/fashion-trousers/restore';

describe('hostile requests', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService({ maxBytes: 200_000, maxPixels: 1_000_000, bodySeconds: 1, queue: 0 });
    await ready(service);
  });
  afterAll(() => service?.close());

  const refused = async (answer: Promise<Response>) => {
    const { status, detail } = await problemIn(await answer);
    return [status, detail];
  };

  it('a bomb: few bytes that claim many pixels', async () => {
    const bomb = png(20_000, 20_000);
    expect(bomb.length).toBeLessThan(1000);
    expect(await refused(service.post(RESTORE, bomb))).toEqual([
      413,
      'The picture has 20000 x 20000 pixels; more than 1 million are refused. Make it smaller first.',
    ]);
  });

  it('pictures that are cut short, mislabelled, or none', async () => {
    const cut = await refused(service.post(RESTORE, TROUSERS.slice(0, 200)));
    expect(cut[0]).toBe(422);
    expect(cut[1]).toMatch(/^The picture is damaged or cut short: copy it again, whole/);
    const none = await refused(service.post(RESTORE, new TextEncoder().encode('no picture')));
    expect(none[0]).toBe(422);
    expect(none[1]).toMatch(/^The picture is not a picture \(.*\), or its beginning is damaged\.$/);
    // The content counts, not its label.
    expect((await service.post(`${RESTORE}?steps=2`, TROUSERS, { 'content-type': 'image/jpeg' })).status).toBe(200);
    expect(await refused(service.post(RESTORE, '{}', { 'content-type': 'application/json' }))).toEqual([
      415,
      "A body of application/json is no picture. Send the bytes of a picture file, or a form (multipart/form-data) with the field 'image'.",
    ]);
    expect(await refused(service.post(RESTORE, ''))).toEqual([
      400,
      'The body is empty; send the bytes of a picture file.',
    ]);
    expect((await refused(service.post(RESTORE, 'x', { 'content-type': 'multipart/form-data; boundary=y' })))[0]).toBe(
      400,
    );
  });

  it('a body beyond the limit, declared or not', async () => {
    const sentence = 'The body has more than 200000 bytes, the most that is read here. Send a smaller picture.';
    expect(await refused(service.post(RESTORE, new Uint8Array(300_000)))).toEqual([413, sentence]);
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(50_000)) });
    const init = { method: 'POST', body: endless, duplex: 'half', headers: { 'content-type': 'image/png' } };
    // The connection may be closed while more is sent: then there is no answer to read.
    const answer = await service.get(RESTORE, init as RequestInit).catch(() => undefined);
    if (answer) expect(answer.status).toBe(413);
    expect((await service.get('/healthz')).status).toBe(200);
  });

  it('a body that arrives slowly: 408, and its place is free again', async () => {
    const text = await raw(
      service.url,
      `POST ${RESTORE} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nslow`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
    await idle(service);
  });

  it('a sender who hangs up in the middle of a body, or of the work', async () => {
    const head = (length: number) =>
      `POST ${RESTORE}?steps=20000&preset=paper HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: ${length}\r\n\r\n`;
    await hangUp(service.url, head(1000), 100);
    await idle(service);
    await hangUp(service.url, Buffer.concat([Buffer.from(head(TROUSERS.length)), TROUSERS]), 300);
    await idle(service);
    await ready(service);
    expect((await service.post(`${RESTORE}?steps=2`, TROUSERS)).status).toBe(200);
  });

  it('more than is taken at a time: 429 with Retry-After, for all but one', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => service.post(`${RESTORE}?steps=4`, TROUSERS)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(429)]);
    const busy = answers.find(({ status }) => status === 429)!;
    expect(Number(busy.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect((await problemIn(busy)).detail).toBe(
      '1 jobs are queued or computed, as many as are taken. Try again later.',
    );
  });

  it('pages of other sites', async () => {
    // fetch sets no foreign Host; a raw request does.
    const text = await raw(
      service.url,
      'GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://evil.example\r\nConnection: close\r\n\r\n',
    );
    expect(text).toMatch(/^HTTP\/1\.1 403 /);
    const bound = await raw(
      service.url,
      'GET /v1/models HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nConnection: close\r\n\r\n',
    );
    expect(bound).toMatch(/^HTTP\/1\.1 403 /);
  });

  it('addresses that are none, and ids with control characters', async () => {
    expect((await refused(service.get('/v1/../../etc/passwd')))[0]).toBe(404);
    expect((await refused(service.get('/v1/jobs/%00')))[0]).toBe(404);
    expect((await refused(service.get('/v1/models/%E0%A4%A/inspect')))[0]).toBe(404);
    const odd = await service.get('/healthz', { headers: { 'x-request-id': 'a b<script>' } });
    expect(odd.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });
});

/** A grey PNG of zeros whose data claims more rows than there are. */
function png(width: number, height: number): Uint8Array<ArrayBuffer> {
  const chunk = (kind: string, data: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    return Buffer.concat([length, Buffer.from(kind), data, Buffer.alloc(4)]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 0, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]);
  const parts = [
    signature,
    crc(chunk('IHDR', head)),
    crc(chunk('IDAT', deflateSync(Buffer.alloc(1000)))),
    crc(chunk('IEND', Buffer.alloc(0))),
  ];
  return new Uint8Array(Buffer.concat(parts));
}

/** Sets the checksum of a PNG chunk. */
function crc(chunk: Buffer): Buffer {
  let sum = 0xffffffff;
  for (const byte of chunk.subarray(4, -4)) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  }
  chunk.writeUInt32BE((sum ^ 0xffffffff) >>> 0, chunk.length - 4);
  return chunk;
}

/** Sends bytes as they are; what comes back until the connection ends. */
function raw(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(text));
    let got = '';
    socket.on('data', (chunk) => {
      got += chunk;
    });
    socket.on('close', () => resolve(got));
    socket.on('error', reject);
  });
}

/** Sends bytes, and goes without a word. */
function hangUp(url: string, bytes: string | Buffer, ms: number): Promise<void> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(bytes);
      setTimeout(() => socket.destroy(), ms);
    });
    socket.on('close', () => resolve());
    socket.on('error', () => {});
  });
}

/** Until no job waits or is computed. */
async function idle(service: TestService): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (/^rgi_active_jobs 0$/m.test(await (await service.get('/metrics')).text())) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('A job is left.');
}
