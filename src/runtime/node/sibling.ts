/**
 * Finds the module that another thread or process starts from, beside this one, as compiled (.js) or as source (.ts).
 * Sources are loaded through tsx, which is there wherever sources are run: it is a development dependency.
 */
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The module `name` (without extension) of the folder of the module `beside` (its URL; default: this folder). */
export function siblingModule(name: string, beside: string = import.meta.url): URL {
  return new URL(`./${name}${isSource(beside) ? '.ts' : '.js'}`, beside);
}

/** The arguments of node that run a module as a process. */
export function processArguments(module: URL): string[] {
  const loader = isSource(module.href) ? ['--import', developmentModule('tsx')] : [];
  return [...loader, fileURLToPath(module)];
}

/**
 * What to start a thread from. `--import tsx` does nothing in a thread (tsx registers in the main one only), so a
 * source is started by two lines that register its loader there.
 */
export function threadModule(module: URL): URL {
  if (!isSource(module.href)) return module;
  const loader = JSON.stringify(developmentModule('tsx/esm/api'));
  const code = `import { register } from ${loader}; register(); await import(${JSON.stringify(module.href)});`;
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`);
}

function developmentModule(name: string): string {
  // `require.resolve` finds a package's CommonJS file; tsx's does not register in a thread, the module beside it does.
  return pathToFileURL(
    createRequire(import.meta.url)
      .resolve(name)
      .replace(/\.cjs$/, '.mjs'),
  ).href;
}

function isSource(url: string): boolean {
  return url.endsWith('.ts');
}
