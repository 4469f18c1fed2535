/** `npm run build`: compiles src to an empty dist, makes the program executable (npx runs it where it lies), and builds the studio. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { SITE_FOLDER } from '../src/studio/node/serve.ts';
import { buildSite } from './studio-site.ts';

const root = path.resolve(import.meta.dirname, '..');
const program = path.join(root, 'dist', 'cli', 'main.js');

const typescript = path.dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
rmSync(path.join(root, 'dist'), { recursive: true, force: true });
const compiled = spawnSync(process.execPath, [path.join(typescript, 'bin', 'tsc'), '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
if (existsSync(program)) chmodSync(program, 0o755);
if (compiled.status === 0) await buildSite({ out: SITE_FOLDER });
process.exitCode = compiled.status ?? 1;
