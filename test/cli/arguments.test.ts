import { expect, test } from 'vitest';
import { bytes, list, nearest, numberIn, oneOf } from '../../src/cli/arguments.ts';
import { featureFile } from '../../src/cli/detect/feature-flags.ts';
import { duration, progressLine } from '../../src/cli/progress.ts';
import { thinned } from '../../src/evaluate/record.ts';
import { jsonText } from '../../src/jobs/document.ts';
import { SHIPPED_FEATURES } from '../../src/models/node/feature-network.ts';

test('a near miss is suggested, a far one is not', () => {
  expect(nearest('papr', ['fast', 'paper', 'paper-l1'])).toBe('paper');
  expect(nearest('anoGAN', ['rgi', 'anogan'])).toBe('anogan');
  expect(nearest('quick', ['fast', 'paper'])).toBeUndefined();
  expect(() => oneOf(['l1', 'l2'])('l3')).toThrow("Did you mean 'l1'? It is one of l1, l2.");
});

test('numbers are in their range or refused', () => {
  expect(numberIn({ integer: true, from: 1 })('12')).toBe(12);
  for (const text of ['', ' ', '1.5', '0', '-1', 'NaN', 'Infinity', '1e400', '12px']) {
    expect(() => numberIn({ integer: true, from: 1 })(text)).toThrow('It is a whole number from 1 on.');
  }
  expect(() => numberIn({ above: 0, to: 1 })('2')).toThrow('It is a number above 0 to 1.');
});

test('sizes of memory are in GB or MB', () => {
  expect(['4GB', '1.5 gb', '800MB'].map((text) => bytes(text))).toEqual([4e9, 1.5e9, 8e8]);
  for (const text of ['', '4', 'GB', '0GB', '4TB', '-1GB']) {
    expect(() => bytes(text)).toThrow('It is a size such as 4GB or 800MB.');
  }
});

test("a feature network is a file, and 'bundled' that of this package", () => {
  expect(featureFile('bundled')).toBe(SHIPPED_FEATURES);
  expect(featureFile('net.onnx')).toBe('net.onnx');
});

test('lists grow by commas and by repetition', () => {
  expect(list('b, c', list('a'))).toEqual(['a', 'b', 'c']);
});

test('progress: percentage and time left, drawn only on a terminal, at most ten times a second', () => {
  let drawn = '';
  let time = 0;
  const io = {
    out: () => {},
    err: (t: string) => (drawn += t),
    terminal: true,
    colour: false,
    signal: new AbortController().signal,
    worker: false,
  };
  const line = progressLine(io, false, () => time);
  time = 10_000;
  line.show(25, 100, 'a');
  line.show(26, 100, 'not drawn');
  time = 10_100;
  line.show(50, 100, 'b');
  line.clear();
  expect(drawn.replaceAll('\r\u001b[K', '|')).toBe('| 25%  30 s left  a| 50%  10 s left  b|');
  drawn = '';
  progressLine(io, true).show(1, 2, 'a');
  expect(drawn).toBe('');
});

test('progress in a file: a line of its own every half a minute', () => {
  let written = '';
  let time = 0;
  const io = {
    out: () => {},
    err: (t: string) => (written += t),
    terminal: false,
    colour: false,
    signal: new AbortController().signal,
    worker: false,
  };
  const line = progressLine(io, false, () => time);
  for (time = 0; time <= 90_000; time += 1000) {
    line.show(time, 120_000, `step ${time / 1000}`);
    line.clear();
  }
  expect(written).toBe('25%  1:30 left  step 30\n50%  1:00 left  step 60\n75%  30 s left  step 90\n');
});

test('durations', () => {
  expect([4.4, 61, 3661, 59.9].map(duration)).toEqual(['4 s', '1:01', '1:01:01', '1:00']);
});

test('JSON keeps lists of numbers on one line and every value as it is', () => {
  const value = { a: [1, -2.5e-7, null], b: ['[\n 1,\n 2\n]', '[ 1,  2 ]'], c: [[1], []], d: { e: [true] } };
  expect(JSON.parse(jsonText(value))).toEqual(value);
  expect(jsonText({ a: [1, 2] })).toBe('{\n  "a": [1, 2]\n}\n');
});

test('a short history is kept whole', () => {
  expect(thinned({ loss: [3, 2, 1], masked: [0, 0, 0.5] })).toEqual({
    step: [0, 1, 2],
    loss: [3, 2, 1],
    masked: [0, 0, 0.5],
  });
  expect(thinned({ loss: [], masked: [] })).toEqual({ step: [], loss: [], masked: [] });
});
