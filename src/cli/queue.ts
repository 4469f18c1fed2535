/** `rgi queue`: what waits in the queue, what failed and why; to send that again, or to forget it. */
import { Argument, type Command } from 'commander';
import { RgiError } from '../errors.ts';
import { oneOf } from './arguments.ts';
import { EXIT, type ExitCode } from './failures.ts';
import { addText } from './help.ts';
import { type Io, print, printJson, printJsonLine } from './io.ts';

const ACTIONS = ['status', 'failed', 'retry', 'discard'] as const;
export type QueueAction = (typeof ACTIONS)[number];

export interface QueueFlags {
  readonly redis: string;
  readonly shared?: string;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  rgi queue status --redis redis://127.0.0.1:6379
  rgi queue failed --redis redis://127.0.0.1:6379
  rgi queue retry --redis redis://127.0.0.1:6379
  rgi queue discard KEY --redis redis://127.0.0.1:6379

A picture that cannot be used fails at once, other failures after five attempts.
retry and discard are about the jobs of the keys, or about all that failed.
The result of one that is sent again is taken by the next run of 'rgi batch' with --resume.`;

export function addQueueOptions(command: Command): Command {
  command
    .addArgument(new Argument('<what>', 'what to do').choices(ACTIONS).argParser(oneOf(ACTIONS)))
    .argument('[keys...]', 'the jobs that are meant, of those that failed (default: all)')
    .requiredOption('--redis <url>', 'address of Redis or Valkey: redis://HOST:PORT')
    .option('--shared <place>', 'folder or s3:// prefix of senders and workers: discard removes what was sent from it')
    .option('--json', 'print JSON: one document, or one line for each job');
  return addText(command, EXAMPLES);
}

export async function queueCommand(
  what: QueueAction,
  keys: readonly string[],
  { redis, shared, json }: QueueFlags,
  io: Io,
): Promise<ExitCode> {
  if (shared !== undefined && what !== 'discard')
    throw new RgiError('usage', `--shared goes with discard; leave it out of '${what}'.`);
  const { openQueueView } = await import('../batch/node/queue-view.ts');
  const view = await openQueueView(redis, shared);
  try {
    if (what === 'status') {
      const counts = await view.counts();
      if (json) printJson(io, counts);
      else
        print(
          io,
          Object.entries(counts)
            .map(([state, count]) => `${count} ${state}`)
            .join(', '),
        );
    } else if (what === 'failed') {
      for await (const letter of view.failed()) {
        if (json) printJsonLine(io, letter);
        else
          print(
            io,
            `${letter.key}  ${letter.kind} ${letter.model}, ${counted(letter.attempts, 'attempt')}: ${letter.reason}`,
          );
      }
    } else {
      const count = await view[what](keys);
      if (json) printJson(io, { [what]: count });
      else print(io, `${counted(count, 'job')} ${what === 'retry' ? 'sent again' : 'discarded'}`);
    }
    return EXIT.done;
  } finally {
    await view.close();
  }
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
