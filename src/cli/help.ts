/** How help is drawn: lines fit the terminal, defaults and choices stand behind each option's text. */
import type { Command, HelpConfiguration, Option } from 'commander';

/** Without a terminal; wider terminals are not filled, since long lines are hard to read. */
const WIDTH = { usual: 80, least: 40, most: 100 } as const;

export function helpWidth(columns: number | undefined): number {
  return Math.min(WIDTH.most, Math.max(WIDTH.least, columns ?? WIDTH.usual));
}

export function helpStyle(columns: number | undefined): HelpConfiguration {
  return { helpWidth: helpWidth(columns), minWidthToWrap: 20, optionDescription: described };
}

function described(option: Option): string {
  const { description, argChoices, defaultValue } = option;
  const facts = [
    ...(argChoices ? [`: ${argChoices.join(', ')}`] : []),
    ...(defaultValue === undefined || typeof defaultValue === 'boolean' ? [] : [` (default: ${String(defaultValue)})`]),
  ];
  return `${description}${facts.join('')}`;
}

/** Adds text below the options (examples, files that are written), fitted to the width. */
export function addText(command: Command, text: string): Command {
  // The width is the program's, which a command gets only when it is added.
  return command.addHelpText('after', () => fitted(text, command.configureHelp().helpWidth ?? WIDTH.usual));
}

/** Lines longer than `width` are wrapped; what follows a gap of two blanks keeps its column. */
export function fitted(text: string, width: number): string {
  return text
    .split('\n')
    .flatMap((line) => (line.length <= width || /^\s*(rgi|--)\s/.test(line) ? [line] : wrapped(line, width)))
    .join('\n');
}

function wrapped(line: string, width: number): string[] {
  const gap = /^(\s*\S.*?\s{2,})\S/.exec(line)?.[1].length;
  const own = /^\s*/.exec(line)![0].length;
  const indent = gap !== undefined && gap < width / 2 ? gap : own;
  const lines = [line.slice(0, indent).padEnd(indent)];
  for (const word of line.slice(indent).trim().split(/\s+/)) {
    const last = lines.length - 1;
    const isEmpty = lines[last].length === indent;
    if (!isEmpty && lines[last].length + 1 + word.length > width) lines.push(`${' '.repeat(indent)}${word}`);
    else lines[last] += isEmpty ? word : ` ${word}`;
  }
  return lines;
}
