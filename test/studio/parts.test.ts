/** What the studio's page computes itself: masks, verdicts, histograms, corrections, the command of a manifest. */
import { describe, expect, test } from 'vitest';
import type { RestoreProgress } from '../../src/studio/engine.ts';
import { csvOf } from '../../src/studio/page/inspect/csv.ts';
import {
  byScore,
  countsOf,
  falseAlarms,
  histogramOf,
  type InspectItem,
  verdictOf,
} from '../../src/studio/page/inspect/items.ts';
import {
  above,
  coloured,
  corrected,
  displayFactor,
  levelsOf,
  shareOf,
  thinnedPlane,
} from '../../src/studio/page/pictures/planes.ts';
import { advanced, begun, isChanged, newItem } from '../../src/studio/page/restore/items.ts';
import { commandOf } from '../../src/studio/page/restore/manifest.ts';
import { NO_EDITS, painted, redone, undone } from '../../src/studio/page/restore/strokes.ts';

const plane = (width: number, ...data: number[]) => ({
  width,
  height: data.length / width,
  data: Uint8Array.from(data),
});
const picture = { name: 'photo.jpg', width: 2, height: 2, rgba: new Uint8ClampedArray(16) };
const stroke = (brush: 'keep' | 'hide') => ({ brush, radius: 1, points: [[0, 0]] as const });

describe('masks', () => {
  test('a pixel is found above the threshold, not at it', () => {
    expect([...above(plane(2, 19, 20, 21, 255), 20).data]).toEqual([0, 0, 255, 255]);
  });

  test('what is known to be good wins over what was found, what is known to be damaged is added', () => {
    const mask = plane(2, 255, 255, 0, 0);
    const made = corrected(mask, plane(2, 255, 0, 0, 0), plane(2, 0, 0, 255, 0));
    expect([...made.data]).toEqual([0, 255, 255, 0]);
    expect(shareOf(made)).toBe(0.5);
  });

  test('the colours of a residual say its level', () => {
    const levels = Uint8Array.from({ length: 256 }, (_, level) => level);
    expect(levelsOf(coloured({ width: 16, height: 16, data: levels }, 255)).data).toEqual(levels);
  });

  test('of large pictures every k-th pixel is shown', () => {
    expect(displayFactor({ width: 1000, height: 1000 })).toBe(1);
    expect(displayFactor({ width: 8000, height: 6000 })).toBe(4);
    expect([...thinnedPlane(plane(3, 0, 1, 2, 3, 4, 5, 6, 7, 8), 2).data]).toEqual([0, 2, 6, 8]);
  });
});

describe('corrections', () => {
  test('are undone and redone in order; a new stroke forgets what was undone', () => {
    const two = painted(painted(NO_EDITS, stroke('hide')), stroke('keep'));
    const one = undone(two);
    expect(one.done.map(({ brush }) => brush)).toEqual(['hide']);
    expect(redone(one)).toEqual(two);
    expect(painted(one, stroke('hide')).undone).toEqual([]);
    expect(undone(NO_EDITS)).toBe(NO_EDITS);
  });

  test('ask for another search where they are not those of the result', () => {
    const item = newItem(1, picture, 'image/jpeg');
    expect(isChanged({ ...item, threshold: 20 })).toBe(false);
    const result = {} as NonNullable<(typeof item)['result']>;
    const done = { ...item, result, used: { strokes: item.edits.done } };
    expect(isChanged(done)).toBe(false);
    expect(isChanged({ ...done, threshold: 20 })).toBe(true);
    expect(isChanged({ ...done, edits: painted(item.edits, stroke('hide')) })).toBe(true);
  });

  test('are in the command that repeats a result', () => {
    const item = {
      ...newItem(1, picture, 'image/jpeg'),
      used: { threshold: 24, strokes: [stroke('keep'), stroke('hide')] },
    };
    const settings = { method: 'rrgi', seed: 3, fit: 'cover', steps: 50 };
    expect(commandOf(item, settings, { channels: 3 }, undefined).join(' ')).toBe(
      'restore photo.jpg --generator generator.onnx --method rrgi --seed 3 --fit cover --steps 50 --threshold 24 --keep photo.keep.png --hide photo.hide.png --out restored',
    );
    const served = { kind: 'server' as const, model: { id: 'faces', name: 'faces' } };
    expect(commandOf(item, settings, { channels: 3 }, served)).toContain('faces.onnx');
  });
});

test('of a long search at most 60 pictures are kept, the last one always', () => {
  const small = plane(1, 0);
  const frame = { restored: picture, mask: small, residual: small };
  let item = begun(newItem(1, picture, 'image/png'));
  for (let step = 1; step <= 500; step++) {
    const progress: RestoreProgress = { step, steps: 500, loss: 1 / step, masked: 0, frame };
    item = advanced(item, progress);
    expect(item.frames.length).toBeLessThanOrEqual(60);
    expect(item.frames.at(-1)?.step).toBe(step);
  }
  expect(item.frames[0].step).toBe(1);
  expect(item.losses).toHaveLength(500);
});

describe('inspected pictures', () => {
  const item = (id: number, score: number | undefined, fields: Partial<InspectItem> = {}): InspectItem => ({
    id,
    name: `part ${id}.png`,
    file: new File([], 'part.png'),
    phase: score === undefined ? 'waiting' : 'done',
    failure: '',
    ...(score === undefined ? {} : { result: { score, limit: 2, regions: [], map: plane(1, 0), seconds: 0 } }),
    ...fields,
  });
  const items = [item(1, 1), item(2, 3), item(3, undefined), item(4, 9, { decision: 'good' })];
  const failed = item(5, undefined, { phase: 'failed', failure: 'It is empty.' });

  test("are counted by the policy's limit, by a moved one, and by what a person said", () => {
    expect(countsOf([...items, failed], undefined)).toEqual({ defective: 1, marked: 0, good: 2, open: 1, failed: 1 });
    expect(countsOf(items, 0.5)).toMatchObject({ defective: 2, good: 1 });
  });

  test('with regions and a score under the limit are marked', () => {
    const region = { x: 0, y: 0, width: 0.1, height: 0.1, score: 1 };
    const under = item(6, 1, { result: { score: 1, limit: 2, regions: [region], map: plane(1, 0), seconds: 0 } });
    expect(verdictOf(under, undefined)).toBe('marked');
    expect(verdictOf(under, 0.5)).toBe('defective');
    expect(verdictOf({ ...under, decision: 'good' }, undefined)).toBe('good');
    expect(csvOf([under], undefined)).toContain(',marked,score,1,');
  });

  test('are sorted by score, what has none comes last', () => {
    expect(byScore(items).map(({ id }) => id)).toEqual([4, 2, 1, 3]);
  });

  test('are listed as CSV', () => {
    expect(
      csvOf([...items.slice(0, 2), failed], undefined)
        .trim()
        .split(/\r?\n/),
    ).toEqual([
      'name,score,limit,verdict,decided_by,regions,message',
      'part 2.png,3,2,defective,score,0,',
      'part 1.png,1,2,good,score,0,',
      'part 5.png,,,failed,score,,It is empty.',
    ]);
  });

  test('stand in a histogram by the ratio of their scores, with the limit on its axis', () => {
    const { good, inspected, highest, positionOf, scoreAt } = histogramOf([1, 1, 2], [1000], 4, 10);
    expect([good, inspected].map((counts) => counts.reduce((a, b) => a + b, 0))).toEqual([3, 1]);
    expect(good[0]).toBe(2);
    expect(inspected[9]).toBe(1);
    expect(highest).toBe(2);
    expect(scoreAt(positionOf(4))).toBeCloseTo(4);
    expect(positionOf(-1)).toBe(0);
  });

  test('a limit calls a share of the good pictures defective; of none known it says nothing', () => {
    expect(falseAlarms([1, 2, 3, 4], 3)).toBe(0.25);
    expect(falseAlarms([], 3)).toBeUndefined();
  });
});
