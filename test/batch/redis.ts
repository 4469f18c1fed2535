/** A Redis of the test's own, with an append-only file, on a port of the loopback; none where redis-server is not installed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import type { Queued } from '../../src/batch/queue-data.ts';

export const hasRedis: boolean = spawnSync('redis-server', ['--version']).status === 0;

/** A job as a sender places it. */
export const QUEUED: Queued = {
  kind: 'restore',
  program: '0',
  rules: 1,
  model: { name: 'g', identity: '0'.repeat(64) },
  options: { method: 'rgi' },
  picture: '0'.repeat(64),
};

export interface TestRedis {
  readonly url: string;
  /** SIGKILL, then a new process on the same files and port. */
  restart(): Promise<void>;
  /** SIGKILL. */
  stop(): Promise<void>;
  /** A new process on the same files and port. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export async function startRedis(): Promise<TestRedis> {
  const folder = await mkdtemp(path.join(tmpdir(), 'rgi-redis-'));
  const port = await freePort();
  const start = async (): Promise<ChildProcess> => {
    const words = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--appendonly', 'yes', '--save', ''];
    const child = spawn('redis-server', [...words, '--appendfsync', 'always'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise<void>((resolve, reject) => {
      child.stdout?.on('data', (text) => String(text).includes('Ready to accept connections') && resolve());
      child.once('exit', (code) => reject(new Error(`redis-server ended with code ${code}.`)));
    });
    return child;
  };
  let server = await start();
  const kill = async () => {
    server.kill('SIGKILL');
    if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    async restart() {
      await kill();
      await later(100);
      server = await start();
    },
    stop: kill,
    async start() {
      server = await start();
    },
    async close() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A port of the loopback that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address ? address.port : 0;
}
