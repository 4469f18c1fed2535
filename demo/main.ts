/** `npm run demo`: restores corrupted pictures and finds defects with the shipped models, and writes one page of it. */
import path from 'node:path';
import { report } from '../src/cli/failures.ts';
import type { Io } from '../src/cli/io.ts';
import { runDemo } from './run.ts';

const root = path.resolve(import.meta.dirname, '..');
const interrupted = new AbortController();
/** One Ctrl-C comes twice: from the terminal, and passed on by the program that runs us. */
const SAME_KEY_MS = 500;
let firstAt = Number.POSITIVE_INFINITY;
process.on('SIGINT', () => {
  // The first Ctrl-C lets the step under way end; the second does not wait.
  if (performance.now() - firstAt > SAME_KEY_MS) process.exit(3);
  if (interrupted.signal.aborted) return;
  firstAt = performance.now();
  interrupted.abort();
});
const terminal = process.stderr.isTTY === true && process.env.TERM !== 'dumb';
const io: Io = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  terminal,
  colour: terminal && !process.env.NO_COLOR,
  signal: interrupted.signal,
  worker: true,
};
const plan = {
  models: path.join(root, 'models'),
  sets: [
    {
      model: 'cartoon-faces',
      title: 'Drawn faces',
      cases: ['irregular', 'random', 'block', 'strips', 'text', 'scratches', 'stains', 'dust'],
    },
    {
      model: 'fashion-trousers',
      title: 'Trousers',
      cases: ['block', 'random', 'irregular', 'scratches'],
    },
  ],
  search: { index: 0, frames: 8 },
  inspection: { model: 'bsd-pitting', defective: 8, good: 4 },
  seed: 1,
  out: path.join(root, 'demo-output'),
};
try {
  process.exitCode = (await runDemo(plan, io)).exitCode;
} catch (error) {
  process.exitCode = report(error, io, { json: false, debug: process.env.RGI_DEBUG !== undefined });
}
