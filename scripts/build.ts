/** `npm run build`: compiles src to an empty dist, and makes the program executable (npx runs it where it lies). */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const program = path.join(root, 'dist', 'cli', 'main.js');

const typescript = path.dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
rmSync(path.join(root, 'dist'), { recursive: true, force: true });
const compiled = spawnSync(process.execPath, [path.join(typescript, 'bin', 'tsc'), '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
if (existsSync(program)) chmodSync(program, 0o755);
process.exitCode = compiled.status ?? 1;
