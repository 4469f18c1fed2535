/** The pictures of the Restore view, and what is known of each. */

import type { MethodName } from '../../../inversion/spec/method.ts';
import type { Picture, Plane, RestoreProgress, RestoreResult } from '../../engine.ts';
import { above } from '../pictures/planes.ts';
import type { PictureType } from '../pictures/read.ts';
import type { Stroke } from '../pictures/strokes.ts';
import { type Edits, NO_EDITS } from './strokes.ts';

/** A recorded state of a search. */
export interface Frame {
  readonly step: number;
  readonly restored: Picture;
  readonly mask: Plane;
  readonly residual: Plane;
}

/** What a result was asked for with, beside the settings. */
export interface Corrections {
  /** In grey levels; absent: the model of corruption decides. */
  readonly threshold?: number;
  readonly strokes: readonly Stroke[];
  /** Those of the result that the search went on from; absent: it began from the beginning, or has no start. */
  readonly latents?: Float32Array;
}

/** One of the methods side by side. */
export interface Rival {
  readonly method: MethodName;
  readonly result?: RestoreResult;
  readonly failure: string;
}

/** How a result is looked at. */
export type Look = 'compare' | 'found' | 'difference' | 'uncertainty' | 'history' | 'methods';

export interface RestoreItem {
  readonly id: number;
  readonly picture: Picture;
  readonly type: PictureType;
  readonly phase: 'ready' | 'waiting' | 'running' | 'done' | 'failed';
  readonly failure: string;
  readonly progress?: RestoreProgress;
  readonly losses: readonly number[];
  readonly frames: readonly Frame[];
  readonly result?: RestoreResult;
  /** Does the next search go on from the result? */
  readonly goesOn: boolean;
  /** As the controls say now. */
  readonly threshold?: number;
  readonly edits: Edits;
  /** As the result was made with. */
  readonly used: Corrections;
  readonly rivals: readonly Rival[];
  readonly look: Look;
}

/** Frames that are kept to scrub through. */
const MAX_FRAMES = 60;

export function newItem(id: number, picture: Picture, type: PictureType): RestoreItem {
  const fresh = {
    failure: '',
    look: 'compare' as const,
    losses: [],
    frames: [],
    edits: NO_EDITS,
    goesOn: false,
    used: { strokes: [] },
    rivals: [],
  };
  return { id, picture, type, phase: 'ready', ...fresh };
}

/** The same picture, for another model: nothing of the old one's results is left. */
export function reset({ id, picture, type }: RestoreItem): RestoreItem {
  return newItem(id, picture, type);
}

/** Before a search. */
export function begun(item: RestoreItem): RestoreItem {
  return { ...item, phase: 'running', failure: '', losses: [], frames: [], progress: undefined };
}

/** After a search without a result. One that another model has reset meanwhile stays as it is. */
export function stopped(item: RestoreItem): RestoreItem {
  return item.phase === 'running' ? { ...item, phase: item.result ? 'done' : 'ready' } : item;
}

/** With one more step of the search. */
export function advanced(item: RestoreItem, progress: RestoreProgress): RestoreItem {
  const { frame, step } = progress;
  const frames = frame ? thinned([...item.frames, { step, ...frame }]) : item.frames;
  const losses = progress.loss === undefined ? item.losses : [...item.losses, progress.loss];
  return { ...item, progress, frames, losses };
}

/** Where there are too many frames, every second one goes, never the last. */
function thinned(frames: readonly Frame[]): readonly Frame[] {
  return frames.length <= MAX_FRAMES ? frames : frames.filter((_, i) => i % 2 === 0 || i === frames.length - 1);
}

/** Do the controls ask for another result than there is? */
export function isChanged({ result, threshold, edits, used }: RestoreItem): boolean {
  return result !== undefined && (threshold !== used.threshold || edits.done !== used.strokes);
}

/** The mask that the threshold asks for, before it is corrected by hand. */
export function maskOf({ mask, residual }: RestoreResult, threshold: number | undefined): Plane {
  return threshold === undefined ? mask : above(residual, threshold);
}
