/** Which of many pictures, and which parts of large ones, are looked at. */
import { type Image, shapeOf } from '../images/image.ts';
import { crop } from '../images/resize.ts';
import { randomFrom } from '../random.ts';

/** At most `count` of a list, evenly spread over it. */
export function evenly<T>(list: readonly T[], count: number): T[] {
  if (list.length <= count) return [...list];
  return Array.from({ length: count }, (_, i) => list[Math.floor((i * list.length) / count)]);
}

/** Squares of one size, at most `largest` wide, from anywhere in the pictures; the pictures as they are without `largest`. */
export function squares(images: readonly Image[], largest: number | undefined, seed: number): Image[] {
  if (largest === undefined) return [...images];
  const sides = images.map(shapeOf).flatMap(({ height, width }) => [height, width]);
  const side = Math.min(largest, ...sides);
  const random = randomFrom(seed);
  return images.map((image) => {
    const { height, width } = shapeOf(image);
    const [top, left] = [random.integer(height - side + 1), random.integer(width - side + 1)];
    return crop(image, { top, left, height: side, width: side });
  });
}
