/**
 * A vitest reporter for the end of a run: which tests were skipped and why (their names say it), and one plain closing
 * line that any machine can read.
 */
import type { Reporter, TestModule } from 'vitest/node';

const SHOWN = 30;

export function closingLine(print: (line: string) => void = console.log): Reporter {
  return {
    onTestRunEnd(modules, unhandledErrors) {
      const { passed, failed, skipped } = countTests(modules);
      for (const name of skipped.slice(0, SHOWN)) print(`skipped: ${name}`);
      if (skipped.length > SHOWN) print(`skipped: ... and ${skipped.length - SHOWN} more`);
      const failures = failed + unhandledErrors.length;
      print(`${passed} passed, ${failures} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`);
    },
  };
}

/** A file that could not be loaded counts as one failure. */
function countTests(modules: readonly TestModule[]) {
  let passed = 0;
  let failed = 0;
  const skipped: string[] = [];
  for (const module of modules) {
    let failedHere = 0;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed') passed++;
      else if (state === 'skipped') skipped.push(test.fullName);
      else failedHere++;
    }
    if (failedHere === 0 && module.state() === 'failed') failedHere = 1;
    failed += failedHere;
  }
  return { passed, failed, skipped };
}
