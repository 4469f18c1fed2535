/** The pictures of a run, with the masks that go with them: what is missing is said before anything is computed. */

import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { RgiError } from '../../errors.ts';
import { type Image, imageAt, type Mask, type Size } from '../../images/image.ts';
import { isPictureName } from '../../images/node/formats.ts';
import { type ExpandOptions, expandInputs, type InputFile } from '../../images/node/inputs.ts';
import { type Picture, readMask, readPicture } from '../../images/node/read.ts';
import { type Frame, frameOf } from '../../images/own-size/frame.ts';
import type { Fit } from '../../images/resize.ts';
import type { Generator } from '../../inversion/generator/generator.ts';

/** A picture file, and the file of its mask where masks are given. */
export interface Source extends InputFile {
  readonly mask?: string;
}

/** One picture ready to be inverted. */
export interface Loaded {
  /** [1,C,H,W] in [-1,1], as the generator takes it. */
  readonly image: Image;
  /** 1 = to be filled, [1,1,H,W]. */
  readonly mask?: Mask;
  /** 1 in the margins that `contain` left, [1,1,H,W]. */
  readonly outside?: Mask;
  /** What was adapted, one sentence each. */
  readonly notes: readonly string[];
  /** Where the generator's picture lies in the file's. */
  readonly frame: Frame;
  /** Size of the file's picture, upright. */
  readonly size: Size;
  /** Which of the file's pictures it is: of an array, from 0. */
  readonly index: number;
  /** The file of its mask, if one is given. */
  readonly maskFile?: string;
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

export interface ReadingOptions {
  readonly fit: Fit;
  readonly grey: 'refuse' | 'luma';
}

/** A source's pictures [N,C,H,W] and masks, for a generator. */
export interface ReadSource {
  readonly picture: Picture;
  readonly masks?: Mask;
  readonly maskFile?: string;
  readonly notes: readonly string[];
  /** What is doubtful about its mask, one sentence each; among the notes, too. */
  readonly doubts: readonly string[];
}

/** Reads a source for a generator. Throws `input` where it cannot be read or has another size and no fit is chosen. */
export async function readSource(
  source: Pick<Source, 'path' | 'mask'>,
  { channels, height, width }: Pick<Generator, 'channels' | 'height' | 'width'>,
  { fit, grey }: ReadingOptions,
): Promise<ReadSource> {
  const picture = await readPicture(source.path, { channels, size: { height, width }, fit, grey });
  const doubts: string[] = [];
  const onDoubt = (sentence: string) => doubts.push(sentence);
  const masks = source.mask === undefined ? undefined : await readMask(source.mask, picture, { onDoubt });
  const notes: string[] = [...doubts];
  const { height: h, width: w, channels: c } = picture.source;
  if (h !== height || w !== width)
    notes.push(`Resized from ${w} x ${h} to ${width} x ${height} pixels (--fit ${fit}).`);
  if (c !== channels) notes.push(`Converted from ${c} channels to ${channels}.`);
  return { picture, masks, maskFile: source.mask, notes, doubts };
}

/** The i-th picture of a source. */
export function loadedAt({ picture, masks, notes, maskFile }: ReadSource, i: number): Loaded {
  const [, , height, width] = picture.image.dims;
  return {
    frame: frameOf(picture.placement, { height, width }),
    size: { height: picture.source.height, width: picture.source.width },
    index: i,
    ...(maskFile === undefined ? {} : { maskFile }),
    image: imageAt(picture.image, i),
    ...(masks ? { mask: imageAt(masks, i) } : {}),
    ...(picture.outside ? { outside: picture.outside } : {}),
    notes,
  };
}
