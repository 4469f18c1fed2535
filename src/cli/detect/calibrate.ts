/** `rgi calibrate`: good pictures in, a policy into the model file out. */
import type { Command } from 'commander';
import { type Calibration, calibrate } from '../../detect/calibrate.ts';
import { loadGoodPictures } from '../../detect/node/good-pictures.ts';
import { DEFAULT_POLICY, lockModel, writePolicy } from '../../detect/node/policy-files.ts';
import { checkPolicyName, settingsOf } from '../../detect/policy.ts';
import { RgiError } from '../../errors.ts';
import { createRuntime } from '../../runtime/node/index.ts';
import { choice, count, numberIn } from '../arguments.ts';
import type { EncoderFlags } from '../encoder.ts';
import { EXIT, type ExitCode } from '../failures.ts';
import { type Io, printJson, say } from '../io.ts';
import { progressLine } from '../progress.ts';
import { addGeneratorOptions, addRuntimeOptions, type RuntimeFlags } from '../restore/flags.ts';
import { openProduct, type ProductModel } from './model.ts';

export interface CalibrateFlags extends EncoderFlags, RuntimeFlags {
  readonly name: string;
  readonly falseAlarms: number;
  readonly pixelFalseAlarms: number;
  readonly form?: 'object' | 'tiles';
  readonly scale?: number;
  readonly stride?: number;
  readonly limit?: number;
  readonly steps?: number;
  readonly seed: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const EXAMPLES = `
Of the pictures those that the model was trained on are left out: 'rgi train' holds some back, so that the folder it was
trained on will do. How pictures are best examined is found out on defects drawn on good pictures; thresholds are
set on the good pictures as they are. No defective picture is needed.

Examples:
  rgi train good/ --out part.onnx --size 128
  rgi calibrate good/ --generator part.onnx
  rgi detect new/ --generator part.onnx --out found

  # a second, stricter policy beside the default
  rgi calibrate good/ --generator part.onnx --name strict --false-alarms 0.001

Written: the policy into the model file (metadata 'rgi.policies'), and its statistics into MODEL.policy.npz beside it.`;

/**
 * Of good pictures called defective, and of good pixels above the threshold. One picture in twenty: of the few dozen that are usually
 * left, a rarer alarm would rest on the one or two oddest.
 */
const RATES = { image: 0.05, pixel: 0.002 } as const;

export function addCalibrateOptions(command: Command): Command {
  const rate = numberIn({ above: 0, to: 0.5 });
  command
    .argument('<folder>', "good pictures (any folder, subfolders too; or MVTec's layout: its train/good is taken)")
    .requiredOption('-g, --generator <file>', 'a generator of good pictures (ONNX); the policy is stored in it')
    .option('--name <name>', 'name of the policy', DEFAULT_POLICY)
    .option('--false-alarms <rate>', 'share of good pictures that may be called defective', rate, RATES.image)
    .option('--pixel-false-alarms <rate>', 'share of the pixels of good pictures that may be marked', rate, RATES.pixel)
    .addOption(
      choice('--form <name>', 'how pictures are examined (default: as the model was trained)', [
        'object',
        'tiles',
      ] as const),
    )
    .option(
      '--scale <factor>',
      'tiles: pictures made so many times smaller first (default: as in training)',
      numberIn({ from: 1 }),
    )
    .option('--stride <pixels>', 'tiles: from one to the next (default: half a tile)', count)
    .option('--limit <count>', 'use at most so many pictures', count)
    .option('--steps <count>', 'steps of each inversion (default: chosen)', count)
    .option('--encoder <file>', "gives the start of the search (default: the generator's companion); 'none' for none")
    .option('--seed <number>', 'seed of what is drawn', numberIn({ integer: true, from: 0, to: 2 ** 32 - 1 }), 0)
    .optionsGroup('Generator:');
  addGeneratorOptions(command);
  command.optionsGroup('Running:');
  addRuntimeOptions(command);
  return command
    .option('--json', 'print the policy and what was compared as one JSON document')
    .option('-q, --quiet', 'say nothing but errors')
    .addHelpText('after', EXAMPLES);
}

export async function calibrateCommand(folder: string, flags: CalibrateFlags, io: Io): Promise<ExitCode> {
  checkPolicyName(flags.name);
  const runtime = await createRuntime({ device: flags.device, threads: flags.threads, worker: io.worker });
  const progress = progressLine(io, flags.quiet ?? false);
  let release: (() => Promise<void>) | undefined;
  try {
    const product = await openProduct(runtime, flags);
    // Before the minutes that it takes: two calibrations of one model would lose one of the two policies.
    release = await lockModel(flags.generator);
    const { form, scale } = formOf(product, flags);
    const good = await loadGoodPictures(folder, product.generator, product.source, {
      form,
      scale,
      limit: flags.limit,
      signal: io.signal,
      onProgress: (done, total) => progress.show(done, total, `reading picture ${done}`),
    });
    const { generator, encoder, law } = product;
    const calibration = await calibrate(
      {
        name: flags.name,
        generator,
        encoder,
        law,
        form,
        scale,
        stride: flags.stride,
        unseen: good.unseen,
        groups: good.groups,
        seen: good.seen,
        falseAlarms: { image: flags.falseAlarms, pixel: flags.pixelFalseAlarms },
        steps: flags.steps,
        seed: flags.seed,
        facts: { pictures: good.unseen.length + good.learnt, broken: good.broken.length },
      },
      runtime,
      { signal: io.signal, onProgress: (share, what) => progress.show(share, 1, what) },
    );
    const files = await writePolicy(flags.generator, calibration.policy);
    progress.clear();
    const notes = [...product.notes, ...notesOf(product, good.learnt), ...calibration.notes];
    if (flags.json)
      printJson(io, {
        name: flags.name,
        ...settingsOf(calibration.policy),
        compared: calibration.compared,
        notes,
        files,
      });
    if (!flags.quiet) {
      for (const { reason } of good.broken) say(io, `left out: ${reason}`);
      for (const note of notes) say(io, `note: ${note}`);
      if (!flags.json) for (const line of linesOf(calibration, files)) say(io, line);
    }
    return EXIT.done;
  } catch (error) {
    if (!io.signal.aborted) throw error;
    say(io, 'Interrupted; nothing was stored.');
    return EXIT.interrupted;
  } finally {
    progress.clear();
    await release?.();
    await runtime.dispose();
  }
}

/** As the model was trained, unless said otherwise. */
function formOf({ source }: ProductModel, flags: CalibrateFlags): { form: 'object' | 'tiles'; scale: number } {
  const form = flags.form ?? (source?.kind === 'crops' ? 'tiles' : 'object');
  if (form === 'object' && (flags.scale !== undefined || flags.stride !== undefined)) {
    const flag = flags.scale !== undefined ? '--scale' : '--stride';
    throw new RgiError('usage', `${flag} goes with tiles; this model is of whole objects (--form tiles for tiles).`);
  }
  return { form, scale: flags.scale ?? (form === 'tiles' ? (source?.scale ?? 1) : 1) };
}

function notesOf({ source, encoder }: ProductModel, learnt: number): string[] {
  return [
    ...(source
      ? []
      : [
          'The model does not say which pictures it was trained on: if these are among them, thresholds come out too low. Give others.',
        ]),
    ...(learnt > 0 ? [`${learnt} pictures that the model was trained on set no thresholds.`] : []),
    ...(encoder ? [] : ['There is no encoder (--encoder): the search begins at random latents, which takes longer.']),
  ];
}

function linesOf({ policy, compared }: Calibration, files: readonly string[]): string[] {
  const { thresholds, falseAlarms, calibration, evidence, inversion, form } = policy;
  const percent = (rate: number) => `${Number((100 * rate).toPrecision(3))}%`;
  const { pixelAp, imageAuroc } = compared[0].measured;
  return [
    `Policy '${policy.name}' of ${calibration.unseen} good pictures, ${form === 'tiles' ? 'by tiles' : 'whole'}; defects drawn on some of them were found with a pixel AP of ${pixelAp.toFixed(2)}, image AUROC ${imageAuroc.toFixed(2)}.`,
    `Masked from ${inversion.thresholdGrey.toFixed(0)} grey levels on; residuals ${compared[0].candidate.perPixel ? 'compared pixel by pixel' : 'compared with those of all pixels'}, smoothed by ${evidence.blur.toFixed(1)} and ${evidence.smoothing.toFixed(1)} pixels.`,
    `A pixel is marked above ${thresholds.pixel.toFixed(2)} (${percent(falseAlarms.pixel)} of good pixels), a picture is defective above ${thresholds.image.toFixed(2)} (${percent(falseAlarms.image)} of good pictures).`,
    ...files,
  ];
}
