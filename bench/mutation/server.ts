/**
 * Runs test files of an instrumented copy, for one change after another, in one process: the files are transformed once. Started by
 * `runner.ts`, which ends it where a change makes an endless loop.
 */
import { createVitest, type Reporter } from 'vitest/node';
import { ACTIVE, READS } from './instrumented.ts';

/** What is asked: the tests of `files` while change `number` is active; 0 is none. */
export interface Asked {
  readonly number: number;
  readonly files: readonly string[];
  /** Where the numbers that are read are written, for `RECORDING`. */
  readonly reads?: string;
}

/** What comes back. */
export interface Answered {
  /** The first test that fails with its message; '' where all pass. */
  readonly failure: string;
  /** Seconds of processor time: those of the clock depend on what else the machine does. */
  readonly seconds: number;
}

let failure = '';

// What a run returns is of all runs: the files of earlier changes keep their failures there.
const firstFailure: Reporter = {
  onTestCaseResult(test) {
    const [error] = test.result().errors ?? [];
    if (test.result().state === 'failed') failure ||= `${test.fullName}: ${error?.message}`;
  },
  onTestModuleEnd(module) {
    const [error] = module.errors();
    if (error) failure ||= `${module.moduleId}: ${error.message}`;
  },
  onTestSuiteResult(suite) {
    const [error] = suite.errors();
    if (error) failure ||= `${suite.fullName}: ${error.message}`;
  },
};

const [root] = process.argv.slice(2);
const vitest = await createVitest('test', {
  root,
  watch: false,
  bail: 1,
  reporters: [firstFailure],
  pool: 'threads',
  isolate: false,
  maxWorkers: 1,
});
await vitest.standalone();

process.on('message', ({ number, files, reads = '' }: Asked) => {
  process.env[ACTIVE] = String(number);
  process.env[READS] = reads;
  failure = '';
  const before = process.cpuUsage();
  void vitest.runTestFiles([...files]).then(({ unhandledErrors }) => {
    if (unhandledErrors.length > 0) failure ||= String(unhandledErrors[0]);
    const { user, system } = process.cpuUsage(before);
    process.send!({ failure, seconds: (user + system) / 1e6 } satisfies Answered);
  });
});
process.on('disconnect', () => process.exit());
process.send!('ready');
