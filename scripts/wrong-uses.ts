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
    '# Wrong uses and their error messages',
    '',
    'What `rgi` answers when it is used wrongly. `test/cli/wrong-uses.test.ts` runs each command and compares the whole message. In',
    'none of these cases is anything written.',
    '',
    '| mistake | command | exit code | message |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

if (path.resolve(process.argv[1] ?? '') === path.resolve(import.meta.filename)) {
  writeFileSync('docs/wrong-uses.md', wrongUsesTable());
}
