/** `rgi merge`: the results of several runs of the same settings as one. */
import type { Command } from 'commander';
import { mergeRuns } from '../batch/node/merge.ts';
import { onThisMachine } from './arguments.ts';
import { batchReporter } from './batch/reporter.ts';
import { EXIT, type ExitCode } from './failures.ts';
import { addText } from './help.ts';
import { type Io, say } from './io.ts';
import { checkFolder } from './restore/command.ts';

export interface MergeFlags {
  readonly out: string;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const EXAMPLES = `
Examples:
  rgi merge parts/* --out restored
  rgi report restored

The runs are of the same settings and version, such as the parts of one list
('rgi batch --shard'). Files are linked where --out lies on the same file system,
else copied. Pictures that failed in a part are listed as failed (exit code 4),
as is a part that is not finished.`;

export function addMergeOptions(command: Command): Command {
  command
    .argument('<folders...>', "the --out of each 'rgi batch', 'rgi restore' or 'rgi detect'")
    .requiredOption('-o, --out <folder>', 'folder of the merged results', onThisMachine)
    .option('--resume', 'continue an interrupted merge')
    .option('--overwrite', 'remove what an earlier merge wrote to --out, and start again')
    .option('--json', 'print one JSON document with the numbers of the merge')
    .option('-q, --quiet', 'print nothing but errors');
  return addText(command, EXAMPLES);
}

export async function mergeCommand(folders: readonly string[], flags: MergeFlags, io: Io): Promise<ExitCode> {
  await checkFolder(flags.out);
  const reporter = batchReporter(io, flags);
  const { out, resume, overwrite } = flags;
  const result = await mergeRuns({
    folders,
    out,
    resume,
    overwrite,
    signal: io.signal,
    onEvent: (event) => reporter.event(event),
  }).finally(() => reporter.clear());
  for (const folder of result.unfinished)
    say(io, `warning: the run in ${folder} is not finished; run it with --resume, then merge again.`);
  const code = reporter.conclude('merged', result);
  return code === EXIT.done && result.unfinished.length > 0 ? EXIT.partly : code;
}
