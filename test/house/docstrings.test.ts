/** The public interface is documented, and the examples in its docstrings do what they say, on the built package. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readPublicInterface } from '../../scripts/docstrings.ts';

const root = path.resolve(import.meta.dirname, '../..');
const compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const { undocumented, examples } = readPublicInterface(root);

test('every export, and every member of an exported type, has a docstring', () => {
  expect(undocumented.map(({ name, place }) => `${name} (${place})`)).toEqual([]);
});

describe('examples', () => {
  let project: string;
  const file = (name: string, extension: string) => path.join(project, `${name}.${extension}`);

  beforeAll(() => {
    // Inside the repository, so that the packages it imports are found.
    project = mkdtempSync(path.join(root, 'node_modules', '.rgi-examples-'));
    // A package of its own: else 'rgi' would be the repository, with what was built there last.
    writeFileSync(file('package', 'json'), JSON.stringify({ private: true, type: 'module' }));
    const installed = path.join(project, 'node_modules', 'rgi');
    mkdirSync(installed, { recursive: true });
    symlinkSync(path.join(root, 'package.json'), path.join(installed, 'package.json'));
    symlinkSync(path.join(root, 'models'), path.join(installed, 'models'));
    compile('-p', path.join(root, 'tsconfig.build.json'), '--outDir', path.join(installed, 'dist'));
    for (const { name, code } of examples) writeFileSync(file(name, 'mts'), code);
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2022',
      lib: ['es2023', 'dom'],
      types: ['node'],
      typeRoots: [path.join(root, 'node_modules', '@types')],
      strict: true,
    };
    writeFileSync(
      path.join(project, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: examples.map(({ name }) => `${name}.mts`) }),
    );
  });

  afterAll(() => rmSync(project, { recursive: true, force: true }));

  test('are there for the main exports, and pass the type checker', () => {
    expect(examples.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['psnr', 'restoreImages', 'openInspector']),
    );
    compile('-p', project);
  });

  test('print what they say', async () => {
    // One process for all: most of an example's time is the start of one.
    const runner = `for (const name of ${JSON.stringify(examples.map(({ name }) => name))}) {
      console.log('== ' + name);
      await import('./' + name + '.mjs').catch((error) => console.log(error));
    }`;
    writeFileSync(file('all', 'mjs'), runner);
    const { stdout } = await promisify(execFile)(process.execPath, [file('all', 'mjs')], { cwd: project });
    const comments = (code: string) => [...code.matchAll(/console\.log\(.*\); \/\/ (.*)/g)].map((match) => match[1]);
    for (const { name, code } of examples) expect(comments(code).length, name).toBeGreaterThan(0);
    expect(stdout.trimEnd().split('\n')).toEqual(
      examples.flatMap(({ name, code }) => [`== ${name}`, ...comments(code)]),
    );
  });
});

function compile(...words: string[]): void {
  const { status, stdout } = spawnSync(process.execPath, [compiler, ...words], { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(stdout);
}
