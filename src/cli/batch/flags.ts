/** `rgi batch restore` and `rgi batch detect`: the options of both, beside those of `rgi restore` and `rgi detect`. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Shard } from '../../images/node/listing.ts';
import { count, numberIn } from '../arguments.ts';
import { addDetectSettings, type DetectFlags } from '../detect/flags.ts';
import { addText } from '../help.ts';
import { addRestoreSettings, type RestoreFlags } from '../restore/flags.ts';

export interface ListFlags {
  readonly out: string;
  readonly shard?: Shard;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly redis?: string;
  readonly shared?: string;
  readonly priority: number;
  readonly inFlight: number;
}

export type BatchRestoreFlags = RestoreFlags & ListFlags;
export type BatchDetectFlags = DetectFlags & ListFlags;

const LIST =
  'a folder with all below it, a pattern (** for any folders), a manifest (.csv, .jsonl), or s3://bucket/prefix/';

const COMMON = `
A manifest is CSV whose first line names the columns, or JSON lines. Its column
path names a picture, from the manifest's folder on; name (optional) is what the
results are named after. Results of sub/a.png are named sub/a.*.

--shard i/n computes part i, from 0, of n. Which part a picture is in follows
from its name alone. Each part has an --out of its own; 'rgi merge' joins them:
  Kubernetes  --shard $JOB_COMPLETION_INDEX/8 --out parts/$JOB_COMPLETION_INDEX
  Slurm       --shard $SLURM_ARRAY_TASK_ID/8 --out parts/$SLURM_ARRAY_TASK_ID

Pictures may lie in an S3-compatible bucket (s3://bucket/prefix/, or rows of a
manifest); --upload puts the results into one. The variables AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL_S3 say how it is reached.

With --redis the pictures are computed by workers ('rgi worker'), wherever they
run: options other than those of 'rgi serve' are not taken then.

A picture that cannot be used is recorded with the reason, and the run goes on
(exit code 4). With --resume, what is done is not done again.`;

const RESTORE_EXAMPLES = `
Examples:
  rgi batch restore archive/ -g faces.onnx --out restored
  rgi batch restore 'archive/**/*.jpg' -g faces.onnx --out restored --resume
  rgi batch restore list.csv -g faces.onnx --shard 0/4 --out parts/0

In a manifest the columns mask, keep and hide name the files of those options.
${COMMON}`;

const DETECT_EXAMPLES = `
Examples:
  rgi batch detect line3/ -g part.onnx --out found
  rgi batch detect list.jsonl -g part.onnx --out found --resume
  rgi batch detect list.csv -g part.onnx --shard 0/4 --out parts/0
${COMMON}`;

export function addBatchRestoreOptions(command: Command): Command {
  command.argument('<list>', LIST);
  addRestoreSettings(command, () => command.addOption(shard()));
  addQueueOptions(command.option('--json', 'print one JSON document with the numbers of the run'));
  return addText(command, RESTORE_EXAMPLES);
}

export function addBatchDetectOptions(command: Command): Command {
  command.argument('<list>', LIST);
  addDetectSettings(command, () => command.addOption(shard()))
    .option('--json', 'print one JSON document with the numbers of the run')
    .option('-q, --quiet', 'print nothing but errors');
  addQueueOptions(command);
  return addText(command, DETECT_EXAMPLES);
}

function addQueueOptions(command: Command): void {
  command
    .option('--upload <address>', 'put every file of the results into this bucket, too: s3://bucket/prefix')
    .optionsGroup('Workers:')
    .option('--redis <url>', 'have the pictures computed by the workers of this Redis or Valkey')
    .option('--shared <folder>', 'a folder or bucket that the workers have, too')
    .option(
      '--priority <number>',
      'smaller numbers are done first',
      numberIn({ integer: true, from: 0, to: 2 ** 20 }),
      0,
    )
    .option('--in-flight <count>', 'pictures that wait or are computed at a time', count, 64);
}

function shard(): Option {
  return new Option('--shard <i/n>', 'compute part i, from 0, of n').argParser(parsedShard);
}

function parsedShard(text: string): Shard {
  const [, index, count] = /^(\d{1,9})\/(\d{1,9})$/.exec(text)?.map(Number) ?? [];
  if (index < count) return { index, count };
  throw new InvalidArgumentError('It is a part and how many there are, such as 0/4: from 0/4 to 3/4.');
}
