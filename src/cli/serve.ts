/** `rgi serve`: restoration and detection over HTTP. */
import type { Command } from 'commander';
import { optionError } from '../errors.ts';
import { DEFAULT_LIMITS, type ServiceLimits } from '../service/limits.ts';
import { LOG_LEVELS, type LogLevel } from '../service/log-levels.ts';
import type { JobQueue } from '../service/node/job-queue.ts';
import { choice, count, numberIn } from './arguments.ts';
import { EXIT, type ExitCode } from './failures.ts';
import { addText } from './help.ts';
import { type Io, say } from './io.ts';

export interface ServeFlags extends Omit<ServiceLimits, 'maxBytes' | 'maxPixels'> {
  readonly models: string;
  readonly host: string;
  readonly port: number;
  readonly tokens?: string;
  readonly redis?: string;
  readonly shared?: string;
  readonly threads?: number;
  readonly logLevel: LogLevel;
  /** Megabytes (2^20 bytes). */
  readonly maxBody: number;
  /** Millions. */
  readonly maxPixels: number;
}

const EXAMPLES = `
Examples:
  rgi serve --models models
  rgi serve --models models --host 0.0.0.0 --tokens tokens.json --processes 2
  rgi serve --models models --redis redis://127.0.0.1:6379 --shared /srv/rgi

  curl -F image=@photo.png -F fit=cover -F answer=composite.png -o out.png \\
      http://127.0.0.1:8080/v1/models/faces/restore

The file of --tokens is a list:
  [{ "name": "line3", "token": "...", "jobs": 4, "perMinute": 60 }]

Documentation is at /, the studio at /studio/, OpenAPI at /openapi.json, health
at /healthz and /readyz, metrics at /metrics, the Open Inference Protocol at
/v2. The log is JSON on stderr. SIGTERM: new jobs are refused (503); those that
were taken are finished.`;

/** At most a day: timers hold no more than 24 days. */
const seconds = numberIn({ above: 0, to: 86_400 });

export function addServeOptions(command: Command): Command {
  const defaults = DEFAULT_LIMITS;
  command
    .requiredOption('--models <folder>', 'folder of the models: NAME.onnx, or NAME/generator.onnx')
    .option('--host <address>', 'address to listen on; 0.0.0.0 for all of the machine', '127.0.0.1')
    .option('--port <number>', 'port to listen on; 0 for any', numberIn({ integer: true, from: 0, to: 65535 }), 8080)
    .option('--tokens <file>', 'JSON list of bearer tokens with their limits (default: none is needed)')
    .addOption(choice<LogLevel>('--log-level <name>', 'what is logged', LOG_LEVELS, 'info'))
    .option('--redis <url>', "have jobs computed by the workers of this Redis or Valkey ('rgi worker')")
    .option('--shared <folder>', 'with --redis: a folder or bucket that the workers have, too')
    .optionsGroup('Processes:')
    .option('--processes <count>', 'processes that compute, each one job at a time', count, defaults.processes)
    .option('--threads <count>', 'CPU threads of each (default: those of the machine, shared out)', count)
    .option('--process-megabytes <megabytes>', 'most memory of each', count, defaults.processMegabytes)
    .optionsGroup('Limits:')
    .option('--queue <count>', 'jobs that may wait', numberIn({ integer: true, from: 0 }), defaults.queue)
    .option('--max-body <megabytes>', 'largest body of a request', numberIn({ above: 0 }), defaults.maxBytes / 2 ** 20)
    .option('--max-pixels <millions>', 'largest picture', numberIn({ above: 0 }), defaults.maxPixels / 1e6)
    .option('--max-steps <count>', 'most steps of a restoration', count, defaults.maxSteps)
    .option('--job-seconds <seconds>', 'most time of a job', seconds, defaults.jobSeconds)
    .option('--body-seconds <seconds>', 'most time of a request to arrive', seconds, defaults.bodySeconds)
    .option('--keep-seconds <seconds>', 'how long results are kept', seconds, defaults.keepSeconds)
    .option('--keep-jobs <count>', 'how many finished jobs are kept', count, defaults.keepJobs)
    .option(
      '--drain-seconds <seconds>',
      'how long jobs may take when the service ends',
      seconds,
      defaults.drainSeconds,
    );
  return addText(command, EXAMPLES);
}

/** Serves until it is interrupted. */
export async function serveCommand(flags: ServeFlags, io: Io): Promise<ExitCode> {
  // The other commands do not wait for the libraries of a server.
  const [{ serve }, { openCatalogue }, { readTokens }, { studioPages }] = await Promise.all([
    import('../service/node/serve.ts'),
    import('../service/node/catalogue.ts'),
    import('../service/node/tokens.ts'),
    import('../studio/node/pages.ts'),
  ]);
  const { models, host, port, threads, logLevel, maxBody, maxPixels, ...limits } = flags;
  const tokens = flags.tokens === undefined ? undefined : await readTokens(flags.tokens);
  const queue = await queueOf(flags);
  const studio = studioPages(tokens !== undefined);
  const service = await serve({
    queue,
    models,
    host,
    port,
    threads,
    tokens,
    logLevel,
    studio,
    limits: { ...limitsOf(limits), maxBytes: Math.floor(maxBody * 2 ** 20), maxPixels: Math.floor(maxPixels * 1e6) },
    // Whole lines of JSON: their strings are escaped already.
    onLog: (line) => say(io, line.trimEnd()),
  });
  try {
    say(io, `Serving ${models} on ${service.url}`);
    if (studio) say(io, `The studio is at ${service.url}/studio/`);
    if ((await (await openCatalogue(models)).list()).length === 0)
      say(
        io,
        `warning: ${models} holds no model yet: put NAME.onnx or NAME/generator.onnx into it, or name another folder.`,
      );
    if (!tokens && !LOOPBACK.test(host)) {
      say(io, `warning: whoever reaches ${host} may use this service; give --tokens to admit those who have one.`);
    }
    await new Promise<void>((resolve) => {
      if (io.signal.aborted) resolve();
      io.signal.addEventListener('abort', () => resolve());
    });
  } finally {
    await service.close();
  }
  return EXIT.done;
}

async function queueOf({ redis, shared }: ServeFlags): Promise<JobQueue | undefined> {
  if ((redis === undefined) !== (shared === undefined))
    throw optionError('--redis and --shared go together: the queue of the workers, and the folder that they share.', {
      option: redis === undefined ? '--redis' : '--shared',
      problem: 'missing',
    });
  if (redis === undefined || shared === undefined) return undefined;
  const { openServiceQueue } = await import('../batch/node/service-queue.ts');
  return openServiceQueue({ redis, shared });
}

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/;

function limitsOf(flags: Omit<ServiceLimits, 'maxBytes' | 'maxPixels'>): Omit<ServiceLimits, 'maxBytes' | 'maxPixels'> {
  const { maxSteps, jobSeconds, bodySeconds, queue, processes, processMegabytes } = flags;
  const { keepSeconds, keepJobs, drainSeconds } = flags;
  return { maxSteps, jobSeconds, bodySeconds, queue, processes, processMegabytes, keepSeconds, keepJobs, drainSeconds };
}
