import { defineConfig } from 'vitest/config';
import { closingLine } from './scripts/closing-line.ts';

/** Folders whose tests leave nothing behind in the process: they share what was imported, which is half of their time. */
const sharing = [
  ...['arrays', 'autodiff', 'datasets', 'evaluate', 'features', 'images', 'inspect', 'inversion', 'metrics', 'onnx'],
  ...['optim', 'passes', 'restore', 'theory'],
].map((folder) => `test/${folder}/*.test.ts`);

const common = {
  setupFiles: ['test/support/setup.ts'],
  testTimeout: 120_000,
  hookTimeout: 120_000,
};

export default defineConfig({
  test: {
    reporters: ['default', closingLine()],
    // ONNX Runtime threads its own work: two test files at a time already fill two cores.
    maxWorkers: 2,
    projects: [
      { test: { ...common, name: 'sharing', include: sharing, isolate: false } },
      { test: { ...common, name: 'alone', include: ['test/**/*.test.ts'], exclude: sharing } },
    ],
  },
});
