/** The pictures of a run, with the masks that go with them: what is missing is said before anything is computed. */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { RgiError } from '../../errors.ts';
import { type Image, imageAt, type Mask } from '../../images/image.ts';
import { isPictureName } from '../../images/node/formats.ts';
import { type ExpandOptions, expandInputs, type InputFile } from '../../images/node/inputs.ts';
import { readMask, readPicture } from '../../images/node/read.ts';
import type { Fit } from '../../images/resize.ts';
import type { Generator } from '../../inversion/generator/generator.ts';

export interface Source extends InputFile {
  readonly mask?: string;
}

/** One picture ready to be inverted; an array of several gives several. */
export interface Item {
  readonly name: string;
  readonly path: string;
  readonly image: Image;
  readonly mask?: Mask;
  /** 1 in the margins that `contain` left, [1,1,H,W]. */
  readonly outside?: Mask;
  readonly notes: readonly string[];
  /** Of these, what is to be said aloud: what is doubtful about its mask. */
  readonly doubts: readonly string[];
}

export async function findSources(
  patterns: readonly string[],
  masks: string | undefined,
  options: ExpandOptions = {},
): Promise<Source[]> {
  const files = await expandInputs(patterns, options);
  if (masks === undefined) return files;
  const found = await stat(masks).catch(() => undefined);
  if (!found) throw new RgiError('input', `The mask ${masks} does not exist.`, { file: masks });
  if (!found.isDirectory()) return files.map((file) => ({ ...file, mask: masks }));
  const byStem = new Map<string, string>();
  for (const entry of (await readdir(masks)).filter(isPictureName).sort())
    byStem.set(path.parse(entry).name, path.join(masks, entry));
  const withMasks = files.map((file) => ({ ...file, mask: maskFor(file, byStem) }));
  const without = withMasks.filter((file) => file.mask === undefined);
  if (without.length > 0) {
    const { name, path: first } = without[0];
    const others = without.length > 1 ? ` (nor for ${without.length - 1} more)` : '';
    throw new RgiError(
      'input',
      `The folder ${masks} has no mask for ${first}${others}: it would be named ${name}.png, ${name}.mask.png or ${name}_mask.png.`,
      { file: masks },
    );
  }
  return withMasks;
}

function maskFor(file: InputFile, byStem: ReadonlyMap<string, string>): string | undefined {
  const stem = path.parse(file.path).name;
  return [file.name, stem]
    .flatMap((name) => [name, `${name}.mask`, `${name}_mask`].map((n) => byStem.get(n)))
    .find(Boolean);
}

export interface ReadingFlags {
  readonly fit: Fit;
  readonly grey: 'refuse' | 'luma';
}

/** Reads a source for a generator; a size that does not fit is refused with the flag that would make it. */
export async function readSource(source: Source, generator: Generator, flags: ReadingFlags): Promise<Item[]> {
  const { channels, height, width } = generator;
  const picture = await readPicture(source.path, {
    channels,
    size: { height, width },
    fit: flags.fit,
    grey: flags.grey,
  }).catch(withFlagNames);
  const doubts: string[] = [];
  const onDoubt = (sentence: string) => doubts.push(sentence);
  const masks = source.mask === undefined ? undefined : await readMask(source.mask, picture, { onDoubt });
  const notes: string[] = [...doubts];
  const { height: h, width: w, channels: c } = picture.source;
  if (h !== height || w !== width)
    notes.push(`Stored as ${w} x ${h} pixels, brought to ${width} x ${height} by '${flags.fit}'.`);
  if (c !== channels) notes.push(`Stored with ${c} channels, made ${channels}.`);
  const total = picture.image.dims[0];
  return Array.from({ length: total }, (_, i) => ({
    name: total === 1 ? source.name : `${source.name}.${String(i).padStart(String(total - 1).length, '0')}`,
    path: source.path,
    image: imageAt(picture.image, i),
    ...(masks ? { mask: imageAt(masks, i) } : {}),
    ...(picture.outside ? { outside: picture.outside } : {}),
    notes,
    doubts,
  }));
}

/** The library speaks of a fit and of luma; here they are flags. */
function withFlagNames(error: unknown): never {
  if (!(error instanceof RgiError)) throw error;
  const message = error.message
    .replace('choose a fit: contain, cover or stretch.', 'choose --fit contain, cover or stretch.')
    .replace('choose grey by luma to convert it.', 'convert it with --grey luma.');
  throw new RgiError(error.code, message, error.location, { cause: error });
}
