/** What the user painted on a mask: strokes that can be undone and redone. */
import { type PaintedPlanes, planesOf, type Stroke } from '../pictures/strokes.ts';

/** Strokes in their order, and those that were undone, the last one first. */
export interface Edits {
  readonly done: readonly Stroke[];
  readonly undone: readonly Stroke[];
}

export const NO_EDITS: Edits = { done: [], undone: [] };

export function painted({ done }: Edits, stroke: Stroke): Edits {
  return { done: [...done, stroke], undone: [] };
}

export function undone(edits: Edits): Edits {
  const last = edits.done.at(-1);
  return last ? { done: edits.done.slice(0, -1), undone: [last, ...edits.undone] } : edits;
}

export function redone(edits: Edits): Edits {
  const [next, ...rest] = edits.undone;
  return next ? { done: [...edits.done, next], undone: rest } : edits;
}

const shown = new WeakMap<readonly Stroke[], PaintedPlanes>();

/** As `planesOf`, made once: for what is drawn on screen, where k is that of the picture. */
export function shownPlanesOf(strokes: readonly Stroke[], width: number, height: number, k: number): PaintedPlanes {
  // NO_EDITS is of all pictures.
  if (strokes.length === 0) return {};
  try {
    const known = shown.get(strokes) ?? planesOf(strokes, width, height, k);
    shown.set(strokes, known);
    return known;
  } catch {
    // No canvas for this drawing; the next one tries again, and a search with the strokes says so.
    return {};
  }
}
