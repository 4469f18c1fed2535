/** The pictures of a run, with the masks that go with them: what is missing is said before anything is computed. */

import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { RgiError } from '../../errors.ts';
import { isBucketAddress, parseBucketAddress } from '../../files/node/bucket.ts';
import { isFolder } from '../../files/node/regular.ts';
import { type Image, imageAt, type Mask, type Size } from '../../images/image.ts';
import { isPictureName } from '../../images/node/formats.ts';
import { type ExpandOptions, expandInputs, type InputFile } from '../../images/node/inputs.ts';
import type { ListedPicture, PictureList } from '../../images/node/listing.ts';
import { type Picture, readMask, readPicture } from '../../images/node/read.ts';
import { type Alignment, unseenShare, type View, type ViewOptions } from '../../images/own-size/view.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import { latentsFor } from './latents.ts';

/** What may be known of pictures beforehand: a file for all of them, or a folder of files named after them. */
export interface GivenMasks {
  /** The whole mask, for methods that are given one. */
  readonly mask?: string;
  /** Known to be good (white): never masked. */
  readonly keep?: string;
  /** Known to be corrupted (white): masked, and hidden from the search. */
  readonly hide?: string;
}

/** Files that go with pictures. */
export interface Given extends GivenMasks {
  /** Latents of earlier results, at which the searches begin: a file, or a folder of files named after the pictures. */
  readonly latents?: string;
}

/** A picture file, and the files of what is known of it. */
export interface Source extends InputFile, Given {
  /** Why it cannot be used, where that is known already. */
  readonly error?: RgiError;
}

/** A picture of a file, and how it is seen. */
export interface Seen {
  /** How the generator sees the file's picture; or, by tiles, how it is taken apart. */
  readonly view: View;
  /** Size of the file's picture, upright. */
  readonly size: Size;
  /** Which of the file's pictures it is: of an array, from 0. */
  readonly index: number;
  /** What was adapted, one sentence each. */
  readonly notes: readonly string[];
}

/** One picture ready to be inverted. */
export interface Loaded extends Seen {
  /** [1,C,H,W] in [-1,1], as the generator takes it. */
  readonly image: Image;
  /** 1 = to be filled, [1,1,H,W]. */
  readonly mask?: Mask;
  readonly keep?: Mask;
  readonly hide?: Mask;
  /** At which the search begins, [1, ...dims] each. */
  readonly latents?: ReadonlyMap<string, Tensor>;
  /** 1 where there is no picture: margins that `contain` left, transparent pixels, [1,1,H,W]. */
  readonly outside?: Mask;
}

export const MASK_KINDS = ['mask', 'keep', 'hide'] as const;

/** Every picture needs a mask where masks are given; what is known to be good or corrupted may be of some pictures only. */
export async function findSources(
  patterns: readonly string[],
  given: Given,
  options: ExpandOptions = {},
): Promise<Source[]> {
  checkAddresses(given);
  let sources: Source[] = await expandInputs(patterns, options);
  for (const kind of MASK_KINDS) {
    const place = given[kind];
    if (place !== undefined) sources = await withMasks(sources, kind, place);
  }
  const { latents: place } = given;
  if (place === undefined) return sources;
  return Promise.all(sources.map(async (source) => ({ ...source, latents: await latentsFor(source, place) })));
}

/** The pictures of a list with what is given of them: in the list itself, or by the same rules as of `findSources`. */
export function listSources({ named, pictures }: PictureList, given: GivenMasks): PictureList<Source> {
  checkAddresses(given);
  return {
    named,
    async *pictures() {
      for await (const picture of pictures()) yield await withListedMasks(picture, given);
    },
  };
}

/** Of a bucket, one object for all pictures is taken: its prefixes are no folders. Throws `usage` where it is none. */
function checkAddresses(given: GivenMasks): void {
  for (const kind of MASK_KINDS) {
    const place = given[kind];
    if (place === undefined || !isBucketAddress(place)) continue;
    parseBucketAddress(place);
    if (!isPictureName(place))
      throw new RgiError(
        'usage',
        `--${kind} ${place} names no picture; give one object for all pictures, or name the mask of each in a manifest.`,
        { file: place },
      );
  }
}

/** In a folder of masks, that of `a/b` is `a/b.png`; a picture without one that it needs cannot be used. */
async function withListedMasks(picture: ListedPicture, given: GivenMasks): Promise<ListedPicture> {
  let found = picture;
  for (const kind of MASK_KINDS) {
    const place = given[kind];
    if (place === undefined || picture[kind] !== undefined) continue;
    const file = (await isFolder(place)) ? await listedMask(place, picture.name, kind) : place;
    if (file === undefined && kind === 'mask') {
      const { name, path: from } = picture;
      const message = `The folder ${place} has no mask for ${from}: it would be named ${name}.png, ${name}.${kind}.png or ${name}_${kind}.png.`;
      found = { ...found, error: new RgiError('input', message, { file: place }) };
    } else if (file !== undefined) found = { ...found, [kind]: file };
  }
  return found;
}

async function listedMask(folder: string, name: string, kind: string): Promise<string | undefined> {
  for (const stem of [name, `${name}.${kind}`, `${name}_${kind}`]) {
    const file = path.join(folder, `${stem}.png`);
    if ((await stat(file).catch(() => undefined))?.isFile()) return file;
  }
  return undefined;
}

async function withMasks(
  sources: readonly Source[],
  kind: (typeof MASK_KINDS)[number],
  place: string,
): Promise<Source[]> {
  if (isBucketAddress(place)) return sources.map((file) => ({ ...file, [kind]: place }));
  const found = await stat(place).catch(() => undefined);
  if (!found) throw new RgiError('input', `The mask ${place} does not exist.`, { file: place });
  if (!found.isDirectory()) return sources.map((file) => ({ ...file, [kind]: place }));
  const byStem = new Map<string, string>();
  for (const entry of (await readdir(place)).filter(isPictureName).sort())
    byStem.set(path.parse(entry).name, path.join(place, entry));
  const withFiles = sources.map((file) => ({ ...file, [kind]: maskFor(file, kind, byStem) }));
  const without = withFiles.filter((file) => file[kind] === undefined);
  if (without.length > 0 && (kind === 'mask' || without.length === sources.length)) {
    const { name, path: first } = without[0];
    const others = without.length > 1 ? ` (nor for ${without.length - 1} more)` : '';
    throw new RgiError(
      'input',
      `The folder ${place} has no mask for ${first}${others}: it would be named ${name}.png, ${name}.${kind}.png or ${name}_${kind}.png.`,
      { file: place },
    );
  }
  return withFiles;
}

function maskFor(file: InputFile, kind: string, byStem: ReadonlyMap<string, string>): string | undefined {
  const stem = path.parse(file.path).name;
  return [file.name, stem]
    .flatMap((name) => [name, `${name}.${kind}`, `${name}_${kind}`].map((n) => byStem.get(n)))
    .find(Boolean);
}

export interface ReadingOptions extends Required<Pick<ViewOptions, 'fit'>>, Pick<ViewOptions, 'region' | 'alignment'> {
  readonly grey: 'refuse' | 'luma';
}

/** A source's pictures [N,C,H,W] and masks, for a generator. */
export interface ReadSource {
  readonly picture: Picture;
  readonly mask?: Mask;
  readonly keep?: Mask;
  readonly hide?: Mask;
  readonly notes: readonly string[];
  /** What is to be said of it when it is read, one sentence each; among the notes, too. */
  readonly doubts: readonly string[];
}

/** Reads a source for a generator. Throws `input` where it cannot be read or has another size and no fit is chosen. */
export async function readSource(
  source: Pick<Source, 'path' | 'mask' | 'keep' | 'hide'>,
  { channels, height, width }: Pick<Generator, 'channels' | 'height' | 'width'>,
  { fit, grey, region, alignment }: ReadingOptions,
): Promise<ReadSource> {
  const view = { fit, region, alignment };
  const picture = await readPicture(source.path, {
    channels,
    size: { height, width },
    grey,
    transparent: 'missing',
    ...view,
  });
  const doubts: string[] = [];
  const onDoubt = (sentence: string) => doubts.push(sentence);
  const masks: { mask?: Mask; keep?: Mask; hide?: Mask } = {};
  for (const kind of MASK_KINDS) {
    const file = source[kind];
    if (file !== undefined) masks[kind] = await readMask(file, picture, { onDoubt });
  }
  if (masks.keep && masks.hide && overlap(masks.keep, masks.hide))
    throw new RgiError(
      'input',
      `${source.path}: ${source.keep} and ${source.hide} are white at the same pixels, which are either known to be good or known to be corrupted; take them out of one.`,
      { file: source.path },
    );
  return { picture, ...masks, notes: [...doubts, ...adaptations(picture, channels, view)], doubts };
}

function overlap(a: Mask, b: Mask): boolean {
  return a.data.some((value: number, i: number) => value > 0.5 && b.data[i] > 0.5);
}

/** What a picture was adapted by, one sentence each. */
export function adaptations(
  { source, view, image }: Picture,
  channels: number,
  { fit, region, alignment }: ViewOptions,
): string[] {
  const [, , height, width] = image.dims;
  const { height: h, width: w, channels: c } = source;
  const how = alignment ? `--align ${alignmentText(alignment)}` : region ? `--region, --fit ${fit}` : `--fit ${fit}`;
  const unseen = unseenShare(view, source);
  return [
    ...(h !== height || w !== width || view.isAligned
      ? [`Resized from ${w} x ${h} to ${width} x ${height} pixels for the generator (${how}).`]
      : []),
    ...(unseen > 0.0005
      ? [
          `${(100 * unseen).toFixed(unseen < 0.1 ? 1 : 0)}% of the picture was not shown to the generator (${how}) and stays as it is.`,
        ]
      : []),
    ...(c !== channels ? [`Converted from ${c} channels to ${channels}.`] : []),
  ];
}

/** As the command line takes it. */
function alignmentText({ x, y, scale, degrees }: Alignment): string {
  return `${x.toFixed(1)},${y.toFixed(1)},${scale.toPrecision(4)},${degrees.toFixed(1)}`;
}

/** The i-th picture of a source. */
export function loadedAt(
  { picture, mask, keep, hide, notes }: ReadSource,
  i: number,
  latents?: Loaded['latents'],
): Loaded {
  return {
    view: picture.view,
    size: { height: picture.source.height, width: picture.source.width },
    index: i,
    image: imageAt(picture.image, i),
    ...(mask ? { mask: imageAt(mask, i) } : {}),
    ...(keep ? { keep: imageAt(keep, i) } : {}),
    ...(hide ? { hide: imageAt(hide, i) } : {}),
    ...(latents ? { latents } : {}),
    ...(picture.outside ? { outside: picture.outside } : {}),
    notes,
  };
}

/** What of the files that go with a picture goes into its content. */
export async function givenContent(
  { mask, keep, hide, latents }: Source,
  hashOf: (file: string) => Promise<string>,
): Promise<string> {
  const marked = async (mark: string, file: string | undefined) =>
    file === undefined ? '' : mark + (await hashOf(file));
  return `${await marked('+', mask)}${await marked('+keep=', keep)}${await marked('+hide=', hide)}${await marked('+latents=', latents)}`;
}
