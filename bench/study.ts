/**
 * The restoration study at full size: every method on every set and case, through `rgi evaluate inpaint`, so that it is
 * resumable and deterministic. 100 pictures a case for our methods that do not tune weights, 24 for all others. Takes hours.
 *
 *   npm run bench -- study --out study [--sets FILE=FOLDER,FILE=FOLDER] [--count 100] [--count-slow 24]
 *     [--kinds latents,searches,weights,dgp] [--cases standard,realistic] [--seed 1] [--threads 2]
 *
 * Another call continues where the last one stopped. Rows of different states of the code are not distinguished: use another
 * folder for another state.
 * `rgi report study/SET/METHODS` shows a part of it.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { run } from '../src/cli/program.ts';
import { argument, SHARED } from './trials.ts';

/** A grid of the paper's lambdas: the best of them is what a user who knew the truth would choose. */
export const LAMBDAS = [0.03, 0.07, 0.1, 0.3, 1];

/** Methods that take about as long, so that a part can be measured on fewer pictures. */
const METHODS: Readonly<Record<string, readonly string[]>> = {
  latents: ['rgi', 'rgi+mask'],
  searches: [...LAMBDAS.map((lambda) => `rgi:paper:lambda=${lambda}`), 'yeh:rgi+mask'],
  weights: ['rrgi', 'rrgi+mask'],
  dgp: ['dgp+mask'],
};

export async function study(args: readonly string[]): Promise<void> {
  const faces = `${path.join(SHARED, 'models/ffhq64_vae.onnx')}=${path.join(SHARED, 'data/gan_faces/test')}`;
  const out = argument(args, 'out', 'inpaint-study');
  const [count, slow] = [argument(args, 'count', '100'), argument(args, 'count-slow', '24')];
  const kinds = argument(args, 'kinds', Object.keys(METHODS).join()).split(',');
  const unknown = kinds.find((kind) => !(kind in METHODS));
  if (unknown !== undefined) throw new Error(`No kind '${unknown}': ${Object.keys(METHODS).join(', ')}.`);
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  for (const set of argument(args, 'sets', faces).split(',')) {
    const [generator, folder] = set.split('=');
    const name = `${path.basename(generator, '.onnx')}-${path.basename(path.dirname(folder))}`;
    for (const kind of kinds) {
      const to = path.join(out, name, kind);
      const line = ['evaluate', 'inpaint', folder, '--generator', generator, '--out', to];
      line.push('--methods', METHODS[kind].join(','), '--count', kind === 'latents' ? count : slow);
      line.push('--cases', argument(args, 'cases', 'standard,realistic'), '--seed', argument(args, 'seed', '1'));
      line.push('--threads', argument(args, 'threads', '2'), ...(existsSync(to) ? ['--resume'] : []));
      const code = await run(line, {
        out: (text) => process.stdout.write(text),
        err: (text) => process.stderr.write(text),
        terminal: false,
        colour: false,
        signal: stop.signal,
        worker: true,
      });
      if (code !== 0) {
        process.exitCode = code;
        return;
      }
    }
  }
}
