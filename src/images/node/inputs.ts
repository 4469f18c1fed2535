/** From what a user names (files, folders, patterns) to a list of pictures, each with a name of its own. */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { RgiError } from '../../errors.ts';

export interface InputFile {
  readonly path: string;
  /** Base name without extension; unique in the list, also where case does not count. Outputs are named after it. */
  readonly name: string;
}

const EXTENSIONS = new Set(
  ['png', 'jpg', 'jpeg', 'webp', 'tif', 'tiff', 'bmp', 'gif', 'avif', 'heic', 'npy'].map(
    (extension) => `.${extension}`,
  ),
);

const natural = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/** Natural order: `a2` before `a10`. */
export function naturalOrder(a: string, b: string): number {
  return natural.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
}

/**
 * Files as given; folders as the pictures and `.npy` arrays in them, one level, hidden files left out, in natural order;
 * a last path part with `*` or `?` as what it matches. A file named twice counts once. Files of one base name get their
 * folder's name put before it, then their extension after it, until all differ. Throws `input` where a name gives nothing.
 */
export async function expandInputs(patterns: readonly string[]): Promise<InputFile[]> {
  const files = new Map<string, string>();
  for (const pattern of patterns) {
    for (const file of await expand(pattern)) {
      if (!files.has(path.resolve(file))) files.set(path.resolve(file), file);
    }
  }
  if (!files.size) throw new RgiError('input', 'No pictures were named; give files or folders.');
  const list = [...files.values()];
  const names = uniqueNames(list);
  return list.map((file, i) => ({ path: file, name: names[i] }));
}

async function expand(pattern: string): Promise<string[]> {
  const found = await stat(pattern).catch(() => undefined);
  if (found?.isDirectory()) {
    const entries = await picturesIn(pattern);
    if (!entries.length) {
      throw new RgiError('input', `The folder ${pattern} holds no pictures (subfolders are not searched).`, {
        file: pattern,
      });
    }
    return entries;
  }
  if (found) return [pattern];
  const last = path.basename(pattern);
  if (!/[*?]/.test(last)) throw new RgiError('input', `${pattern} does not exist.`, { file: pattern });
  const source = last
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const expression = new RegExp(`^${source}$`, 'i');
  const folder = path.dirname(pattern);
  const matches = (await picturesIn(folder).catch(() => [])).filter((file) => expression.test(path.basename(file)));
  if (!matches.length) throw new RgiError('input', `No picture matches ${pattern}.`, { file: pattern });
  return matches;
}

async function picturesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries
    .filter((e) => !e.isDirectory() && !e.name.startsWith('.') && EXTENSIONS.has(path.extname(e.name).toLowerCase()))
    .map((e) => path.join(folder, e.name))
    .sort(naturalOrder);
}

function uniqueNames(files: readonly string[]): string[] {
  const parts = files.map((file) => path.resolve(file).split(path.sep).filter(Boolean));
  const stems = files.map((file) => path.parse(file).name);
  const places = files.map((file, i) => path.join(path.dirname(path.resolve(file)), stems[i]));
  // In one folder no folder name tells two files apart; their extensions do.
  const tails = groups(places).reduce((all, group) => {
    for (const i of group) all[i] = stems[i] + path.extname(files[i]).replace('.', '_');
    return all;
  }, stems.slice());
  const names = tails.slice();
  const deepest = Math.max(...parts.map((p) => p.length));
  for (let folders = 1; folders < deepest; folders++) {
    for (const group of groups(names)) {
      for (const i of group) names[i] = [...parts[i].slice(0, -1).slice(-folders), tails[i]].join('_');
    }
  }
  const [clash] = groups(names);
  if (clash) {
    throw new RgiError(
      'input',
      `${files[clash[0]]} and ${files[clash[1]]} would give outputs of one name; rename one.`,
      {
        file: files[clash[1]],
      },
    );
  }
  return names;
}

/** Positions of the values that occur more than once, case not counted. */
function groups(values: readonly string[]): number[][] {
  const seen = new Map<string, number[]>();
  values.forEach((value, i) => {
    const key = value.toLowerCase();
    seen.set(key, [...(seen.get(key) ?? []), i]);
  });
  return [...seen.values()].filter((group) => group.length > 1);
}
