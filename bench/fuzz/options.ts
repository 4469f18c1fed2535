/** Command lines by grammar: the program's own commands and options, with values that fit, nearly fit or are nasty. Nothing is run. */
import { type Command, CommanderError, type Option } from 'commander';
import { buildProgram } from '../../src/cli/program.ts';
import { RgiError } from '../../src/errors.ts';
import type { Random } from '../../src/random.ts';
import { bytesOf, type FuzzKind, textOf } from './kind.ts';
import { NUMBERS, pick, TEXTS } from './mutate.ts';

const WORDS = [
  'a.png',
  'folder',
  'model.onnx',
  'z=0',
  'rgi',
  'rgi:paper',
  'l1,l2',
  'block',
  '1,2,3',
  '0..1',
  '64x64',
  '1e3',
  '0x10',
  ' 5 ',
  '٣',
];

/** Commands of commands have no job of their own. */
function leavesOf(command: Command, path: readonly string[] = []): { path: readonly string[]; command: Command }[] {
  if (command.commands.length === 0) return [{ path, command }];
  return command.commands.flatMap((inner) => leavesOf(inner, [...path, inner.name()]));
}

function program(): Command {
  const silent = { out: () => undefined, err: () => undefined, terminal: false, colour: false, worker: false };
  const built = buildProgram({ ...silent, signal: new AbortController().signal }, [], () => undefined);
  for (const { command } of leavesOf(built)) command.action(() => undefined);
  return built;
}

export function options(): FuzzKind {
  const leaves = leavesOf(program());
  return {
    make: (random) => new Map([['arguments.json', bytesOf(JSON.stringify(argumentsOf(leaves, random)))]]),
    async read(files) {
      const argv = JSON.parse(textOf(files, 'arguments.json')) as string[];
      try {
        await program().parseAsync(argv, { from: 'user' });
      } catch (error) {
        // As the program does: a usage error is a sentence.
        if (error instanceof CommanderError) throw new RgiError('usage', error.message);
        throw error;
      }
    },
  };
}

function argumentsOf(leaves: ReturnType<typeof leavesOf>, random: Random): string[] {
  const { path, command } = pick(leaves, random);
  const argv = [...path];
  for (let count = random.integer(6); count > 0; count--) {
    if (random.integer(5) === 0) argv.push(value(random));
    else argv.push(...optionOf(pick([...command.options], random), random));
  }
  const kind = random.integer(12);
  if (kind === 0)
    argv.splice(
      random.integer(argv.length + 1),
      0,
      pick(['--', '-', '--help', '-h', '-V', '---', '--=', '-xyz', '--no-seed'], random),
    );
  if (kind === 1) argv.splice(random.integer(argv.length + 1), 1);
  return argv;
}

function optionOf(option: Option | undefined, random: Random): string[] {
  if (!option) return [];
  const long = option.long ?? option.short ?? '--debug';
  const name = pick(
    [long, long, long, option.short ?? long, long.slice(0, -1), `${long}x`, long.toUpperCase()],
    random,
  );
  if (!option.required && !option.optional) return [name];
  const given = value(random);
  return pick([[name, given], [`${name}=${given}`], [name]], random);
}

function value(random: Random): string {
  return pick([pick(WORDS, random), String(pick(NUMBERS, random)), pick(TEXTS, random)], random);
}
