/** `rgi worker`: computes pictures of a queue. */
import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import type { WorkerEvent } from '../batch/node/worker.ts';
import { DEFAULT_LIMITS } from '../service/limits.ts';
import { count, numberIn } from './arguments.ts';
import { EXIT, type ExitCode } from './failures.ts';
import { addText } from './help.ts';
import { type Io, say } from './io.ts';

export interface WorkerFlags {
  readonly redis: string;
  readonly models: string;
  readonly shared: string;
  readonly processes: number;
  readonly threads?: number;
  readonly processMegabytes: number;
  readonly jobSeconds: number;
  readonly maxPixels: number;
  readonly maxSteps: number;
  readonly lockSeconds: number;
  readonly quiet?: boolean;
}

const EXAMPLES = `
Examples:
  redis-server --appendonly yes
  rgi worker --redis redis://127.0.0.1:6379 --models models --shared /srv/rgi
  rgi batch restore archive/ -g models/faces.onnx --out restored \\
      --redis redis://127.0.0.1:6379 --shared /srv/rgi

Workers come and go at will: on SIGTERM one finishes the pictures in hand; what
one that is killed had begun goes to others after --lock-seconds. A model is
found in --models by its content, whatever it is called there.`;

export function addWorkerOptions(command: Command): Command {
  const defaults = DEFAULT_LIMITS;
  command
    .requiredOption('--redis <url>', 'address of Redis or Valkey: redis://HOST:PORT')
    .requiredOption('--models <folder>', 'folder of the models: NAME.onnx, or NAME/generator.onnx')
    .requiredOption('--shared <folder>', 'a folder or bucket (s3://bucket/prefix) that the senders have, too')
    .option('--processes <count>', 'processes that compute, each one picture at a time', count, defaults.processes)
    .option('--threads <count>', 'CPU threads of each (default: those of the machine, shared out)', count)
    .option('--process-megabytes <megabytes>', 'most memory of each', count, defaults.processMegabytes)
    .option(
      '--job-seconds <seconds>',
      'most time of a picture',
      numberIn({ above: 0, to: 86_400 }),
      defaults.jobSeconds,
    )
    .option('--max-pixels <millions>', 'largest picture', numberIn({ above: 0 }), defaults.maxPixels / 1e6)
    .option('--max-steps <count>', 'most steps of a restoration', count, defaults.maxSteps)
    .option(
      '--lock-seconds <seconds>',
      'after this time a silent worker is given up',
      numberIn({ from: 1, to: 3600 }),
      30,
    )
    .option('-q, --quiet', 'print nothing but errors and warnings');
  return addText(command, EXAMPLES);
}

/** Works until it is interrupted. */
export async function workerCommand(flags: WorkerFlags, io: Io): Promise<ExitCode> {
  const [{ openWorker }, { openCatalogue }] = await Promise.all([
    import('../batch/node/worker.ts'),
    import('../service/node/catalogue.ts'),
  ]);
  const { redis, models, shared, processes, processMegabytes, jobSeconds, maxPixels, maxSteps, lockSeconds } = flags;
  const worker = await openWorker({
    redis,
    models,
    shared,
    lockSeconds,
    threads: flags.threads ?? Math.max(1, Math.floor(availableParallelism() / processes)),
    limits: {
      ...DEFAULT_LIMITS,
      processes,
      processMegabytes,
      jobSeconds,
      maxPixels: Math.floor(maxPixels * 1e6),
      maxSteps,
    },
    onEvent: (event) => tell(event, flags, io),
  });
  if ((await (await openCatalogue(models)).list()).length === 0)
    say(
      io,
      `warning: ${models} holds no model yet: put NAME.onnx or NAME/generator.onnx into it, or name another folder.`,
    );
  if (!flags.quiet)
    say(
      io,
      `Working on ${processes === 1 ? 'one picture' : `${processes} pictures`} at a time; stop with Ctrl-C or SIGTERM.`,
    );
  await new Promise<void>((resolve) => {
    if (io.signal.aborted) resolve();
    io.signal.addEventListener('abort', () => resolve());
  });
  await worker.close();
  return EXIT.done;
}

function tell(event: WorkerEvent, { quiet }: WorkerFlags, io: Io): void {
  if (event.kind === 'warning') say(io, `warning: ${event.message}`);
  else if (event.kind === 'failed') say(io, `${event.key.slice(0, 12)} (${event.model}): failed. ${event.message}`);
  else if (!quiet) say(io, `${event.key.slice(0, 12)} (${event.model}): ${event.seconds.toFixed(1)} s`);
}
