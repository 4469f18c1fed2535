import { expect, test } from 'vitest';
import { closingLine } from '../../scripts/closing-line.ts';

type State = 'passed' | 'failed' | 'skipped';

function lines(files: { state: State; tests: [name: string, state: State][] }[], errors = 0): string[] {
  const printed: string[] = [];
  const modules = files.map((file) => ({
    state: () => file.state,
    children: { allTests: () => file.tests.map(([fullName, state]) => ({ fullName, result: () => ({ state }) })) },
  }));
  const reporter = closingLine((line) => printed.push(line));
  reporter.onTestRunEnd!(modules as never, Array(errors).fill({ message: 'x' }), 'passed');
  return printed;
}

test('counts, and names what was skipped', () => {
  const tests: [string, State][] = [
    ['a', 'passed'],
    ['b', 'failed'],
    ['webgpu > not here: no adapter', 'skipped'],
  ];
  expect(lines([{ state: 'failed', tests }])).toEqual([
    'skipped: webgpu > not here: no adapter',
    '1 passed, 1 failed, 1 skipped',
  ]);
});

test('a file that could not be loaded and an unhandled error are failures', () => {
  expect(lines([{ state: 'failed', tests: [] }], 1)).toEqual(['0 passed, 2 failed']);
});
