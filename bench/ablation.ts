/**
 * What each part of our default adds: the default without that part, and each variant with the true mask given (its
 * oracle). On pictures of a folder, or on the generator's own samples. Rows already in --out are not measured again, so use
 * another file for another state of the code.
 *
 *   npm run bench -- ablation --generator faces.onnx [--folder faces/train] [--first 0] [--count 24] [--seed 4242]
 *     [--cases block,random,irregular,stains,clean] [--variants default,default+mask] [--out ablation.jsonl] [--threads 1]
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { parseCases } from '../src/evaluate/cases.ts';
import { scoresOf } from '../src/evaluate/inpaint/score.ts';
import { corrupt } from '../src/images/corruptions.ts';
import { clip, coverage, type Image, imageAt, type Mask } from '../src/images/image.ts';
import { cosineDecay } from '../src/inversion/methods/continuation.ts';
import { PAPER_RATES } from '../src/inversion/methods/presets.ts';
import { FAST, LATENT_PRIOR, type RgiOptions, rgi } from '../src/inversion/methods/rgi.ts';
import { type Restoration, restoreImages } from '../src/inversion/solve/restore.ts';
import { ADAM } from '../src/inversion/spec/formulation.ts';
import type { Method, Stage } from '../src/inversion/spec/method.ts';
import { openGeneratorFile } from '../src/models/node/networks.ts';
import { zeros } from '../src/onnx/tensor.ts';
import { nodeRuntime } from '../src/runtime/node/onnxruntime.ts';
import { argument, folderPictures, mean, median, onManifold } from './trials.ts';

const ABSOLUTE = { loss: { kind: 'l1', weight: 1 } } as const;
const NO_PRIOR = { priors: [] };
const NO_COHERENCE = { coherence: 0 };

/** What is changed of the default: its options, or the method that they make. */
interface Variant {
  readonly options?: Partial<RgiOptions>;
  change?(method: Method): Method;
}

const everyStage =
  (change: (stage: Stage) => Stage) =>
  (method: Method): Method => ({ ...method, stages: method.stages.map(change) });

/** The latent prior has a constant weight, whatever the mask hides. */
const SAME_PRIOR = everyStage((stage) => ({
  ...stage,
  formulation: { ...stage.formulation, priors: [LATENT_PRIOR] },
}));

/** Pixels without data are looked at like all others. */
const NOTHING_MISSING = everyStage((stage) => {
  const { mask } = stage.formulation;
  if (mask.form !== 'exact') return stage;
  return { ...stage, formulation: { ...stage.formulation, mask: { ...mask, missing: false } } };
});

/** All planned steps, the rate falling once lambda has reached its end. */
const withAdam = everyStage(({ terminate: _terminate, ...stage }) => ({
  ...stage,
  formulation: { ...stage.formulation, optimiser: ADAM },
  warmStart: false,
  controls: (t) => {
    const alone = stage.name === 'refine' || stage.name === 'settle';
    return { ...stage.controls(t), latentRate: PAPER_RATES.latent * (alone ? cosineDecay(t / stage.steps) : 1) };
  },
}));

/** The last stage goes on as the one before it. */
function unsettled(method: Method): Method {
  const [settle, refine, ...before] = [...method.stages].reverse();
  return { ...method, stages: [...before.reverse(), refine, { ...refine, name: settle.name, steps: settle.steps }] };
}

const VARIANTS: Readonly<Record<string, Variant>> = {
  default: {},
  'without prior': { options: NO_PRIOR },
  'prior of constant weight': { change: SAME_PRIOR },
  'missing pixels not detected': { change: NOTHING_MISSING },
  'without coherence': { options: NO_COHERENCE },
  'absolute error': { options: ABSOLUTE },
  'none of these': { options: { ...ABSOLUTE, ...NO_PRIOR, ...NO_COHERENCE } },
  'threshold fixed at 32': { options: { thresholdGrey: 32 } },
  'one start': { options: { starts: 1 } },
  'four starts': { options: { starts: 4 } },
  'eight starts': { options: { starts: 8 } },
  'half the steps': { options: { steps: FAST.steps / 2 } },
  'twice the steps': { options: { steps: 2 * FAST.steps } },
  'found mask not fixed': { change: unsettled },
  'L-BFGS memory cleared between stages': { change: everyStage((stage) => ({ ...stage, warmStart: false })) },
  'all starts to the end of the path': {
    change: everyStage((stage) => (stage.name === 'descend' ? { ...stage, starts: FAST.starts } : stage)),
  },
  Adam: { change: withAdam },
  'Adam with four times the steps': { options: { steps: 4 * FAST.steps }, change: withAdam },
};

export async function ablation(args: readonly string[]): Promise<void> {
  const [file, folder] = [argument(args, 'generator', ''), argument(args, 'folder', '')];
  const [first, count] = [Number(argument(args, 'first', '0')), Number(argument(args, 'count', '24'))];
  const [seed, out] = [Number(argument(args, 'seed', '4242')), argument(args, 'out', '')];
  const wanted = argument(args, 'variants', '')
    .split(',')
    .filter((name) => name !== '');
  const unknown = wanted.find((name) => !Object.hasOwn(VARIANTS, name.replace(/\+mask$/, '')));
  if (unknown !== undefined) throw new Error(`No variant '${unknown}': ${Object.keys(VARIANTS).join(', ')}.`);
  const runtime = nodeRuntime({ threads: Number(argument(args, 'threads', '1')) });
  const { generator } = await openGeneratorFile(runtime, { generator: file });
  const clean = clip(
    folder === ''
      ? await onManifold(generator, count, seed, runtime)
      : await folderPictures(folder, generator, count, first),
  );
  const known = out !== '' && existsSync(out) ? readFileSync(out, 'utf8').split('\n') : [];
  for (const name of argument(args, 'cases', 'block,random,irregular,stains,clean').split(',')) {
    const { image, mask } = corrupted(clean, name, seed);
    for (const masked of name === 'clean' ? [false] : [false, true]) {
      for (const [variant, { options, change }] of Object.entries(VARIANTS)) {
        const method = masked ? `${variant}+mask` : variant;
        if (wanted.length > 0 && !wanted.includes(method)) continue;
        const key = JSON.stringify({ generator: file, folder, first, n: count, seed, case: name, method });
        if (known.some((row) => row.startsWith(key.slice(0, -1)))) continue;
        const base = rgi({ preset: 'fast', channels: generator.channels, masked, ...options });
        const built = change?.(base) ?? base;
        const started = performance.now();
        const made: Restoration[] = [];
        const job = { generator, method: built, images: image, masks: masked ? mask : undefined, thresholdGrey: 25 };
        for await (const restoration of restoreImages({ ...job, batch: 8 }, runtime)) made.push(restoration);
        const seconds = (performance.now() - started) / 1000 / made.length;
        const row = JSON.stringify({
          ...JSON.parse(key),
          ...summary(made, clean, mask, masked),
          seconds: digits(seconds),
        });
        console.log(row);
        if (out !== '') appendFileSync(out, `${row}\n`);
      }
    }
  }
}

function corrupted(clean: Image, name: string, seed: number): { image: Image; mask: Mask } {
  if (name !== 'clean') return corrupt(clean, parseCases([name])[0].corruption, seed);
  return { image: clean, mask: zeros('float32', [clean.dims[0], 1, ...clean.dims.slice(2)]) };
}

/** Medians; of the wrongly masked share of the intact pixels the mean. */
function summary(
  made: readonly Restoration[],
  clean: Image,
  mask: Mask,
  maskGiven: boolean,
): Record<string, number | null> {
  const scores = made.map((restoration, i) => ({
    ...scoresOf(restoration, { truth: imageAt(clean, i), mask: imageAt(mask, i), maskGiven }),
    steps: restoration.steps,
  }));
  const middle = (name: keyof (typeof scores)[number]): number | null => {
    const values = scores.flatMap((score) => score[name] ?? []);
    return values.length > 0 ? digits(median(values)) : null;
  };
  const intact = made.map(({ mask: found }, i) => {
    const truth = imageAt(mask, i).data;
    return coverage(found.data.filter((_, p) => truth[p] < 0.5));
  });
  return {
    psnr: middle('psnr'),
    ssim: middle('ssim'),
    psnr_hole: middle('psnr_hole'),
    psnr_composite: middle('psnr_composite'),
    iou: middle('mask_iou'),
    falsely_masked: maskGiven ? null : digits(mean(intact), 4),
    above35: digits(mean(scores.map(({ psnr }) => ((psnr ?? 0) > 35 ? 1 : 0)))),
    steps: middle('steps'),
  };
}

function digits(value: number, count = 3): number {
  return Number(value.toFixed(count));
}
