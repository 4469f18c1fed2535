/** What `conformance.ts` uses of vitest, for a page: tests are kept, and run one after the other by `runAll`. */
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
} from '@vitest/expect';
import * as chai from 'chai';

type Act = () => unknown;

const tests: { readonly name: string; readonly act: Act }[] = [];
const before: Act[] = [];
const after: Act[] = [];

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);
export const expect = chai.expect;
Object.assign(expect, (globalThis as Record<symbol, object>)[ASYMMETRIC_MATCHERS_OBJECT]);
setState({ assertionCalls: 0 }, expect as never);

export const beforeAll = (act: Act) => before.push(act);
export const afterAll = (act: Act) => after.push(act);
export const test = Object.assign((name: string, act: Act) => tests.push({ name, act }), {
  each: (rows: readonly (readonly unknown[])[]) => (name: string, act: (...row: unknown[]) => unknown) => {
    for (const row of rows) tests.push({ name: name.replace('%s', String(row[0])), act: () => act(...row) });
  },
});

/** Each test with the message that it failed with. */
export async function runAll(): Promise<{ readonly name: string; readonly failure?: string }[]> {
  for (const act of before) await act();
  const results: { name: string; failure?: string }[] = [];
  for (const { name, act } of tests) {
    try {
      await act();
      results.push({ name });
    } catch (error) {
      results.push({ name, failure: error instanceof Error ? error.message : String(error) });
    }
  }
  for (const act of after) await act();
  return results;
}
