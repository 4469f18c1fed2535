/** `rgi batch restore` and `rgi batch detect`: any number of pictures, listed as they are needed. */
import type { DetectRecord } from '../../detect/node/record.ts';
import { fileError, optionError } from '../../errors.ts';
import { openPictureList, type PictureList, shardOf } from '../../images/node/listing.ts';
import { COLUMNS, isManifestName, otherColumns } from '../../images/node/manifests.ts';
import type { ImageRecord } from '../../restore/node/manifest.ts';
import { nearest } from '../arguments.ts';
import { detectNamed } from '../detect/detect.ts';
import type { ExitCode } from '../failures.ts';
import { type Io, say } from '../io.ts';
import { checkFolder, restoreNamed, withFlagNames } from '../restore/command.ts';
import { methodOptionsOf } from '../restore/method-flags.ts';
import type { BatchDetectFlags, BatchRestoreFlags, ListFlags } from './flags.ts';
import { batchReporter } from './reporter.ts';
import { sendCommand } from './send.ts';

export async function batchRestore(named: string, flags: BatchRestoreFlags, io: Io): Promise<ExitCode> {
  const options = methodOptionsOf(flags);
  const list = await listOf(named, flags, io);
  if (flags.redis !== undefined) return sendCommand('restore', list, flags, io);
  const reporter = batchReporter<ImageRecord>(io, flags, withFlagNames);
  return reporter.conclude('restored', await restoreNamed(list, options, flags, io, reporter));
}

export async function batchDetect(named: string, flags: BatchDetectFlags, io: Io): Promise<ExitCode> {
  const list = await listOf(named, flags, io);
  if (flags.redis !== undefined) return sendCommand('detect', list, flags, io);
  const reporter = batchReporter<DetectRecord>(io, flags);
  return reporter.conclude('inspected', await detectNamed(list, flags, io, reporter));
}

/** What can be wrong without a network is said before one is opened. */
async function listOf(named: string, { out, shard, redis, shared }: ListFlags, io: Io): Promise<PictureList> {
  if (shared !== undefined && redis === undefined)
    throw optionError(
      '--shared is for workers and needs --redis, the address of their queue; give it, or leave --shared out.',
      {
        option: '--redis',
        problem: 'missing',
      },
    );
  const list = await openPictureList(named, out);
  await checkFolder(out);
  if (isManifestName(named)) {
    for (const column of await otherColumns(named)) {
      const near = nearest(column, COLUMNS);
      if (near !== undefined)
        say(io, `warning: ${named}: the column '${column}' is not read; '${near}' is meant, if it is a typing error.`);
    }
  }
  for await (const _ of list.pictures()) return shard ? shardOf(list, shard) : list;
  throw fileError(named, 'empty', `${named} holds no pictures.`);
}
