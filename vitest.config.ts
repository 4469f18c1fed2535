import { defineConfig } from 'vitest/config';
import { closingLine } from './scripts/closing-line.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/support/setup.ts'],
    reporters: ['default', closingLine()],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // ONNX Runtime threads its own work: two test files at a time already fill two cores.
    maxWorkers: 2,
  },
});
