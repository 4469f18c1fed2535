/**
 * Memory and speed of `rgi batch restore` on many small pictures of a linear generator: resident memory of the process through the run, then
 * the same list in 1, 2 and 4 shards at once, merged. The program is run as processes, of one thread each; shards share the machine's cores.
 *
 *   npm run bench -- batch [--pictures 10000] [--shard-pictures 2000] [--shards 1,2,4]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { encodeGrey } from '../src/images/node/write.ts';
import { GraphBuilder } from '../src/onnx/builder.ts';
import { encodeModel } from '../src/onnx/encode.ts';
import type { Graph } from '../src/onnx/graph.ts';
import { float32 } from '../src/onnx/tensor.ts';
import { randomFrom } from '../src/random.ts';
import { argument } from './trials.ts';

const PROGRAM = path.join(import.meta.dirname, '../src/cli/main.ts');
const SIDE = 16;
const LATENT = 4;
const SAMPLE_MS = 250;

export async function batch(args: readonly string[]): Promise<void> {
  const many = Number(argument(args, 'pictures', '10000'));
  const fewer = Number(argument(args, 'shard-pictures', '2000'));
  const counts = argument(args, 'shards', '1,2,4').split(',').map(Number);
  const root = await mkdtemp(path.join(os.tmpdir(), 'rgi-batch-'));
  try {
    const model = path.join(root, 'linear.onnx');
    await writeFile(model, encodeModel(linearGenerator()));
    const listOf = (count: number) => path.join(root, `${count}.csv`);
    for (const count of new Set([many, fewer])) await makeList(root, listOf(count), count);
    const words = (count: number, out: string) => ['batch', 'restore', listOf(count), '-g', model, '--out', out, '-q'];
    if (many > 0) await memory(words(many, path.join(root, 'many')), many);
    for (const count of counts) {
      const place = (part: number) => path.join(root, `${count}-${part}`);
      const parts = Array.from({ length: count }, (_, part) => part);
      const seconds = await timed(() =>
        Promise.all(
          parts.map((part) => finished(start([...words(fewer, place(part)), '--shard', `${part}/${count}`]))),
        ),
      );
      const merging = await timed(() =>
        finished(start(['merge', ...parts.map(place), '--out', path.join(root, `${count}-merged`), '-q'])),
      );
      console.log(
        `${count} shards of ${fewer} pictures: ${seconds.toFixed(1)} s (${(fewer / seconds).toFixed(1)} pictures/s); merged in ${merging.toFixed(1)} s`,
      );
    }
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** Prints the resident memory in each tenth of the run. */
async function memory(words: readonly string[], pictures: number): Promise<void> {
  const samples: number[] = [];
  const began = performance.now();
  const child = start(words);
  const timer = setInterval(async () => {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
    const kilobytes = /^VmRSS:\s+(\d+)/m.exec(status)?.[1];
    if (kilobytes !== undefined) samples.push(Number(kilobytes) / 1024);
  }, SAMPLE_MS);
  await finished(child);
  clearInterval(timer);
  const seconds = (performance.now() - began) / 1000;
  const tenths = Array.from({ length: 10 }, (_, i) => {
    const part = samples.slice(Math.floor((i * samples.length) / 10), Math.floor(((i + 1) * samples.length) / 10));
    return `${Math.round(Math.max(...part))}`;
  });
  console.log(`${pictures} pictures: ${seconds.toFixed(1)} s (${(pictures / seconds).toFixed(1)} pictures/s)`);
  console.log(`resident memory (MiB, the most in each tenth of the run): ${tenths.join(' ')}`);
}

function start(words: readonly string[]): ChildProcess {
  return spawn(
    process.execPath,
    [...process.execArgv, PROGRAM, ...words, ...(words[0] === 'batch' ? ['--threads', '1'] : [])],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
}

async function finished(child: ChildProcess): Promise<void> {
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`The program ended with code ${code}.`);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

/** G(z) = W z, smooth waves. */
function linearGenerator(): Graph {
  const b = new GraphBuilder();
  const weight = b.initializer('weight', float32(waves(), [LATENT, SIDE * SIDE]));
  b.node('Reshape', [b.MatMul(b.reserve('z'), weight), b.ints([-1, 1, SIDE, SIDE])], {}, ['image']);
  return b.graph(
    'linear',
    [{ name: 'z', type: 'float32', dims: ['N', LATENT] }],
    [{ name: 'image', type: 'float32', dims: ['N', 1, SIDE, SIDE] }],
  );
}

function waves(): Float32Array {
  return Float32Array.from({ length: LATENT * SIDE * SIDE }, (_, i) => {
    const [k, y, x] = [Math.floor(i / SIDE ** 2), Math.floor(i / SIDE) % SIDE, i % SIDE];
    return 0.3 * Math.cos((Math.PI * ((k % 2) * (x + 0.5) + (1 + Math.floor(k / 2)) * (y + 0.5))) / SIDE);
  });
}

/** Pictures of the generator with noise and a bright block, a thousand in each folder, and their manifest. */
async function makeList(root: string, file: string, count: number): Promise<void> {
  const random = randomFrom(5);
  const weight = waves();
  const rows = ['path'];
  for (let n = 0; n < count; n++) {
    const z = random.normals(LATENT);
    const [top, left] = [random.integer(SIDE - 5), random.integer(SIDE - 5)];
    const pixels = Uint8Array.from({ length: SIDE * SIDE }, (_, i) => {
      const [y, x] = [Math.floor(i / SIDE), i % SIDE];
      const value = z.reduce((sum, one, k) => sum + one * weight[k * SIDE * SIDE + i], 0) + 0.02 * random.normal();
      const isBlock = y >= top && y < top + 5 && x >= left && x < left + 5;
      return Math.max(0, Math.min(255, Math.round(127.5 * ((isBlock ? 0.95 : value) + 1))));
    });
    const name = `pictures-${count}/${Math.floor(n / 1000)}/${n}.png`;
    const target = path.join(root, name);
    if (n % 1000 === 0) await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, await encodeGrey(pixels, { height: SIDE, width: SIDE }));
    rows.push(name);
  }
  await writeFile(file, `${rows.join('\n')}\n`);
}
