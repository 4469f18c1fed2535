import { describe, expect, test } from 'vitest';
import { checkLayers, checkOutside, OUTSIDE } from '../../scripts/layers.ts';
import { readSources } from '../../scripts/sources.ts';

const check = (files: Record<string, string>) =>
  checkLayers(new Map(Object.entries(files))).map(({ file, line, rule }) => `${file}:${line}: ${rule}`);

test('this repository keeps the rules', () => {
  const files = readSources();
  expect(files.size).toBeGreaterThan(10);
  expect(checkLayers(files)).toEqual([]);
  expect(checkOutside(readSources(OUTSIDE))).toEqual([]);
});

describe('in made-up trees', () => {
  test('what stands beside src builds on the program alone, not on the insides of cli', () => {
    const up = '../../';
    const files = new Map([
      ['demo/models.ts', "import { x } from '../src/cli/detect/flags.ts';"],
      ['demo/run.ts', "import { say } from '../src/cli/io.ts';"],
      ['bench/study.ts', "import { run } from '../src/cli/program.ts';"],
      ['test/cli/arguments.test.ts', `import { list } from '${up}src/cli/arguments.ts';`],
    ]);
    expect(checkOutside(files)).toEqual([
      {
        file: 'demo/models.ts',
        line: 1,
        rule: "imports 'src/cli/detect/flags.ts': nothing but cli builds on cli; models are opened by src/models",
      },
    ]);
  });

  test('downward imports pass, within a layer too', () => {
    const files = {
      'src/errors.ts': '',
      'src/onnx/tensor.ts': "import { RgiError } from '../errors.ts';",
      'src/onnx/graph.ts': "import type { Tensor } from './tensor.ts';",
      'src/inversion/methods/rgi.ts': "export { x } from '../../onnx/graph.ts';",
      'src/runtime/node/onnxruntime.ts': "import * as ort from 'onnxruntime-node';\nimport 'node:fs';",
      'src/cli/main.ts': "import { Command } from 'commander';\nimport x from '../inversion/methods/rgi.ts';",
    };
    expect(check(files)).toEqual([]);
  });

  test('an upward import is named with its line, also as a type, over several lines, or dynamic', () => {
    const files = {
      'src/passes/fold.ts': '',
      'src/autodiff/a.ts': "// the walker\nimport {\n  fold,\n} from '../passes/fold.ts';",
      'src/autodiff/b.ts': "import type { Fold } from '../passes/fold.ts';",
      'src/autodiff/c.ts': "const fold = await import('../passes/fold.ts');",
    };
    const rule = "'autodiff' imports 'passes', which stands above it: imports go downward only";
    expect(check(files)).toEqual([
      `src/autodiff/a.ts:4: ${rule}`,
      `src/autodiff/b.ts:1: ${rule}`,
      `src/autodiff/c.ts:1: ${rule}`,
    ]);
  });

  test('an import in a comment or a string is none', () => {
    const text = "// import x from 'node:fs'\n/* from 'sharp'\n*/\nconst url = 'http://a'; // from 'node:os'";
    expect(check({ 'src/onnx/a.ts': text })).toEqual([]);
  });

  test('a cycle is named whole', () => {
    const files = {
      'src/onnx/a.ts': "import './b.ts';",
      'src/onnx/b.ts': "\nimport './c.ts';",
      'src/onnx/c.ts': "import './a.ts';",
    };
    expect(check(files)).toEqual([
      'src/onnx/c.ts:1: closes a cycle of imports: src/onnx/a.ts -> src/onnx/b.ts -> src/onnx/c.ts -> src/onnx/a.ts',
    ]);
  });

  test('the core imports nothing of Node, directly or through the Node side', () => {
    const files = {
      'src/images/node/files.ts': "import { readFile } from 'node:fs/promises';\nimport sharp from 'sharp';",
      'src/images/image.ts': "import path from 'node:path';",
      'src/inversion/solve/solver.ts': "import { read } from '../../images/node/files.ts';",
    };
    expect(check(files)).toEqual([
      "src/images/image.ts:1: imports 'node:path': the core must run in a browser",
      "src/inversion/solve/solver.ts:1: imports 'src/images/node/files.ts', which needs Node: the core must run in a browser",
    ]);
  });

  test('ONNX Runtime, the image library and the command-line libraries have one door each', () => {
    const files = {
      'src/passes/a.ts': "import * as ort from 'onnxruntime-web';",
      'src/runtime/web/a.ts': "import * as ort from 'onnxruntime-web';",
      'src/cli/a.ts': "import sharp from 'sharp';",
      'src/metrics/a.ts': "import { Command } from 'commander';",
    };
    expect(check(files)).toEqual([
      "src/cli/a.ts:1: imports 'sharp': only src/images/node may import sharp",
      "src/metrics/a.ts:1: imports 'commander': only src/cli may import what draws a command line",
      "src/passes/a.ts:1: imports 'onnxruntime-web': only src/runtime may import ONNX Runtime",
    ]);
  });

  test('a folder that nobody has placed, and a file that is not there', () => {
    const files = {
      'src/errors.ts': '',
      'src/gizmo/a.ts': "import '../errors.ts';",
      'src/onnx/a.ts': "import '../nowhere.ts';",
    };
    expect(check(files)).toEqual([
      "src/gizmo/a.ts:1: src/gizmo/a.ts is in no layer: add 'gizmo' to LAYERS in scripts/layers.ts",
      "src/onnx/a.ts:1: imports '../nowhere.ts', which is not in src",
    ]);
  });
});
