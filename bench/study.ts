/**
 * The study of restoration, at full size, unattended: every method on every set and case, 100 pictures a case, 24 for methods
 * that tune weights, through `rgi evaluate inpaint`, so that it is resumable and deterministic. Hours.
 *
 *   npm run bench -- study --out study [--sets FILE=FOLDER,FILE=FOLDER] [--count 100] [--count-weights 24]
 *     [--cases standard,realistic] [--seed 1] [--threads 2]
 *
 * Another call goes on where the last one stopped. `rgi report study/SET/METHODS` shows a part of it.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { run } from '../src/cli/program.ts';
import { argument, SHARED } from './trials.ts';

/** A grid of the paper's lambdas: the best of them is what a user who knew the truth would choose. */
const LAMBDAS = [0.03, 0.07, 0.1, 0.3, 1];

const METHODS = {
  latents: [
    'rgi',
    'rgi+mask',
    'rgi:best',
    'rgi:best+mask',
    ...LAMBDAS.map((lambda) => `rgi:paper:lambda=${lambda}`),
    'yeh+mask',
    'invert',
  ],
  weights: ['rgi', 'rgi+mask', 'rrgi:best', 'rrgi:best+mask', 'dgp+mask', 'dgp:rgi+mask'],
};

export async function study(args: readonly string[]): Promise<void> {
  const faces = `${path.join(SHARED, 'models/ffhq64_vae.onnx')}=${path.join(SHARED, 'data/gan_faces/test')}`;
  const out = argument(args, 'out', 'inpaint-study');
  const counts = { latents: argument(args, 'count', '100'), weights: argument(args, 'count-weights', '24') };
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  for (const set of argument(args, 'sets', faces).split(',')) {
    const [generator, folder] = set.split('=');
    const name = `${path.basename(generator, '.onnx')}-${path.basename(path.dirname(folder))}`;
    for (const kind of ['latents', 'weights'] as const) {
      const to = path.join(out, name, kind);
      const line = ['evaluate', 'inpaint', folder, '--generator', generator, '--out', to];
      line.push('--methods', METHODS[kind].join(','), '--count', counts[kind]);
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
