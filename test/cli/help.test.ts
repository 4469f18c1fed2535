/** Every help text, whole, in test/cli/help; none is wider than a terminal of 80 columns. */
import { describe, expect, test } from 'vitest';
import { run } from '../../src/cli/program.ts';

const COMMANDS = [
  '',
  'restore',
  'calibrate',
  'detect',
  'export',
  'train',
  'inspect',
  'gradcheck',
  'doctor',
  'evaluate',
  'evaluate inpaint',
  'evaluate detect',
  'theory',
  'report',
  'serve',
  'studio',
  'batch',
  'batch restore',
  'batch detect',
  'merge',
  'worker',
  'queue',
];

async function helpOf(command: string, columns?: number): Promise<string> {
  let text = '';
  const io = {
    out: (part: string) => (text += part),
    err: () => {},
    terminal: false,
    colour: false,
    signal: new AbortController().signal,
    worker: false,
  };
  expect(await run([...command.split(' ').filter(Boolean), '--help'], { ...io, ...(columns ? { columns } : {}) })).toBe(
    0,
  );
  return text;
}

describe.each(COMMANDS)('rgi %s --help', (command) => {
  test('is as it was read last', async () => {
    await expect(await helpOf(command)).toMatchFileSnapshot(`help/${command.replaceAll(' ', '-') || 'rgi'}.txt`);
  });

  test('fits 80 columns, and a wider terminal', async () => {
    for (const columns of [undefined, 80, 100]) {
      const wide = (await helpOf(command, columns)).split('\n').filter((line) => line.length > (columns ?? 80));
      expect(wide).toEqual([]);
    }
  });

  test('fits a narrow terminal, but for command lines and words that are longer', async () => {
    const wide = (await helpOf(command, 60))
      .split('\n')
      .filter((line) => line.length > 60 && !/^ *(rgi|--) /.test(line));
    expect(wide.filter((line) => /\s\S+\s+\S/.test(line.trim()))).toEqual([]);
  });

  test('says none of the words that nobody else uses', async () => {
    expect(await helpOf(command)).not.toMatch(
      /\b(told|gross|grossly|oddest|law the|gone on|so many|ways? of|surround)\b/i,
    );
  });
});

test('restore shows its ten common options first', async () => {
  const [, common] = (await helpOf('restore')).split(/Common options:\n/);
  const names = common
    .split('\n\n')[0]
    .split('\n')
    .flatMap((line) => /^ {2}(?:-\w, )?(--[a-z-]+)/.exec(line)?.[1] ?? []);
  expect(names).toEqual([
    '--generator',
    '--out',
    '--method',
    '--preset',
    '--mask',
    '--threshold',
    '--fit',
    '--resume',
    '--quiet',
    '--help',
  ]);
});
