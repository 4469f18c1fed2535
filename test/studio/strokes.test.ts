/** Strokes without a canvas to paint them on. */
import { afterEach, expect, test, vi } from 'vitest';
import { planesOf, type Stroke } from '../../src/studio/page/pictures/strokes.ts';
import { shownPlanesOf } from '../../src/studio/page/restore/strokes.ts';

afterEach(() => vi.unstubAllGlobals());

test('are not passed over: what would search with them fails, what draws them on screen does without', () => {
  vi.stubGlobal('OffscreenCanvas', function OffscreenCanvas() {
    return { getContext: () => null };
  });
  const strokes: Stroke[] = [{ brush: 'hide', radius: 2, points: [[1, 1]] }];
  expect(() => planesOf(strokes, 8, 8)).toThrow(expect.objectContaining({ kind: 'no-canvas' }));
  expect(shownPlanesOf(strokes, 8, 8, 1)).toEqual({});
  expect(planesOf([], 8, 8)).toEqual({});
});
