/**
 * A coreset by greedy k-centres (Roth et al. 2022, PatchCore; Sener and Savarese 2018): each next centre is the vector that is farthest from
 * all centres so far, so that every vector has a centre nearby. Distances are measured after a random projection (Johnson and
 * Lindenstrauss), which keeps them nearly.
 */
import { randomFrom } from '../random.ts';

export interface CoresetOptions {
  /** Centres to choose. */
  readonly count: number;
  /** Dimensions that distances are measured in; default 32. */
  readonly projected?: number;
  /** Default 0: draws the projection and the first centre. */
  readonly seed?: number;
}

const PROJECTED = 32;

/** Indices of the chosen rows of `vectors` [rows, length], in the order of choice; all of them where there are no more than `count`. */
export function greedyCentres(
  vectors: Float32Array,
  length: number,
  { count, projected = PROJECTED, seed = 0 }: CoresetOptions,
): number[] {
  const rows = vectors.length / length;
  if (rows <= count) return Array.from({ length: rows }, (_, i) => i);
  const random = randomFrom(seed);
  const width = Math.min(projected, length);
  const points = width < length ? projection(vectors, length, width, random.normals(length * width)) : vectors;
  const nearest = new Float32Array(rows).fill(Number.POSITIVE_INFINITY);
  const centres: number[] = [];
  let next = random.integer(rows);
  while (centres.length < count) {
    centres.push(next);
    let farthest = 0;
    const centre = points.subarray(next * width, (next + 1) * width);
    for (let r = 0; r < rows; r++) {
      let square = 0;
      for (let i = 0, at = r * width; i < width; i++, at++) square += (points[at] - centre[i]) ** 2;
      if (square < nearest[r]) nearest[r] = square;
      if (nearest[r] > nearest[farthest]) farthest = r;
    }
    next = farthest;
  }
  return centres;
}

function projection(vectors: Float32Array, length: number, width: number, matrix: Float32Array): Float32Array {
  const rows = vectors.length / length;
  const points = new Float32Array(rows * width);
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < length; k++) {
      const v = vectors[r * length + k];
      for (let i = 0; i < width; i++) points[r * width + i] += v * matrix[k * width + i];
    }
  }
  return points;
}
