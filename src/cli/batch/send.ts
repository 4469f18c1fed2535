/** `rgi batch ... --redis`: the pictures are computed by workers. */

import type { Kind } from '../../batch/node/kinds.ts';
import { optionError, RgiError } from '../../errors.ts';
import type { PictureList } from '../../images/node/listing.ts';
import type { MethodOptions } from '../../inversion/methods/options.ts';
import type { ExitCode } from '../failures.ts';
import type { Io } from '../io.ts';
import { flagOf } from '../restore/method-flags.ts';
import type { BatchDetectFlags, BatchRestoreFlags } from './flags.ts';
import { batchReporter } from './reporter.ts';

/** Of the sender itself. */
const OWN = [
  'generator',
  'out',
  'shard',
  'json',
  'quiet',
  'resume',
  'overwrite',
  'upload',
  'signal',
  'redis',
  'shared',
  'priority',
  'inFlight',
];

/** What a job says of how it is to be done. */
const OPTIONS = {
  restore: ['method', 'preset', 'threshold', 'steps', 'starts', 'seed', 'fit', 'grey', 'blend', 'grow'],
  detect: ['policy'],
} as const satisfies Record<Kind, readonly string[]>;

export async function sendCommand(
  kind: Kind,
  list: PictureList,
  flags: BatchRestoreFlags | BatchDetectFlags,
  io: Io,
): Promise<ExitCode> {
  const { redis, shared, generator, out, priority, inFlight, resume, overwrite, upload } = flags;
  if (redis === undefined || shared === undefined)
    throw optionError('--redis needs --shared, a folder that this command and the workers have.', {
      option: '--shared',
      problem: 'missing',
    });
  checkTaken(kind, flags);
  // The other commands do not wait for the libraries of a queue.
  const [{ sendPictures }, { detectOptionsSchema, restoreOptionsSchema }] = await Promise.all([
    import('../../batch/node/send.ts'),
    import('../../service/options.ts'),
  ]);
  const given = Object.fromEntries(OPTIONS[kind].map((name) => [name, flags[name as keyof typeof flags]]));
  const reporter = batchReporter(io, flags);
  const outcome = await sendPictures({
    list,
    work:
      kind === 'restore'
        ? { kind, options: restoreOptionsSchema.parse(defined(given)) }
        : { kind, options: detectOptionsSchema.parse(defined(given)) },
    generator,
    mask: 'mask' in flags ? flags.mask : undefined,
    out,
    shared,
    redis,
    priority,
    inFlight,
    resume,
    overwrite,
    upload,
    signal: io.signal,
    onEvent: (event) => reporter.event(event),
  }).finally(() => reporter.clear());
  return reporter.conclude(kind === 'restore' ? 'restored' : 'inspected', outcome);
}

function defined(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** An option that no job carries is refused: it would be left out silently. */
function checkTaken(kind: Kind, flags: BatchRestoreFlags | BatchDetectFlags): void {
  const taken: readonly string[] = [...OWN, ...OPTIONS[kind], ...(kind === 'restore' ? ['mask'] : [])];
  const isDefault = (name: string, value: unknown) => name === 'device' && value === 'cpu';
  const other = Object.entries(flags).find(
    ([name, value]) => value !== undefined && !taken.includes(name) && !isDefault(name, value),
  );
  if (!other) return;
  const flag = flagOf(other[0] as keyof MethodOptions);
  throw new RgiError(
    'usage',
    `${flag} is not taken with --redis: workers compute with the options of 'rgi serve'. Leave it out.`,
  );
}
