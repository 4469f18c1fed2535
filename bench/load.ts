/**
 * The service under load (autocannon): half as many senders as it has places (of the queue and of the processes), as many, and four times as
 * many, each sending again as soon as it has an answer; then its recovery. The service is a process of its own on the loopback; each request
 * restores a shipped picture with few steps. Prints latencies of what was answered with 200, answers by status, and memory.
 *
 *   npm run bench -- load [--seconds 20] [--queue 8] [--steps 2] [--port 0]
 *
 * With a port of its own, a Prometheus can be told where to find the metrics.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { argument } from './trials.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
const PICTURE = readFileSync(path.join(ROOT, 'models/fashion-trousers/pictures/00097.png'));

/** What is used of autocannon, which has no types. */
type Cannon = (options: {
  readonly url: string;
  readonly connections: number;
  readonly duration: number;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly overallRate?: number;
  readonly timeout: number;
}) => PromiseLike<{
  readonly statusCodeStats: Readonly<Record<string, { readonly count: number }>>;
  readonly errors: number;
  readonly timeouts: number;
}> & { on(event: 'response', tell: (client: unknown, status: number, bytes: number, ms: number) => void): void };
const autocannon: Cannon = createRequire(import.meta.url)('autocannon');

export async function load(args: readonly string[]): Promise<void> {
  const duration = Number(argument(args, 'seconds', '20'));
  const queue = Number(argument(args, 'queue', '8'));
  const steps = argument(args, 'steps', '2');
  const [service, url] = await started(queue, argument(args, 'port', '0'));
  try {
    const target = `${url}/v1/models/fashion-trousers/restore?steps=${steps}`;
    const one = () => fetch(target, { method: 'POST', body: PICTURE, headers: { 'content-type': 'image/png' } });
    await one();
    console.log(`one request alone: ${(await seconds(one)).toFixed(2)} s; ${await memory(url)}`);
    for (const share of [0.5, 1, 4]) {
      // Of answers with 200: refusals take no time.
      const times: number[] = [];
      const running = autocannon({
        url: target,
        connections: Math.ceil(share * (queue + 1)),
        duration,
        method: 'POST',
        headers: { 'content-type': 'image/png' },
        body: PICTURE,
        timeout: 120,
      });
      running.on('response', (_client, status, _bytes, ms) => void (status === 200 && times.push(ms)));
      const { statusCodeStats, errors, timeouts } = await running;
      times.sort((a, b) => a - b);
      const at = (share: number) => `${Math.round(times[Math.ceil(share * times.length) - 1])} ms`;
      const statuses = Object.entries(statusCodeStats).map(([status, { count }]) => `${count} x ${status}`);
      console.log(
        `${share} x places: p50 ${at(0.5)}, p95 ${at(0.95)}, p99 ${at(0.99)}; ${statuses.join(', ')}; ${errors} errors, ${timeouts} timeouts; ${await memory(url)}`,
      );
    }
    const recovery = await seconds(async () => {
      while (!(await one()).ok) await later(100);
    });
    console.log(`an answer ${recovery.toFixed(2)} s after the flood`);
  } finally {
    service.kill('SIGTERM');
  }
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return (performance.now() - from) / 1000;
}

/** The service, and its address as it says it. */
function started(queue: number, port: string): Promise<[ChildProcess, string]> {
  const main = path.join(ROOT, 'src/cli/main.ts');
  const words = ['--import', 'tsx', main, 'serve', '--models', path.join(ROOT, 'models'), '--port', port];
  const service = spawn(process.execPath, [...words, '--queue', String(queue), '--log-level', 'error'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return new Promise((resolve, reject) => {
    let said = '';
    const listen = async (chunk: Buffer) => {
      said += chunk;
      const url = /Serving .* on (http:\S+)\n/.exec(said)?.[1];
      if (!url) return;
      service.stderr.off('data', listen);
      service.stderr.resume();
      while (!(await fetch(`${url}/readyz`)).ok) await later(100);
      resolve([service, url]);
    };
    service.stderr.on('data', listen);
    service.on('exit', () => reject(new Error(`The service ended: ${said}`)));
  });
}

/** Resident memory of the server and of the processes that compute. */
async function memory(url: string): Promise<string> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const of = (name: string) => Math.round(Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1]) / 2 ** 20);
  return `server ${of('process_resident_memory_bytes')} MB, processes ${of('rgi_processes_resident_bytes')} MB`;
}
