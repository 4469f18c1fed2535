#!/usr/bin/env node
/** The program `rgi` as a process: streams, signals, exit code. */
import { interruption } from '../jobs/node/signals.ts';
import { run } from './program.ts';

let isHeard = true;
const signal = interruption(() => {
  if (isHeard) process.stderr.write('Stopping when what is in hand is finished; Ctrl-C again stops at once.\n');
});
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever read us has gone: a pipe (`rgi ... | head`) or a terminal that was closed. A run that is under way ends as by Ctrl-C.
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    isHeard = false;
    process.emit('SIGHUP');
  });
}

const terminal = process.stderr.isTTY === true;
process.exitCode = await run(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  terminal: terminal && process.env.TERM !== 'dumb',
  colour: terminal && !process.env.NO_COLOR && process.env.TERM !== 'dumb',
  columns: terminal ? process.stderr.columns : process.stdout.isTTY ? process.stdout.columns : undefined,
  signal,
  worker: true,
});
