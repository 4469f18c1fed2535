/** What the page and the worker that decodes, encodes and paints say to each other, and what is too large for them. */
import type { Picture, Plane } from '../../engine.ts';
import type { CanvasFailure } from './context.ts';
import type { PaintedPlanes, Stroke } from './strokes.ts';

/** More pixels do not fit into the memory of a tab, several planes of the same size counted in. */
export const MAX_PIXELS = 80e6;

export type CodecRequest =
  /** Pictures with a side above `maxSide` are made smaller. */
  | { readonly kind: 'decode'; readonly file: File; readonly maxSide?: number }
  | { readonly kind: 'encode'; readonly of: Picture | Plane; readonly type: string }
  /** What strokes paint of a picture of this size. */
  | { readonly kind: 'paint'; readonly strokes: readonly Stroke[]; readonly width: number; readonly height: number };

export type CodecResult = Picture | Blob | PaintedPlanes;

export type CodecFailure =
  | CanvasFailure
  | { readonly kind: 'damaged' }
  | { readonly kind: 'too-large'; readonly width: number; readonly height: number };

export type CodecAnswer =
  | { readonly id: number; readonly result: CodecResult }
  | { readonly id: number; readonly failure: CodecFailure };
