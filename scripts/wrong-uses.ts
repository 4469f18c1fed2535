/** Writes docs/wrong-uses.md from the table that test/cli/wrong-uses.test.ts checks. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { WRONG_USES } from '../test/cli/wrong-uses.ts';

/** Platforms differ in the devices they lack; the document shows Linux. */
const PLATFORM = `${process.platform}-${process.arch}`;

export function wrongUsesTable(): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll(PLATFORM, 'linux-x64').replaceAll('@', '');
  const rows = WRONG_USES.map(
    ({ title, line, code, says }) => `| ${cell(title)} | \`rgi ${cell(line)}\` | ${code} | ${cell(says)} |`,
  );
  return [
    '# Wrong uses, and what is said',
    '',
    'Each line is run by `test/cli/wrong-uses.test.ts`, which compares the whole of what is said. Nothing is written then.',
    '',
    '| wrong | command | exit code | said |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

if (path.resolve(process.argv[1] ?? '') === path.resolve(import.meta.filename)) {
  writeFileSync('docs/wrong-uses.md', wrongUsesTable());
}
