/**
 * Recovery on the manifold, where the truth is known: G(z*) of fresh latents is corrupted and restored by the `paper` recipe,
 * by our default, and by the default with the true mask given (its oracle).
 *
 *   npm run bench -- recovery [--models ffhq64_vae,anime64_dcgan] [--count 64] [--steps 2000] [--seed 2026] [--threads 2] [--methods default,oracle]
 */
import { rgi } from '../src/inversion/methods/rgi.ts';
import { nodeRuntime } from '../src/runtime/node/onnxruntime.ts';
import { argument, CASES, mean, median, onManifold, score, sharedGenerator, trial } from './trials.ts';

export async function recovery(args: readonly string[]): Promise<void> {
  const count = Number(argument(args, 'count', '64'));
  const steps = Number(argument(args, 'steps', '2000'));
  const seed = Number(argument(args, 'seed', '2026'));
  const wanted = argument(args, 'methods', '');
  const runtime = nodeRuntime({ threads: Number(argument(args, 'threads', '2')) });
  for (const name of argument(args, 'models', 'ffhq64_vae').split(',')) {
    const generator = await sharedGenerator(name, runtime);
    const { channels } = generator;
    const methods = {
      default: rgi({ preset: 'fast', channels }),
      oracle: rgi({ preset: 'fast', channels, masked: true }),
      paper: rgi({ preset: 'paper', channels, steps }),
      'paper lambda 0.03': rgi({ preset: 'paper', channels, steps, lambda: 0.03 }),
    };
    const clean = await onManifold(generator, count, seed, runtime);
    for (const kind of Object.keys(CASES)) {
      const setting = trial(clean, kind, seed + 1);
      for (const [method, recipe] of Object.entries(methods)) {
        if (wanted !== '' && !wanted.split(',').includes(method)) continue;
        const scores = await score(generator, recipe, runtime, setting);
        const record = {
          model: name,
          case: kind,
          method,
          n: count,
          psnr_median: round(median(scores.psnr), 2),
          psnr_mean: round(mean(scores.psnr), 2),
          above30: round(mean(scores.psnr.map((p) => (p > 30 ? 1 : 0))), 3),
          above35: round(mean(scores.psnr.map((p) => (p > 35 ? 1 : 0))), 3),
          ssim_median: round(median(scores.ssim), 3),
          iou_median: round(median(scores.iou), 3),
          steps: scores.steps,
          seconds_per_image: round(scores.secondsPerImage, 2),
        };
        console.log(JSON.stringify(record));
      }
    }
  }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
