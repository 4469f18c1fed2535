/** Saved states that are damaged are refused in one sentence, whatever their facts are. */
import { expect, it } from 'vitest';
import { writeNpz } from '../../src/arrays/npy.ts';
import { RgiError } from '../../src/errors.ts';
import { readState } from '../../src/inversion/solve/state.ts';

const withFacts = (text: string) => {
  const data = new TextEncoder().encode(text);
  return writeNpz(new Map([['facts.json', { type: 'uint8' as const, dims: [data.length], data }]]));
};
const facts = { stage: 1, step: 3, minLambda: [0.5], codes: [null, 'converged'] };

it('the facts of a state come back', () => {
  const { stage, step, minLambda, codes } = readState(withFacts(JSON.stringify(facts)));
  expect({ stage, step, minLambda, codes }).toEqual({ ...facts, codes: [undefined, 'converged'] });
});

it.each([
  'not JSON',
  'null',
  '[]',
  JSON.stringify({ ...facts, codes: 'none' }),
  JSON.stringify({ ...facts, codes: [3] }),
  JSON.stringify({ ...facts, minLambda: [null] }),
  JSON.stringify({ ...facts, stage: -1 }),
  JSON.stringify({ ...facts, step: 0.5 }),
])('%s is no state', (text) => {
  expect(() => readState(withFacts(text))).toThrow(
    new RgiError('input', 'The saved state is damaged: its facts cannot be read.'),
  );
});
