/** What commander has to complain about, in our words, and with details. */
import type { Command, CommanderError } from 'commander';
import { type ErrorDetails, RgiError } from '../errors.ts';
import { nearest } from './arguments.ts';

/** Complaints that a mistyped option brings about: its value is missing elsewhere. The option is named instead. */
const FOLLOWS = ['commander.missingMandatoryOptionValue', 'commander.missingArgument', 'commander.unknownOption'];

/** The error of a wrong command line. `text` is what commander said of it. */
export function usageError(program: Command, argv: readonly string[], error: CommanderError, text: string): RgiError {
  const { command, rest, path } = commandOf(program, argv);
  const help = `See '${['rgi', ...path].join(' ')} --help'.`;
  const unknown = FOLLOWS.includes(error.code) ? firstUnknown(command, program, rest) : undefined;
  if (unknown !== undefined) {
    const allowed = optionsOf(command, program).flatMap(({ long }) => long ?? []);
    const near = nearest(unknown, allowed);
    const details: ErrorDetails = { kind: 'option', option: unknown, problem: 'unknown', nearest: near, allowed };
    const hint = near ? ` Did you mean ${near}?` : '';
    return new RgiError('usage', `Unknown option '${unknown}'.${hint} ${help}`, {}, { details });
  }
  if (error.code === 'commander.unknownCommand')
    return unknownCommand(command, rest.find((word) => !word.startsWith('-')) ?? '', help);
  const taken = error.code === 'commander.missingArgument' ? takenArgument(command, rest) : undefined;
  return new RgiError('usage', `${sentence(text)} ${taken ?? ''}${help}`, {}, { details: detailsOf(command, text) });
}

/** Where an option whose value may be left out has taken the word that was meant as the argument: what to write instead. */
function takenArgument(command: Command, words: readonly string[]): string | undefined {
  for (const [i, word] of words.slice(0, -1).entries()) {
    const option = command.options.find(({ long, short, optional }) => optional && (long === word || short === word));
    const value = words[i + 1];
    if (option && !value.startsWith('-'))
      return `'${value}' was read as the value of ${word}: write it before ${word}. `;
  }
  return undefined;
}

/** `rgi help NAME` of a command that does not exist, which commander answers by the help of the program. */
export function unknownHelp(program: Command, argv: readonly string[]): RgiError | undefined {
  const [first, name] = argv.filter((word) => !word.startsWith('-'));
  if (first !== 'help' || name === undefined || program.commands.some((command) => command.name() === name))
    return undefined;
  return unknownCommand(program, name, "See 'rgi --help'.");
}

function unknownCommand(parent: Command, received: string, help: string): RgiError {
  const allowed = parent.commands.map((command) => command.name());
  const near = nearest(received, allowed);
  const details: ErrorDetails = { kind: 'command', received, allowed, nearest: near };
  const hint = near ? ` Did you mean ${near}?` : '';
  return new RgiError('usage', `Unknown command '${received}'.${hint} ${help}`, {}, { details });
}

/** The command that the words name, and the words that follow its name. */
function commandOf(program: Command, argv: readonly string[]): { command: Command; rest: string[]; path: string[] } {
  let command = program;
  let rest = [...argv];
  const path: string[] = [];
  for (;;) {
    const at = rest.findIndex((word) => !word.startsWith('-'));
    const next = at < 0 ? undefined : command.commands.find((one) => one.name() === rest[at]);
    if (!next) return { command, rest, path };
    path.push(next.name());
    // Options before a command's name are the program's.
    rest = [...rest.slice(0, at), ...rest.slice(at + 1)];
    command = next;
  }
}

function optionsOf(command: Command, program: Command) {
  return [...command.options, ...program.options, { long: '--help', short: '-h', required: false, optional: false }];
}

/** The first word that looks like an option and is none of the command's. */
function firstUnknown(command: Command, program: Command, words: readonly string[]): string | undefined {
  const options = optionsOf(command, program);
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (word === '--') return undefined;
    if (!/^-./.test(word) || /^-[\d.]/.test(word)) continue;
    const [name] = word.startsWith('--') ? word.split('=', 1) : [word.slice(0, 2)];
    const option = options.find(({ long, short }) => long === name || short === name);
    if (!option) return name;
    // The next word is its value, even one that looks like an option.
    if (option.required && name === word) i++;
  }
  return undefined;
}

/** Commander's words on one line, as a sentence. */
function sentence(text: string): string {
  const line = text
    .replace(/^error: /, '')
    .replace(/^command-argument value ('.*') is invalid for argument '(.*)'\./, 'the argument <$2> cannot be $1.')
    .replace(/\s*\(Did you mean (.*)\?\)\s*$/, '. Did you mean $1?')
    .replace(/\s+/g, ' ')
    .trim();
  return `${line.charAt(0).toUpperCase()}${line.slice(1)}${/[.?]$/.test(line) ? '' : '.'}`;
}

function detailsOf(command: Command, text: string): ErrorDetails | undefined {
  const option = /option '(?:-\w, )?(--[\w-]+)/.exec(text)?.[1];
  if (option === undefined) return undefined;
  const received = /argument '([^']*)' is invalid/.exec(text)?.[1];
  const allowed = command.options.find(({ long }) => long === option)?.argChoices;
  return {
    kind: 'option',
    option,
    problem: received === undefined ? 'missing' : 'value',
    ...(received === undefined ? {} : { received }),
    ...(allowed ? { allowed } : {}),
  };
}
