/** Picture files as the items of a job: one each, of an array one for each of its pictures. */
import path from 'node:path';
import { readNpy } from '../../arrays/npy.ts';
import { RgiError } from '../../errors.ts';
import { wholeName } from '../../files/node/copies.ts';
import { sha256Of } from '../../files/node/hash.ts';
import { openRegular } from '../../files/node/regular.ts';
import { readBytes } from '../../images/node/decode.ts';
import type { InputFile } from '../../images/node/inputs.ts';
import { countPictures, type PictureList } from '../../images/node/listing.ts';
import type { Planned } from '../job.ts';
import { listedNames, type NameBook, sourceOf } from '../names.ts';
import type { RunFolder } from './folder.ts';

export interface PictureItem<S extends InputFile> {
  readonly source: S;
  /** Which of the source's pictures, of how many. */
  readonly index: number;
  readonly count: number;
  /** SHA-256 of the source's bytes. */
  readonly sha256?: string;
}

/** The pictures of a run. */
export interface Supply<S extends InputFile> {
  pictures(): AsyncIterable<S> | Iterable<S>;
  readonly total: number;
  /** The user named one picture: its error ends the run. */
  readonly alone: boolean;
  names(): Promise<NameBook>;
}

/** Where it is known already that a source cannot be used, why. */
type Source = InputFile & { readonly error?: RgiError };

/**
 * The pictures of a supply in order. Each is read when its turn comes: its hash, and of an array how many it holds. One that cannot be
 * read becomes an item with an error. `extra` is hashed into the content where more than the picture goes in (a mask).
 */
export async function* pictureItems<S extends Source>(
  supply: Supply<S>,
  extra: (source: S) => Promise<string> = async () => '',
): AsyncGenerator<Planned<PictureItem<S>>> {
  const names = await supply.names();
  let after = supply.total;
  for await (const source of supply.pictures()) {
    // A folder may have got more pictures since they were counted.
    after = Math.max(0, after - 1);
    const identity = wholeName(source.path);
    try {
      if (source.error) throw source.error;
      const sha256 = await sha256Of(source.path);
      const count = await picturesIn(source.path);
      const more = await extra(source);
      const contents = Array.from({ length: count }, (_, i) => `${sourceOf(sha256, i, count)}${more}`);
      const claimed = names.claim({ source: identity, stems: stemsOf(source, count), contents });
      for (const [index, name] of claimed.entries()) {
        yield {
          name,
          source: sourceOf(identity, index, count),
          content: contents[index],
          item: { source, index, count, sha256 },
          left: after + count - 1 - index,
        };
      }
    } catch (error) {
      if (!(error instanceof RgiError)) throw error;
      const [name] = names.claim({ source: identity, stems: stemsOf(source, 1), contents: [''] });
      yield { name, source: identity, content: '', item: { source, index: 0, count: 1 }, error, left: after };
    }
  }
}

/** What outputs may be named after: the input's own name, else that with its folder or its extension. */
function stemsOf({ name, path: file }: InputFile, count: number): string[] {
  const folder = path.basename(path.dirname(path.resolve(file)));
  const extension = path.extname(file).replace('.', '_');
  const withExtension = `${name}${extension}`;
  const withFolder = `${folder}_${name}`;
  const both = `${folder}_${withExtension}`;
  return count === 1 ? [name, withFolder, both] : [name, withExtension, both];
}

const NPY_MAGIC = 0x93;

/** Does the content of a file say that it is a NumPy array? */
export async function isArrayFile(file: string): Promise<boolean> {
  return (await firstByte(file)) === NPY_MAGIC;
}

async function picturesIn(file: string): Promise<number> {
  if (!(await isArrayFile(file))) return 1;
  try {
    const { dims } = readNpy(await readBytes(file));
    // What is no batch of pictures is refused in better words when it is loaded.
    return dims.length === 4 && dims[0] > 0 ? dims[0] : 1;
  } catch {
    return 1;
  }
}

async function firstByte(file: string): Promise<number | undefined> {
  const handle = await openRegular(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(1), 0, 1, 0);
    return bytesRead === 1 ? buffer[0] : undefined;
  } finally {
    await handle.close();
  }
}

/**
 * The pictures of a run into `folder`. Where names were expanded, they are without the run's own outputs, which `kinds` name, and the files
 * that are read of them (`filesOf`) are guarded; a list leaves the run's folder out.
 */
export async function supplyOf<S extends InputFile>(
  sources: readonly S[] | PictureList<S>,
  folder: Pick<RunFolder<unknown>, 'folder' | 'ownFiles' | 'names' | 'guard'>,
  kinds: readonly string[],
  filesOf: (source: S) => readonly string[],
  tell: (message: string) => void,
): Promise<Supply<S>> {
  if ('named' in sources) {
    const total = await countPictures(sources);
    return { pictures: () => sources.pictures(), total, alone: false, names: async () => listedNames() };
  }
  const inputs = await withoutOwnOutputs(sources, folder, kinds, tell);
  folder.guard(inputs.flatMap(filesOf));
  return { pictures: () => inputs, total: inputs.length, alone: inputs.length === 1, names: folder.names };
}

/**
 * Sources without the run's own outputs, where `--out` is or lies in the folder of the inputs: those that the journal lists, and
 * NAME.KIND in that folder where NAME is another input (written by a run that was killed before it could list them). `tell` is given how
 * many there are. Throws `input` where nothing else is named.
 */
async function withoutOwnOutputs<S extends InputFile>(
  sources: readonly S[],
  { folder, ownFiles }: Pick<RunFolder<unknown>, 'folder' | 'ownFiles'>,
  kinds: readonly string[],
  tell: (message: string) => void,
): Promise<S[]> {
  const inputs = inputsAmong(sources, folder, await ownFiles(), kinds);
  const own = sources.length - inputs.length;
  if (inputs.length === 0)
    throw new RgiError('input', `All ${own} pictures named are outputs of an earlier run into ${folder}.`, {
      file: folder,
    });
  if (own > 0) tell(`${own} pictures in ${folder} are outputs of this run, and are left out.`);
  return inputs;
}

function inputsAmong<S extends InputFile>(
  sources: readonly S[],
  folder: string,
  listed: ReadonlySet<string>,
  kinds: readonly string[],
): S[] {
  const inFolder = (file: string) => path.dirname(path.resolve(file)) === path.resolve(folder);
  const names = new Set(sources.map(({ path: file }) => path.parse(file).name.toLowerCase()));
  const isOwn = ({ path: file }: S) => {
    if (listed.has(path.resolve(file))) return true;
    if (!inFolder(file)) return false;
    const base = path.basename(file).toLowerCase();
    const kind = kinds.find((one) => base.endsWith(`.${one}`));
    if (kind === undefined) return false;
    const stem = base.slice(0, -kind.length - 1);
    return names.has(stem) || names.has(stem.replace(/\.\d+$/, ''));
  };
  return sources.filter((source) => !isOwn(source));
}

/** Does a file lie in a folder or below it? */
export function liesIn(file: string, folder: string): boolean {
  return path.resolve(file).startsWith(`${path.resolve(folder)}${path.sep}`);
}
