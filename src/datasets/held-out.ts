/**
 * Which pictures are held out for measuring or calibrating. Neighbours in a folder are often near-duplicates (frames of one
 * film, crops of one photograph): single pictures drawn at random would each have a near copy among the training pictures, and what
 * is measured on them would be too good. So whole groups are held out where the names tell groups (films, photographs, boards),
 * else a few blocks of consecutive names.
 */
import { RgiError } from '../errors.ts';
import { randomFrom } from '../random.ts';
import { type Dataset, mixed, type StoredPicture } from './dataset.ts';

/** Few, so that few held-out pictures have a neighbour among the training pictures; several, so that they are of all kinds. */
const BLOCKS = 4;

/**
 * Positions, rising, of `held` of `count` pictures in the order of their names: up to four blocks of consecutive ones,
 * each anywhere in its quarter of the order. Throws `input` where none would be left.
 */
export function heldOut(count: number, held: number, seed: number): number[] {
  if (count <= held)
    throw new RgiError('input', `${count} pictures cannot spare ${held} for measuring; give more pictures.`);
  const random = randomFrom(mixed(seed, 77));
  const blocks = Math.min(BLOCKS, held);
  const positions: number[] = [];
  let from = 0;
  for (let i = 0; i < blocks; i++) {
    const [part, block] = [count, held].map((total) => share(total, blocks, i));
    const first = from + random.integer(part - block + 1);
    for (let j = 0; j < block; j++) positions.push(first + j);
    from += part;
  }
  return positions;
}

/** Part `i` of `total` in `parts` nearly equal ones; the last ones are larger, so that a larger total has no smaller part. */
function share(total: number, parts: number, i: number): number {
  return Math.floor(total / parts) + (i >= parts - (total % parts) ? 1 : 0);
}

/** How many to hold out if nothing is said: an eighth, 8 to 64, and never more than half. Calibration sets its thresholds on them. */
export function heldOutCount(pictures: number): number {
  return Math.min(64, Math.floor(pictures / 2), Math.max(8, Math.round(pictures / 8)));
}

const MIN_GROUPS = 4;

/**
 * Which group each picture is of, 0, 1, ... in the order of their first pictures: what stands in its name, folder included,
 * before the first '_', '-' or blank. Undefined where that tells no groups: fewer than four, or hardly any of two pictures.
 */
export function groupsOf(names: readonly string[]): number[] | undefined {
  const numbers = new Map<string, number>();
  const groups = names.map((name) => {
    const folder = name.slice(0, name.lastIndexOf('/') + 1);
    const [token] = name.slice(folder.length).split(/[_\- ]/, 1);
    const key = token === name.slice(folder.length) ? folder : `${folder}${token}`;
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    return number;
  });
  return numbers.size >= MIN_GROUPS && numbers.size <= names.length / 1.2 ? groups : undefined;
}

/** Positions of whole groups drawn by `seed`: as few as make `held` pictures, and never more than half of all. */
function heldGroups(groups: readonly number[], held: number, seed: number): number[] | undefined {
  const count = Math.max(...groups) + 1;
  const sizes = Array.from({ length: count }, () => 0);
  for (const group of groups) sizes[group]++;
  const chosen = new Set<number>();
  let pictures = 0;
  for (const group of randomFrom(mixed(seed, 78)).sample(count, count)) {
    if (pictures >= held) break;
    if (pictures + sizes[group] > groups.length / 2) continue;
    chosen.add(group);
    pictures += sizes[group];
  }
  if (pictures < held) return undefined;
  return groups.flatMap((group, position) => (chosen.has(group) ? [position] : []));
}

/** Positions, rising, of at least `held` pictures of these names: whole groups where names tell groups, else blocks. */
export function heldOutOf(names: readonly string[], held: number, seed: number): number[] {
  const groups = held > 0 ? groupsOf(names) : undefined;
  return (groups && heldGroups(groups, held, seed)) ?? heldOut(names.length, held, seed);
}

/**
 * Which group each is of when equal contents stay together: the groups of the names merged where they share a content; without
 * groups, one per content. Undefined where there are no groups and no two contents are equal.
 */
export function joined(contents: readonly unknown[], groups?: readonly number[]): number[] | undefined {
  if (!groups && new Set(contents).size === contents.length) return undefined;
  const parent = new Map<unknown, unknown>();
  const rootOf = (key: unknown): unknown => {
    let at = key;
    while (parent.has(at)) at = parent.get(at);
    return at;
  };
  // A content and a group are nodes; a picture is an edge between its two.
  const nodes = contents.map((content) => `content ${String(content)}`);
  for (const [i, node] of nodes.entries()) {
    const [a, b] = [rootOf(node), groups ? rootOf(`group ${groups[i]}`) : rootOf(node)];
    if (a !== b) parent.set(a, b);
  }
  const numbers = new Map<unknown, number>();
  return nodes.map((node) => {
    const root = rootOf(node);
    const number = numbers.get(root) ?? numbers.size;
    numbers.set(root, number);
    return number;
  });
}

/** As `heldOutOf`, and pictures of equal content (`contents` holds a digest of each) are all held out, or none of them is. */
export function heldOutApart(
  names: readonly string[],
  contents: readonly unknown[],
  held: number,
  seed: number,
): number[] {
  if (new Set(contents).size === contents.length) return heldOutOf(names, held, seed);
  const first = new Map<unknown, number>();
  contents.forEach((content, i) => {
    if (!first.has(content)) first.set(content, i);
  });
  const groups = groupsOf(names);
  const whole = groups && heldGroups(joined(contents, groups)!, held, seed);
  if (whole) return whole;
  const distinct = [...first.values()];
  if (distinct.length <= held) {
    throw new RgiError(
      'input',
      `The ${names.length} pictures are only ${distinct.length} different ones: they cannot spare ${held} for measuring; give more pictures.`,
    );
  }
  const out = new Set(heldOut(distinct.length, held, seed).map((position) => contents[distinct[position]]));
  return names.flatMap((_, i) => (out.has(contents[i]) ? [i] : []));
}

/** A number for each picture's content: equal for pictures of equal size and bytes only. */
export function contentsOf(pictures: readonly StoredPicture[]): number[] {
  const known = new Map<string, number[]>();
  return pictures.map(({ height, width, data }, i) => {
    // FNV-1a over the bytes finds candidates; the bytes themselves decide.
    let hash = 0x811c9dc5;
    for (const byte of data) hash = Math.imul(hash ^ byte, 0x01000193);
    const key = `${height}x${width} ${hash >>> 0}`;
    const candidates = known.get(key) ?? [];
    const equal = candidates.find((j) => pictures[j].data.every((byte, at) => byte === data[at]));
    if (equal === undefined) known.set(key, [...candidates, i]);
    return equal ?? i;
  });
}

/** What is said where some pictures are equal; undefined where all differ. */
export function copiesSentence(contents: readonly unknown[]): string | undefined {
  const distinct = new Set(contents).size;
  if (distinct === contents.length) return undefined;
  return `${contents.length} pictures are only ${distinct} different ones; copies stay together, so that no training picture is used for measuring.`;
}

/**
 * The dataset in two, both in their order: at least `held` pictures held out (more where groups are kept together), and the
 * others for training. Pictures of equal content are all on one side.
 */
export function split(dataset: Dataset, held: number, seed: number): { train: Dataset; held: Dataset } {
  const names = dataset.pictures.map((picture) => picture.name);
  const out = new Set(heldOutApart(names, contentsOf(dataset.pictures), held, seed));
  const part = (inside: boolean): Dataset => ({
    ...dataset,
    pictures: dataset.pictures.filter((_, i) => out.has(i) === inside),
  });
  return { train: part(false), held: part(true) };
}
