/** The model of corruption on recorded searches (bench/masks): what a change must not lose. */
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { compare } from '../../bench/masks/compare.ts';
import { readRecordings } from '../../bench/masks/recording.ts';

/** Median IoU at least, with the search's own reconstruction; the rules before the model had .90, .81, .81, .85, .70, .81, .69 and 1, .98, .76, 1, .97, .72, .80, .98. */
const FLOORS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  trousers: { block: 0.96, irregular: 0.9, scratches: 0.88, random: 0.85, dust: 0.83, text: 0.88, stains: 0.78 },
  'drawn-network': {
    block: 0.99,
    irregular: 0.99,
    scratches: 0.95,
    random: 0.99,
    strips: 0.99,
    dust: 0.96,
    text: 0.96,
    stains: 0.98,
  },
};

describe.each(Object.keys(FLOORS))('%s', (set) => {
  const recordings = readRecordings(path.resolve(import.meta.dirname, `../../bench/masks/data/${set}.npz`));
  const scored = (name: string) => compare(recordings.find((one) => one.name === name)!, 'found', {}, 2);

  test.each(Object.entries(FLOORS[set]))('%s: IoU at least %d', (name, floor) => {
    const { model, outOfDomain } = scored(name);
    expect(model.iou).toBeGreaterThan(floor);
    expect(outOfDomain).toBe(0);
  });

  test('of clean pictures less than a hundredth is masked', () => {
    expect(scored('clean').model.masked).toBeLessThan(0.01);
  });

  test('a picture of which nothing is intact is out of domain', () => {
    expect(scored('noise').outOfDomain).toBe(1);
  });
});
