/**
 * The ground rules of layering, checked on source text: imports go downward only, no cycles, a core that a browser can
 * run, ONNX Runtime and the image library each behind one door. `check-layers.ts` runs it on this repository.
 */

/** Ground floor first; each may import what stands before it. A layer is a folder of src, a room of one, or a file directly in it. */
export const LAYERS: readonly string[] = [
  'errors',
  'random',
  'files',
  'onnx',
  'arrays',
  'autodiff',
  'passes',
  'runtime',
  'inspect',
  'optim',
  'images',
  'jobs',
  'metrics',
  'inversion/spec',
  'inversion/generator',
  'inversion/mask',
  'inversion/compile',
  'inversion/start',
  'inversion/methods',
  'inversion/solve',
  'pages',
  'datasets',
  'features',
  'gan',
  'detect',
  'models',
  'evaluate',
  'restore',
  'report',
  'theory',
  'service',
  'batch',
  'studio',
  'index',
  'web',
  'node',
  'cli',
];

/** Where node: modules may be imported; all else is the core, which runs in a browser. */
const NODE_SIDE = [/^src\/[^/]+\/node\//, /^src\/cli\//, /^src\/node\.ts$/];

/** Packages that only some folders may import. */
const DOORS: readonly { readonly packages: RegExp; readonly only: RegExp; readonly rule: string }[] = [
  // The address of one of its files ('?url') is no import of it.
  { packages: /^onnxruntime-(?!.*\?url$)/, only: /^src\/runtime\//, rule: 'only src/runtime may import ONNX Runtime' },
  { packages: /^sharp$/, only: /^src\/images\/node\//, rule: 'only src/images/node may import sharp' },
  {
    packages: /^(hono$|@hono\/|pino$|prom-client$)/,
    only: /^src\/(service|studio\/node)\//,
    rule: 'only src/service and src/studio/node may import what serves HTTP',
  },
  {
    packages: /^(preact|uplot|img-comparison-slider)(\/|$)/,
    only: /^src\/studio\/page\//,
    rule: 'only src/studio/page may import what draws the studio',
  },
  { packages: /^(bullmq|ioredis)$/, only: /^src\/batch\//, rule: 'only src/batch may import the queue' },
  { packages: /^@opentelemetry\//, only: /^src\/service\/node\//, rule: 'only src/service may import what traces' },
  { packages: /^aws4fetch$/, only: /^src\/files\/node\//, rule: 'only src/files/node may import what reaches buckets' },
  { packages: /^commander$/, only: /^src\/cli\//, rule: 'only src/cli may import what draws a command line' },
];

/** Folders beside src that use it. */
export const OUTSIDE: readonly string[] = ['bench', 'demo', 'scripts', 'test'];

/** What these may import of `cli`: the program itself, and its terminal. The tests of `cli` may import all of it. */
const PUBLIC_CLI = /^src\/cli\/(program|main|io|failures|progress)\.ts$/;

export interface Violation {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
}

interface Import {
  readonly specifier: string;
  readonly line: number;
}

/** Checks files given by path ("src/onnx/read.ts") and text. */
export function checkLayers(files: ReadonlyMap<string, string>): Violation[] {
  const violations: Violation[] = [];
  const graph = new Map<string, (Import & { target: string })[]>();
  for (const [file, text] of files) {
    const inside: (Import & { target: string })[] = [];
    for (const found of importsOf(text)) {
      const broken = found.specifier.startsWith('.')
        ? checkRelative(file, found, files, inside)
        : checkPackage(file, found);
      for (const rule of broken) violations.push({ file, line: found.line, rule });
    }
    graph.set(file, inside);
  }
  return [...violations, ...cycles(graph)].sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
}

/** Checks files beside src, given by path ("demo/run.ts") and text: nothing but `cli` builds on the insides of `cli`. */
export function checkOutside(files: ReadonlyMap<string, string>): Violation[] {
  return [...files].flatMap(([file, text]) => {
    if (file.startsWith('test/cli/')) return [];
    return importsOf(text)
      .filter(({ specifier }) => specifier.startsWith('.'))
      .map(({ specifier, line }) => ({ target: resolve(file, specifier), line }))
      .filter(({ target }) => target.startsWith('src/cli/') && !PUBLIC_CLI.test(target))
      .map(({ target, line }) => ({
        file,
        line,
        rule: `imports '${target}': nothing but cli builds on cli; models are opened by src/models`,
      }));
  });
}

function checkRelative(
  file: string,
  found: Import,
  files: ReadonlyMap<string, string>,
  inside: (Import & { target: string })[],
): string[] {
  const target = resolve(file, found.specifier);
  if (!files.has(target)) return [`imports '${found.specifier}', which is not in src`];
  inside.push({ ...found, target });
  const from = layerOf(file);
  const to = layerOf(target);
  const broken: string[] = [];
  const height = (layer: string, of: string) => {
    const index = LAYERS.indexOf(layer);
    if (index < 0) broken.push(`${of} is in no layer: add '${layer}' to LAYERS in scripts/layers.ts`);
    return index;
  };
  const [fromHeight, toHeight] = [height(from, file), height(to, target)];
  if (broken.length === 0 && toHeight > fromHeight) {
    broken.push(`'${from}' imports '${to}', which stands above it: imports go downward only`);
  }
  if (!isNodeSide(file) && isNodeSide(target)) {
    broken.push(`imports '${target}', which needs Node: the core must run in a browser`);
  }
  return broken;
}

function checkPackage(file: string, { specifier }: Import): string[] {
  if (specifier.startsWith('node:')) {
    return isNodeSide(file) ? [] : [`imports '${specifier}': the core must run in a browser`];
  }
  return DOORS.filter((door) => door.packages.test(specifier) && !door.only.test(file)).map(
    (door) => `imports '${specifier}': ${door.rule}`,
  );
}

function isNodeSide(file: string): boolean {
  return NODE_SIDE.some((pattern) => pattern.test(file));
}

/** "src/onnx/lift/shape.ts" is in 'onnx', "src/errors.ts" in 'errors', "src/inversion/mask/noise.ts" in 'inversion/mask'. */
export function layerOf(file: string): string {
  const [, folder, inner] = file.split('/');
  const room = `${folder}/${inner}`;
  return LAYERS.includes(room) ? room : folder.replace(/\.ts$/, '');
}

function resolve(file: string, specifier: string): string {
  const parts = file.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/** Which files each file imports, types too. */
export function importGraph(files: ReadonlyMap<string, string>): Map<string, string[]> {
  return new Map(
    [...files].map(([file, text]) => [
      file,
      importsOf(text)
        .filter(({ specifier }) => specifier.startsWith('.'))
        .map(({ specifier }) => resolve(file, specifier)),
    ]),
  );
}

/** Imports and re-exports, types too, static or dynamic. */
function importsOf(text: string): Import[] {
  const code = withoutComments(text);
  const found: Import[] = [];
  const statement = /\b(?:from|import|import\s*\(|require\s*\()\s*(['"])([^'"\n]+)\1/g;
  for (const match of code.matchAll(statement)) {
    const line = code.slice(0, match.index).split('\n').length;
    found.push({ specifier: match[2], line });
  }
  return found;
}

/** Comments blanked, lines kept; strings are stepped over, so that '//' in one is not taken for a comment. */
function withoutComments(text: string): string {
  const token = /(['"])(?:\\.|(?!\1)[^\\\n])*\1|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  return text.replace(token, (part) => (part.startsWith('/') ? part.replace(/[^\n]/g, ' ') : part));
}

/** Each cycle once, at its first import. */
function cycles(graph: ReadonlyMap<string, readonly (Import & { target: string })[]>): Violation[] {
  const violations: Violation[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string) => {
    path.push(file);
    for (const { target, line } of graph.get(file) ?? []) {
      const start = path.indexOf(target);
      if (start >= 0) {
        const around = [...path.slice(start), target].join(' -> ');
        violations.push({ file, line, rule: `closes a cycle of imports: ${around}` });
      } else if (!done.has(target)) visit(target);
    }
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) if (!done.has(file)) visit(file);
  return violations;
}
