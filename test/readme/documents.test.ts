/**
 * The documents name what exists: files and headings that links lead to, and commands that the program, npm and the benchmarks
 * know. Commands are parsed by the program itself, and not run.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Io } from '../../src/cli/io.ts';
import { run } from '../../src/cli/program.ts';
import { anchorsOf, commandsOf, documents, linksOf, ROOT, wordsOf } from './documents.ts';

/** Its commands are wrong on purpose; test/cli/wrong-uses.test.ts checks them. */
const WRONG_ON_PURPOSE = path.join('docs', 'wrong-uses.md');

describe('links', () => {
  it.each(documents())('$file links to files and headings that exist', ({ file, text }) => {
    const broken = linksOf(text).filter((target) => !/^[a-z]+:/.test(target) && !leadsSomewhere(file, target));
    expect(broken).toEqual([]);
  });
});

function leadsSomewhere(from: string, target: string): boolean {
  const [to, anchor] = target.split('#');
  const file = to === '' ? path.join(ROOT, from) : path.join(ROOT, path.dirname(from), to);
  if (!existsSync(file)) return false;
  return anchor === undefined || anchorsOf(readFileSync(file, 'utf8')).includes(anchor);
}

describe('commands', () => {
  beforeAll(() => {
    const action = Command.prototype.action;
    vi.spyOn(Command.prototype, 'action').mockImplementation(function (this: Command) {
      return action.call(this, () => {});
    });
  });
  afterAll(() => {
    vi.restoreAllMocks();
  });

  const documented = documents().filter(({ file }) => file !== WRONG_ON_PURPOSE);

  it.each(documented)('$file: the program accepts every rgi command', async ({ text }) => {
    const refused: string[] = [];
    for (const command of commandsOf(text)) {
      if (!command.startsWith('rgi ') || isMention(command)) continue;
      const said: string[] = [];
      const code = await run(wordsOf(command).slice(1), silent(said));
      if (code !== 0) refused.push(`${command}: ${said.join('').trim()}`);
    }
    expect(refused).toEqual([]);
  });

  it.each(documented)('$file: scripts, benchmarks and files that are run exist', ({ text }) => {
    const { scripts } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const unknown = commandsOf(text).filter((command) => {
      const script = /^npm run ([\w:-]+)/.exec(command)?.[1];
      const benchmark = /^npm run bench -- ([\w-]+)/.exec(command)?.[1];
      const file = /^npx tsx (\S+)/.exec(command)?.[1];
      return (
        (script !== undefined && scripts[script] === undefined) ||
        (benchmark !== undefined && !existsSync(path.join(ROOT, 'bench', `${benchmark}.ts`))) ||
        (file !== undefined && !existsSync(path.join(ROOT, file)))
      );
    });
    expect(unknown).toEqual([]);
  });
});

/** Keeps what goes to stderr. */
function silent(said: string[]): Io {
  return {
    out: () => {},
    err: (text) => said.push(text),
    terminal: false,
    colour: false,
    signal: new AbortController().signal,
    worker: false,
  };
}

/** A command that is named without arguments, `rgi evaluate detect`, is no command to run. */
function isMention(command: string): boolean {
  return wordsOf(command).every((word) => /^[a-z]+$/.test(word));
}
