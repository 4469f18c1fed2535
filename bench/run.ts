/** `npm run bench -- NAME [options]`: runs bench/NAME.ts, a module that exports a function of that name. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

type Benchmark = (args: readonly string[]) => Promise<void>;

/** Characters of a description that fit a line. */
const SHOWN = 120;

/** Names of the benchmarks, each with the first sentence of its file. */
function benchmarks(): Map<string, string> {
  const names = readdirSync(import.meta.dirname).flatMap((file) => (file.endsWith('.ts') ? [file.slice(0, -3)] : []));
  return new Map(
    names.sort().flatMap((name): [string, string][] => {
      const text = readFileSync(path.join(import.meta.dirname, `${name}.ts`), 'utf8');
      if (!new RegExp(`^export (async )?function ${name}\\(`, 'm').test(text)) return [];
      const comment = text
        .slice(text.indexOf('/**') + 3, text.indexOf('*/'))
        .replace(/\n \*/g, ' ')
        .replace(/\s+/g, ' ')
        .trim();
      const [sentence] = /^.*?[.?](?= |$)/.exec(comment) ?? [comment];
      return [
        [name, sentence.length <= SHOWN ? sentence : `${sentence.slice(0, sentence.lastIndexOf(' ', SHOWN))} ...`],
      ];
    }),
  );
}

const [name = '', ...args] = process.argv.slice(2);
const known = benchmarks();
if (known.has(name)) {
  const file = path.join(import.meta.dirname, `${name}.ts`);
  const exported = (await import(pathToFileURL(file).href)) as Record<string, Benchmark>;
  await exported[name](args);
} else {
  const isAsked = name === '' || name === '--help';
  console.error(isAsked ? 'npm run bench -- NAME [options]' : `There is no benchmark '${name}'.`);
  for (const [each, about] of known) console.error(`  ${each.padEnd(14)}${about}`);
  console.error('The head of bench/NAME.ts has the options.');
  process.exitCode = 2;
}
