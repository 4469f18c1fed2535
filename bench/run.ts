/** `npm run bench -- NAME [options]`: runs bench/NAME.ts, a module that exports a function of that name. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

type Benchmark = (args: readonly string[]) => Promise<void>;

const [name = '', ...args] = process.argv.slice(2);
const file = path.join(import.meta.dirname, `${name}.ts`);
const known = /^[a-z-]+$/.test(name) && existsSync(file);
const exported = known ? ((await import(pathToFileURL(file).href)) as Record<string, Benchmark | undefined>) : {};
const benchmark = exported[name];
if (benchmark) {
  await benchmark(args);
} else {
  console.error(`There is no benchmark '${name}'. For example: npm run bench -- step --json`);
  process.exitCode = 2;
}
