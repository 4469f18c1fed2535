/**
 * Which pictures are held out for measuring or calibrating. Neighbours in a folder are often near-duplicates (frames of one
 * film, crops of one photograph): single pictures drawn at random would each have a twin among those learnt from, and what
 * is measured on them would be too good. So whole groups are held out where the names tell groups (films, photographs, boards),
 * else a few blocks of consecutive names.
 */
import { RgiError } from '../errors.ts';
import { randomFrom } from '../random.ts';
import { type Dataset, mixed } from './dataset.ts';

/** Few, so that few held pictures have a neighbour that is learnt from; several, so that they are of all kinds. */
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

/** How many to hold out if nothing is said: an eighth, 8 to 64. Calibration sets its thresholds on them. */
export function heldOutCount(pictures: number): number {
  return Math.min(64, Math.max(8, Math.round(pictures / 8)));
}

const FEWEST_GROUPS = 4;

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
  return numbers.size >= FEWEST_GROUPS && numbers.size <= names.length / 1.2 ? groups : undefined;
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
 * The dataset in two, both in their order: at least `held` pictures held out (more where groups are kept together), and the
 * others for training.
 */
export function split(dataset: Dataset, held: number, seed: number): { train: Dataset; held: Dataset } {
  const names = dataset.pictures.map((picture) => picture.name);
  const out = new Set(heldOutOf(names, held, seed));
  const part = (inside: boolean): Dataset => ({
    ...dataset,
    pictures: dataset.pictures.filter((_, i) => out.has(i) === inside),
  });
  return { train: part(false), held: part(true) };
}
