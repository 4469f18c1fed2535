/** `rgi report`: what `rgi evaluate`, `rgi detect` or `rgi restore` wrote, as one page. */
import path from 'node:path';
import { writeFileAtomic } from '../images/node/write.ts';
import { readReport } from '../report/node/read.ts';
import { readRun } from '../report/node/read-run.ts';
import { reportPage } from '../report/page.ts';
import { runPage } from '../report/run-page.ts';
import { EXIT, type ExitCode } from './failures.ts';
import { type Io, printJson, say } from './io.ts';

export interface ReportFlags {
  readonly out?: string;
  readonly title?: string;
  readonly limit: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export async function reportCommand(folder: string, flags: ReportFlags, io: Io): Promise<ExitCode> {
  const options = { title: flags.title, limit: flags.limit * 1e6 };
  const run = await readRun(folder, options);
  const input = run ?? (await readReport(folder, options));
  const file = flags.out ?? path.join(folder, 'report.html');
  const page = await ('results' in input ? reportPage(input) : runPage(input));
  await writeFileAtomic(file, page);
  const bytes = new TextEncoder().encode(page).length;
  if (flags.json) printJson(io, { file, bytes, pictures: input.embedded.size, notes: input.notes });
  if (!flags.quiet) say(io, `${file}: ${(bytes / 1e6).toFixed(1)} MB, ${input.embedded.size} pictures`);
  return EXIT.done;
}
