/**
 * The paper's recipe, run by our engine on `ffhq64_vae`: on the manifold and on real pictures, at several values of lambda, with
 * our default for comparison.
 *
 *   npm run bench -- recipe [--count 16] [--source on-manifold|gan_faces] [--seed 2026]
 */
import { rgi } from '../src/inversion/methods/rgi.ts';
import { yeh } from '../src/inversion/methods/yeh.ts';
import { nodeRuntime } from '../src/runtime/node/onnxruntime.ts';
import { argument, CASES, mean, median, onManifold, score, sharedGenerator, sharedPictures, trial } from './trials.ts';

export async function recipe(args: readonly string[]): Promise<void> {
  const count = Number(argument(args, 'count', '16'));
  const seed = Number(argument(args, 'seed', '2026'));
  const runtime = nodeRuntime({ threads: Number(argument(args, 'threads', '2')) });
  const generator = await sharedGenerator('ffhq64_vae', runtime);
  const { channels } = generator;
  for (const source of argument(args, 'source', 'on-manifold,gan_faces').split(',')) {
    const real = source !== 'on-manifold';
    const steps = Number(argument(args, 'steps', real ? '800' : '1000'));
    const clean = real
      ? await sharedPictures(`${source}/test`, generator, count)
      : await onManifold(generator, count, seed, runtime);
    const lambdas = [0.03, 0.07, 0.1, 0.3, 1];
    const methods = {
      'yeh w/o (L1)': yeh({ recipe: 'rgi', preset: 'paper', masked: false, steps }),
      'yeh w/ (L1)': yeh({ recipe: 'rgi', preset: 'paper', masked: true, steps }),
      ...Object.fromEntries(
        lambdas.map((lambda) => [`rgi (L2) ${lambda}`, rgi({ preset: 'paper', channels, steps, lambda })]),
      ),
      default: rgi({ preset: 'fast', channels }),
      'default oracle': rgi({ preset: 'fast', channels, masked: true }),
    };
    for (const kind of Object.keys(CASES)) {
      const setting = trial(clean, kind, seed + 1);
      for (const [method, built] of Object.entries(methods)) {
        const s = await score(generator, built, runtime, setting);
        console.log(
          JSON.stringify({
            source,
            case: kind,
            method,
            n: count,
            steps: s.steps,
            psnr_median: Number(median(s.psnr).toFixed(2)),
            psnr_mean: Number(mean(s.psnr).toFixed(2)),
            ssim_median: Number(median(s.ssim).toFixed(3)),
            iou_median: Number(median(s.iou).toFixed(3)),
            seconds_per_image: Number(s.secondsPerImage.toFixed(2)),
          }),
        );
      }
    }
  }
}
