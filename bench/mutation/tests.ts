/** Which tests relate to a source file. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The `.ts` files in a folder and the folders within, as paths from `root`, in order. */
export function sourcesIn(root: string, folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => path.join(folder, name))
    .sort();
}

/** The files of the tree that a file imports: by its own lines, and by those of all that it imports. */
export interface Imports {
  readonly direct: readonly string[];
  readonly all: ReadonlySet<string>;
}

/** The imports of each test file of `folders`. */
export function importsOfTests(root: string, folders: readonly string[]): Map<string, Imports> {
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
      return [test, { direct: importsOf(test), all: reached }] as const;
    }),
  );
}

/** Tests that import a source file, those that import it directly apart; the faster first among each. */
export function testsOf(
  file: string,
  tests: ReadonlyMap<string, Imports>,
  seconds: Readonly<Record<string, number>>,
): { readonly direct: string[]; readonly other: string[] } {
  const related = [...tests.keys()]
    .filter((test) => tests.get(test)!.all.has(file))
    .sort((a, b) => seconds[a] - seconds[b]);
  const isDirect = (test: string) => tests.get(test)!.direct.includes(file);
  return { direct: related.filter(isDirect), other: related.filter((test) => !isDirect(test)) };
}
