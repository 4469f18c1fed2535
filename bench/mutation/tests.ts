/** Which tests relate to a source file, and whether they pass. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The `.ts` files in a folder and the folders within, as paths from `root`, in order. */
export function sourcesIn(root: string, folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => path.join(folder, name))
    .sort();
}

/** For each test file of `folders` every file of the tree that it imports, directly or by others. */
export function importsOfTests(root: string, folders: readonly string[]): Map<string, ReadonlySet<string>> {
  const direct = new Map<string, string[]>();
  const importsOf = (file: string): string[] => {
    const known = direct.get(file);
    if (known) return known;
    const text = readFileSync(path.join(root, file), 'utf8');
    const found = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+\.ts)'/g)].map(([, to]) =>
      path.join(path.dirname(file), to),
    );
    direct.set(file, found);
    return found;
  };
  const tests = folders.flatMap((folder) => sourcesIn(root, folder)).filter((file) => file.endsWith('.test.ts'));
  return new Map(
    tests.map((test) => {
      const reached = new Set<string>();
      const open = [test];
      for (let file = open.pop(); file !== undefined; file = open.pop()) {
        for (const next of importsOf(file)) {
          if (reached.has(next)) continue;
          reached.add(next);
          open.push(next);
        }
      }
      return [test, reached] as const;
    }),
  );
}

export interface TestRun {
  readonly outcome: 'passed' | 'failed' | 'timeout';
  readonly seconds: number;
}

export interface TestOptions {
  /** The folder of the reference data. */
  readonly shared: string;
  /** Test files at a time. */
  readonly workers: string;
  /** Seconds after which a run is ended. */
  readonly limit: number;
}

/** Runs test files of the tree at `root` until the first failure. */
export function runTests(
  root: string,
  files: readonly string[],
  { shared, workers, limit }: TestOptions,
): Promise<TestRun> {
  const began = performance.now();
  const program = path.join(root, 'node_modules/vitest/vitest.mjs');
  const options = [
    'run',
    '--root',
    root,
    '--bail',
    '1',
    '--reporter',
    'dot',
    '--pool',
    'threads',
    '--no-isolate',
    '--maxWorkers',
    workers,
  ];
  const child = spawn(process.execPath, [program, ...options, ...files], {
    cwd: root,
    env: { ...process.env, RGI_SHARED: shared },
    stdio: 'ignore',
    detached: true,
  });
  return new Promise((resolve, reject) => {
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      // Its workers, too: an endless loop answers no message.
      process.kill(-child.pid!, 'SIGKILL');
    }, 1000 * limit);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      const outcome = timedOut ? 'timeout' : code === 0 ? 'passed' : 'failed';
      resolve({ outcome, seconds: (performance.now() - began) / 1000 });
    });
  });
}
