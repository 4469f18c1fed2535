/** The source files of the tree, and the tests that import them. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The `.ts` files in a folder and the folders within, as paths from `root`, in order. */
export function sourcesIn(root: string, folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => path.join(folder, name))
    .sort();
}

/** The test files of `folders`, each with the files of the tree that its own lines import. */
export function directImports(root: string, folders: readonly string[]): Map<string, string[]> {
  const tests = folders.flatMap((folder) => sourcesIn(root, folder)).filter((file) => file.endsWith('.test.ts'));
  return new Map(
    tests.map((test) => {
      const text = readFileSync(path.join(root, test), 'utf8');
      const imported = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+\.ts)'/g)].map(([, to]) => to);
      return [test, imported.map((to) => path.join(path.dirname(test), to))] as const;
    }),
  );
}
