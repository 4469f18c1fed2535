/**
 * Which pictures are held out for measuring or calibrating. Neighbours in a folder are often near-duplicates (frames of one
 * film, crops of one photograph): single pictures drawn at random would each have a twin among those learnt from, and what
 * is measured on them would be too good. So a few blocks of consecutive names are held out.
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

/** How many to hold out if nothing is said: a twentieth, 8 to 32. */
export function heldOutCount(pictures: number): number {
  return Math.min(32, Math.max(8, Math.round(pictures / 20)));
}

/** The dataset in two, both in their order: the pictures held out, and the others for training. */
export function split(dataset: Dataset, held: number, seed: number): { train: Dataset; held: Dataset } {
  const out = new Set(heldOut(dataset.pictures.length, held, seed));
  const part = (inside: boolean): Dataset => ({
    ...dataset,
    pictures: dataset.pictures.filter((_, i) => out.has(i) === inside),
  });
  return { train: part(false), held: part(true) };
}
