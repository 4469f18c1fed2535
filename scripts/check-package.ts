/**
 * `npm run package-check`: the package as a user gets it. It is packed, linted (publint, are-the-types-wrong), installed
 * in an empty project by the command that README gives, compiled against with several versions of TypeScript, and run.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';

const root = path.resolve(import.meta.dirname, '..');

/** TypeScript packages of `devDependencies`. */
const COMPILERS = ['typescript-5.4', 'typescript-5.9', 'typescript'];

const RESOLUTIONS = [
  { module: 'node16', moduleResolution: 'node16' },
  { module: 'nodenext', moduleResolution: 'nodenext' },
  { module: 'esnext', moduleResolution: 'bundler' },
];

/** No @types/node: a browser project has none. */
const OPTIONS = { target: 'es2022', lib: ['es2023', 'dom'], strict: true, noEmit: true, types: [] };

/** Larger is a mistake: 20 MB are models and their pictures. */
const MAX_PACKED_BYTES = 25e6;

const CONSUMER = `import * as core from 'rgi';
import * as node from 'rgi/node';
import * as web from 'rgi/web';

const image: core.Image = core.float32(new Float32Array(12), [1, 3, 2, 2]);
export const decibels: number = core.psnr(image, image);
export const method: core.Method = core.rgi({ channels: 3, preset: 'fast' });
export const names: readonly core.MethodName[] = core.METHOD_NAMES;
export async function restore(file: string, runtime: core.Runtime): Promise<core.Restoration[]> {
  const { graph } = await node.openModel(file);
  const generator: core.Generator = await core.openGenerator(graph, runtime);
  const job: core.RestoreJob = { generator, method, images: image, thresholdGrey: 25 };
  const results: core.Restoration[] = [];
  for await (const result of core.restoreImages(job, runtime)) results.push(result);
  return results;
}
export const runtime: Promise<core.Runtime> = node.createRuntime({ worker: true });
export const inPage: Promise<web.WebRuntime> = web.webRuntime({ device: 'auto', threads: 1 });
export const note: Promise<string> = inPage.then((opened) => opened.note);
export const code: core.ErrorCode = new core.RgiError('usage', 'text').code;
`;

const folder = mkdtempSync(path.join(tmpdir(), 'rgi-package-'));
try {
  const packed = pack();
  run('publint', 'node', [binary('publint', 'src/cli.js'), 'run', packed, '--strict'], root);
  // What needs CommonJS or the resolution of before Node 12 is left out knowingly: the package is ES modules.
  const attw = binary('@arethetypeswrong/cli', 'dist/index.js');
  run('are-the-types-wrong', 'node', [attw, packed, '--profile', 'esm-only', '--quiet'], root);
  const project = install(packed);
  checkLinks(path.join(project, 'node_modules', 'rgi'));
  compile(project);
  await bundle(project);
  restore(project);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Where the packed file lies. */
function pack(): string {
  const output = execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const file = path.join(folder, (JSON.parse(output) as { filename: string }[])[0].filename);
  const { size } = statSync(file);
  if (size > MAX_PACKED_BYTES)
    throw new Error(`The packed file has ${size} bytes; at most ${MAX_PACKED_BYTES} are meant.`);
  console.log(`packed: ${(size / 1e6).toFixed(1)} MB`);
  return file;
}

/** An empty project with the package in it, installed by README's command. */
function install(packed: string): string {
  const project = path.join(folder, 'project');
  mkdirSync(project);
  writeFileSync(path.join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  const [command, ...words] = readmeCommand(path.basename(packed)).split(' ');
  const file = path.relative(project, packed);
  run('installed', command, [...words.slice(0, -1), file, '--no-audit', '--no-fund'], project);
  return project;
}

/** The line of README, "Install", that installs the packed file. */
function readmeCommand(packed: string): string {
  const line = readFileSync(path.join(root, 'README.md'), 'utf8')
    .split('\n')
    .find((each) => each.startsWith('npm install') && each.includes(packed));
  if (!line) throw new Error(`README.md has no line 'npm install ... ${packed}'.`);
  return line.split('#')[0].trim();
}

/** Every relative link of a document that comes with the package leads to something that comes with it. */
function checkLinks(installed: string): void {
  const documents = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md'];
  const dead = documents.flatMap((document) => {
    const text = readFileSync(path.join(installed, document), 'utf8');
    const links = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map((match) => match[1]);
    return links.filter((link) => !/^\w+:/.test(link) && !existsSync(path.join(installed, link)));
  });
  if (dead.length > 0) throw new Error(`Dead links in the packed documents: ${dead.join(', ')}.`);
  console.log('links: none is dead');
}

/** A consumer's module against the installed declarations: every compiler, every resolution. */
function compile(project: string): void {
  writeFileSync(path.join(project, 'consumer.ts'), CONSUMER);
  for (const compiler of COMPILERS) {
    const { version } = JSON.parse(readFileSync(path.join(root, 'node_modules', compiler, 'package.json'), 'utf8'));
    for (const resolution of RESOLUTIONS) {
      // skipLibCheck only leaves errors out: it is tried once a compiler.
      for (const skipLibCheck of resolution.module === 'nodenext' ? [false, true] : [false]) {
        const compilerOptions = { ...OPTIONS, ...resolution, skipLibCheck };
        writeFileSync(path.join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }));
        const label = `TypeScript ${version}, ${resolution.moduleResolution}${skipLibCheck ? ', skipLibCheck' : ''}`;
        run(label, 'node', [binary(compiler, 'bin/tsc'), '-p', project], project);
      }
    }
  }
}

/** `rgi/web` for a browser: nothing of Node in it, and of ONNX Runtime only the builds for browsers. */
async function bundle(project: string): Promise<void> {
  const { metafile } = await build({
    stdin: { contents: "export * from 'rgi/web';", resolveDir: project },
    bundle: true,
    format: 'esm',
    platform: 'browser',
    external: ['onnxruntime-web/*'],
    metafile: true,
    write: false,
    logLevel: 'silent',
  });
  const wanted = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path: name }) => name));
  const foreign = wanted.filter((name) => !/^onnxruntime-web\/(wasm|webgpu)$/.test(name));
  if (wanted.length === 0 || foreign.length > 0) throw new Error(`rgi/web imports ${wanted.join(', ') || 'nothing'}.`);
  console.log(`rgi/web in a browser: needs ${[...new Set(wanted)].join(', ')} and nothing else`);
}

/** The program, with a model that comes with the package. */
function restore(project: string): void {
  run('rgi --help', 'npx', ['rgi', '--help'], project);
  const models = path.join('node_modules', 'rgi', 'models', 'fashion-trousers');
  const picture = path.join(models, 'pictures', '00097.png');
  const words = ['rgi', 'restore', picture, '--generator', path.join(models, 'generator.onnx'), '--out', 'restored'];
  run('rgi restore', 'npx', words, project);
  const written = ['manifest.json', '00097.restored.png', '00097.mask.png'];
  const missing = written.filter((file) => !existsSync(path.join(project, 'restored', file)));
  if (missing.length > 0) throw new Error(`rgi restore did not write ${missing.join(', ')}.`);
  writeFileSync(
    path.join(project, 'resolve.js'),
    `import { openModel } from 'rgi/node';
import { fileURLToPath } from 'node:url';
await openModel(fileURLToPath(import.meta.resolve('rgi/models/cartoon-faces/generator.onnx')));
`,
  );
  run('rgi/models/cartoon-faces/generator.onnx', 'node', ['resolve.js'], project);
}

function binary(name: string, file: string): string {
  return path.join(root, 'node_modules', name, file);
}

function run(label: string, command: string, words: readonly string[], cwd: string): void {
  try {
    execFileSync(command, words, { cwd, encoding: 'utf8', stdio: 'pipe', shell: process.platform === 'win32' });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${label}: failed\n${stdout ?? ''}${stderr ?? ''}`, { cause: error });
  }
  console.log(`${label}: ok`);
}
