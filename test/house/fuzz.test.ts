/** A few thousand of the inputs of `npm run bench -- fuzz`: every reader takes one, or refuses it with a clean error. */
import { expect, it } from 'vitest';
import { KINDS, type Outcome, runSlice } from '../../bench/fuzz/slice.ts';

const COUNT = 400;

it.each(KINDS)('%s are taken or refused, whatever they hold', async (kind) => {
  const outcomes: Outcome[] = [];
  await runSlice(kind, 1, [0, COUNT], { onEnd: (outcome) => outcomes.push(outcome) });
  expect(outcomes.filter(({ outcome }) => outcome === 'exception')).toEqual([]);
  // Some of both: inputs that are all refused at their first byte would test little.
  expect(outcomes.filter(({ outcome }) => outcome === 'accepted').length).toBeGreaterThan(COUNT / 50);
  expect(outcomes.filter(({ outcome }) => outcome === 'refused').length).toBeGreaterThan(COUNT / 50);
});
