/** A service that cannot be opened leaves nothing open: its program would not end. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import type { JobQueue } from '../../src/service/node/job-queue.ts';
import { serve } from '../../src/service/node/serve.ts';

const models = mkdtempSync(path.join(tmpdir(), 'rgi-models-'));
afterAll(() => rmSync(models, { recursive: true, force: true }));

const processes = () => process.getActiveResourcesInfo().filter((one) => one === 'ProcessWrap').length;

function queueWith(recorded: () => Promise<never[]>) {
  const close = vi.fn(async () => {});
  return { recorded, close } as Partial<JobQueue> as JobQueue & { readonly close: typeof close };
}

test('for want of its models, its queue or its port', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as AddressInfo;
  const before = processes();
  const lost = () => Promise.reject(new Error('the queue is gone'));
  for (const [options, queue, sentence] of [
    [{ models: path.join(models, 'missing'), port: 0 }, queueWith(async () => []), 'missing'],
    [{ models, port: 0 }, queueWith(lost), 'the queue is gone'],
    [{ models, port }, queueWith(async () => []), 'cannot be listened on'],
  ] as const) {
    await expect(serve({ ...options, queue })).rejects.toThrow(sentence);
    expect(queue.close).toHaveBeenCalledTimes(1);
    await vi.waitFor(() => expect(processes()).toBe(before), 10_000);
  }
  taken.close();
}, 30_000);
