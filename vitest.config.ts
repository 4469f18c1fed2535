import { defineConfig } from 'vitest/config';
import { closingLine } from './scripts/closing-line.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', closingLine()],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // ONNX Runtime threads its own work: two test files at a time already fill two cores.
    maxWorkers: 2,
  },
});
