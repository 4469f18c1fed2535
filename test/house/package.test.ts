/** The package as it is built: compiled JavaScript on plain node, where neither tsx nor vitest helps. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript-5.9';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
let packed: string;
let built: string;

beforeAll(() => {
  // Inside the repository, so that the packages it imports are found.
  packed = mkdtempSync(path.join(root, 'node_modules', '.rgi-built-'));
  built = path.join(packed, 'dist');
  copyFileSync(path.join(root, 'package.json'), path.join(packed, 'package.json'));
  const bin = path.join(path.dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
  spawnSync(process.execPath, [bin, '-p', 'tsconfig.build.json', '--outDir', built], { cwd: root });
});

afterAll(() => rmSync(packed, { recursive: true, force: true }));

const run = (program: string) =>
  execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8', cwd: root });

const moduleUrl = (name: string) => pathToFileURL(path.join(built, name)).href;

test('every entry of the exports map is built, with its types', () => {
  const entries = Object.values(manifest.exports as Record<string, string | Record<string, string>>);
  const files = entries.flatMap((entry) => (typeof entry === 'string' ? [] : Object.values(entry)));
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) expect(existsSync(path.join(built, file.replace('./dist/', ''))), file).toBe(true);
});

test('the worker and the device probe start from compiled files', () => {
  const program = `
    import { createRuntime, encodeModel, float32, GraphBuilder, probeDevice } from '${moduleUrl('node.js')}';
    const b = new GraphBuilder();
    b.node('Add', ['x', 'x'], {}, ['y']);
    const value = { type: 'float32', dims: [2] };
    const model = encodeModel(b.graph('g', [{ name: 'x', ...value }], [{ name: 'y', ...value }]));
    const runtime = await createRuntime({ worker: true });
    const session = await runtime.session(model);
    const { y } = Object.fromEntries(await session.run(new Map([['x', float32([1, 2])]])));
    await runtime.dispose();
    console.log(JSON.stringify({ y: [...y.data], cpu: (await probeDevice('cpu')).available }));`;
  expect(JSON.parse(run(program))).toEqual({ y: [2, 4], cpu: true });
});

test('the package ships what it needs and nothing else', () => {
  expect(manifest.files).toEqual([
    'dist',
    'models',
    'docs',
    'README.md',
    'ARCHITECTURE.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    'LICENSE',
  ]);
  for (const file of manifest.files.slice(1)) expect(existsSync(path.join(root, file)), file).toBe(true);
});

test('a shipped model is reachable by its name', () => {
  const program = "console.log(import.meta.resolve('rgi/models/cartoon-faces/generator.onnx'))";
  expect(run(program).trim()).toBe(pathToFileURL(path.join(root, 'models/cartoon-faces/generator.onnx')).href);
});

test('modules only declare, as `sideEffects: false` says; what is started as a program does more', () => {
  expect(manifest.sideEffects).toBe(false);
  const started = [
    'cli/main.ts',
    'models/node/trial-entry.ts',
    'runtime/node/probe-entry.ts',
    'runtime/node/worker-entry.ts',
    'service/node/child-entry.ts',
    'studio/page/pictures/codec-worker.ts',
    'studio/page/service-worker.ts',
    'studio/worker/entry.ts',
  ];
  expect(modulesWithEffects(path.join(root, 'src'))).toEqual(started);
});

/** Files of a folder that, when imported, run a statement, or import another only for what it does. */
function modulesWithEffects(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => /(?<!\.d)\.ts$/.test(file));
  return files
    .filter((file) => {
      const text = readFileSync(path.join(folder, file), 'utf8');
      const { statements } = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022);
      return statements.some(
        (statement) =>
          !ts.isExportDeclaration(statement) &&
          !ts.isFunctionDeclaration(statement) &&
          !ts.isClassDeclaration(statement) &&
          !ts.isInterfaceDeclaration(statement) &&
          !ts.isTypeAliasDeclaration(statement) &&
          !ts.isVariableStatement(statement) &&
          !(ts.isImportDeclaration(statement) && statement.importClause),
      );
    })
    .map((file) => file.split(path.sep).join('/'))
    .sort();
}
