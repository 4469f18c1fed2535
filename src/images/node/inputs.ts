/** From what a user names (files, folders, patterns) to a list of pictures, each with a name of its own. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { fileError, RgiError } from '../../errors.ts';
import { isBucketAddress } from '../../files/node/bucket.ts';
import { contentOf, naturalOrder, passedOver, treeOf } from './walk.ts';

export { naturalOrder };

export interface InputFile {
  /** Of the file. */
  readonly path: string;
  /** Base name without extension; unique in the list, also where case does not count. Outputs are named after it. */
  readonly name: string;
}

export interface ExpandOptions {
  /** Search the folders below those that are named, too. */
  readonly recursive?: boolean;
  /** Called with what was passed over or assumed, one sentence each. */
  readonly onNote?: (sentence: string) => void;
}

/**
 * Files as given; folders as the pictures and `.npy` arrays in them, hidden files left out, in natural order; a last path part with
 * `*` or `?` as what it matches. Folders below are searched where `recursive` says so, where a folder holds pictures only in folders
 * below it, and `test` alone of a data set in MVTec's layout. A file named twice counts once. Files of one base name get their
 * folder's name put before it, then their extension after it, until all differ. Throws `input` where a name gives nothing.
 */
export async function expandInputs(patterns: readonly string[], options: ExpandOptions = {}): Promise<InputFile[]> {
  const files = new Map<string, string>();
  for (const pattern of patterns) {
    for (const file of await expand(pattern, options)) {
      if (!files.has(path.resolve(file))) files.set(path.resolve(file), file);
    }
  }
  if (!files.size) throw new RgiError('input', 'No pictures were named; give files or folders.');
  const list = [...files.values()];
  const names = uniqueNames(list);
  return list.map((file, i) => ({ path: file, name: names[i] }));
}

async function expand(pattern: string, options: ExpandOptions): Promise<readonly string[]> {
  if (isBucketAddress(pattern)) return [pattern];
  const found = await stat(pattern).catch(() => undefined);
  if (found?.isDirectory()) return inFolder(pattern, options);
  if (found) return [pattern];
  const last = path.basename(pattern);
  if (!/[*?]/.test(last)) throw fileError(pattern, 'missing', `${pattern} does not exist.`);
  const source = last
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    // Several stars in a row are one: each would double the time of a mismatch.
    .replace(/\*+/g, '.*')
    .replaceAll('?', '.');
  const expression = new RegExp(`^${source}$`, 'i');
  const pictures = await contentOf(path.dirname(pattern)).then(
    (content) => content.pictures,
    () => [],
  );
  const matches = pictures.filter((file) => expression.test(path.basename(file)));
  if (!matches.length) throw fileError(pattern, 'missing', `No picture matches ${pattern}.`);
  return matches;
}

async function inFolder(
  named: string,
  { recursive = false, onNote = () => {} }: ExpandOptions,
): Promise<readonly string[]> {
  const folder = await testPartOf(named, onNote);
  const own = await contentOf(folder);
  const tree = own.folders.length === 0 ? { ...own, results: [] } : await treeOf(folder);
  const below = tree.pictures.length - own.pictures.length;
  if (tree.pictures.length === 0) {
    const passed = passedOver(folder, tree).join(' ');
    throw fileError(
      folder,
      'empty',
      `The folder ${folder} holds no pictures, nor do the folders in it.${passed && ` ${passed}`}`,
    );
  }
  if (recursive || own.pictures.length === 0) {
    if (below > 0 && !recursive) onNote(`${folder}: its ${below} pictures are from the folders in it.`);
    for (const sentence of passedOver(folder, tree)) onNote(sentence);
    return tree.pictures;
  }
  for (const sentence of passedOver(folder, { ...own, results: [] })) onNote(sentence);
  if (below > 0)
    onNote(`${folder}: ${below} more pictures are in folders in it, which are searched with --recursive only.`);
  return own.pictures;
}

/** Of a data set in MVTec's layout (train/, test/, ground_truth/) the test part; else the folder itself. */
async function testPartOf(folder: string, onNote: (sentence: string) => void): Promise<string> {
  const { pictures, folders } = await contentOf(folder);
  const has = (name: string) => folders.some((inner) => path.basename(inner) === name);
  if (pictures.length > 0 || !has('test') || !(has('train') || has('ground_truth'))) return folder;
  const test = path.join(folder, 'test');
  onNote(`${folder} is a data set: the pictures of ${test} are taken.`);
  return test;
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
    const [first, second] = clash.map((i) => files[i]);
    throw new RgiError('input', `${first} and ${second} would give outputs of one name; rename one.`, { file: second });
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
