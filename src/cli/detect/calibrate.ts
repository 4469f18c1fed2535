/** `rgi calibrate`: good pictures in, a policy into the model file out. */

import path from 'node:path';
import type { Command } from 'commander';
import { type Calibration, calibrate, FALSE_ALARMS } from '../../detect/calibrate.ts';
import { calibrationFacts, oddAbove } from '../../detect/calibration-facts.ts';
import type { FeatureSource } from '../../detect/join-spaces.ts';
import { type GoodPictures, loadGoodPictures } from '../../detect/node/good-pictures.ts';
import { lockModel, lostPolicies, writePolicy } from '../../detect/node/policy-files.ts';
import { checkPolicyName, isProjection, settingsOf } from '../../detect/policy.ts';
import { DEFAULT_POLICY } from '../../detect/stored-policy.ts';
import { RgiError } from '../../errors.ts';
import { shapeOf, stackImages } from '../../images/image.ts';
import type { EncoderFlags } from '../../models/node/encoder.ts';
import { featureNotes, openFeatureFile } from '../../models/node/feature-network.ts';
import { openProduct, type ProductModel } from '../../models/node/product.ts';
import { percent } from '../../pages/table.ts';
import { createRuntime } from '../../runtime/node/index.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { choice, count, numberIn } from '../arguments.ts';
import { EXIT, type ExitCode } from '../failures.ts';
import { addText } from '../help.ts';
import { type Io, printJson, say } from '../io.ts';
import { addGeneratorOptions, addRuntimeOptions, type RuntimeFlags } from '../model-flags.ts';
import { progressLine } from '../progress.ts';
import { addFeatureInputOptions, comparedLayers, type FeatureInputFlags, featureFile } from './feature-flags.ts';

export interface CalibrateFlags extends EncoderFlags, RuntimeFlags, FeatureInputFlags {
  readonly features?: string | boolean;
  readonly name: string;
  readonly falseAlarms: number;
  readonly pixelFalseAlarms?: number;
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
Pictures that the model was trained on set no thresholds. 'rgi train' holds some
out, so the training folder can be used here. How pictures are scored is
chosen by defects drawn on good pictures; the thresholds come from the good
pictures as they are. No defective picture is needed. Whole pictures are also
compared in the feature maps of a pretrained network.

Examples:
  rgi train good/ --out part.onnx --size 128
  rgi calibrate good/ --generator part.onnx
  rgi detect new/ --generator part.onnx --out found

  # a second, stricter policy beside the default
  rgi calibrate good/ -g part.onnx --name strict --false-alarms 0.001

The policy is written into the model file (metadata 'rgi.policies'), and its
statistics into MODEL.policy.npz beside it.`;

export function addCalibrateOptions(command: Command): Command {
  const rate = numberIn({ above: 0, to: 0.5 });
  command
    .argument('<folder>', "good pictures, subfolders too; of a data set in MVTec's layout train/good")
    .requiredOption('-g, --generator <file>', 'a generator of good pictures (ONNX); stores the policy')
    .option('--name <name>', 'name of the policy', DEFAULT_POLICY)
    .option(
      '--false-alarms <rate>',
      'share of good pictures called defective, and of good pictures with any marked region',
      rate,
      FALSE_ALARMS.image,
    )
    .option('--pixel-false-alarms <rate>', 'mark by this share of the pixels of good pictures instead', rate)
    .addOption(
      choice('--form <name>', 'whole pictures or tiles (default: as in training)', ['object', 'tiles'] as const),
    )
    .option(
      '--scale <factor>',
      'tiles: reduce pictures by this factor (default: as in training)',
      numberIn({ from: 1 }),
    )
    .option('--stride <pixels>', 'tiles: distance from one to the next (default: half a tile)', count)
    .option('--limit <count>', 'most pictures that set thresholds', count)
    .option('--steps <count>', 'steps of each inversion (default: automatic)', count)
    .option('--encoder <file>', "network that provides a start; 'none' for none (default: the companion)")
    .option(
      '--features [file]',
      "compare features of this network, too: a file, or 'bundled' (default: bundled)",
      featureFile,
    )
    .option('--no-features', 'compare pixels alone')
    .option('--seed <number>', 'seed of all random numbers', numberIn({ integer: true, from: 0, to: 2 ** 32 - 1 }), 0)
    .optionsGroup('Generator:');
  addGeneratorOptions(command);
  command.optionsGroup('Features:');
  addFeatureInputOptions(command);
  command.optionsGroup('Running:');
  addRuntimeOptions(command)
    .option('--json', 'print the policy and all candidates as one JSON document')
    .option('-q, --quiet', 'print nothing but errors');
  return addText(command, EXAMPLES);
}

function lostNote(name: string): string {
  return `The statistics of the policy '${name}' of this model are lost: calibrate it again (--name ${name}).`;
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
    const lost = (await lostPolicies(flags.generator)).filter((name) => name !== flags.name);
    const { form, scale } = formOf(product, flags);
    const good = await loadGoodPictures(folder, product.generator, product.source, {
      form,
      scale,
      limit: flags.limit,
      signal: io.signal,
      onProgress: (done, total) => progress.show(done, total, `reading picture ${done}`),
    });
    const { generator, encoder, law } = product;
    const features = await featureSource(runtime, flags, form, good);
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
        names: good.names,
        groups: good.groups,
        seen: good.seen,
        features: features?.source,
        falseAlarms: {
          image: flags.falseAlarms,
          ...(flags.pixelFalseAlarms === undefined ? {} : { pixel: flags.pixelFalseAlarms }),
        },
        steps: flags.steps,
        seed: flags.seed,
        facts: { pictures: good.unseen.length + good.learnt, broken: good.broken.length },
      },
      runtime,
      { signal: io.signal, onProgress: (share, what) => progress.show(share, 1, what) },
    );
    const files = await writePolicy(flags.generator, calibration.policy);
    progress.clear();
    const notes = [
      ...product.notes,
      ...good.notes,
      ...notesOf(product, isAlone(calibration) ? 0 : good.learnt, isProjection(calibration.policy.inversion)),
      ...(features?.notes ?? []),
      ...calibration.notes,
      ...lost.map(lostNote),
    ];
    if (flags.json)
      printJson(io, {
        name: flags.name,
        ...settingsOf(calibration.policy),
        chosen: calibration.chosen,
        compared: calibration.compared,
        notes,
        files,
      });
    if (!flags.quiet) {
      for (const { reason } of good.broken) say(io, `skipped: ${reason}`);
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

interface OpenedSource {
  readonly source: FeatureSource;
  readonly notes: readonly string[];
}

/** The features that are compared: of whole pictures, unless they are not wanted. Throws `usage` where they are asked for and cannot be. */
async function featureSource(
  runtime: Runtime,
  flags: CalibrateFlags,
  form: 'object' | 'tiles',
  { unseen, many, manyNames, manyGroups }: GoodPictures,
): Promise<OpenedSource | undefined> {
  if (flags.features === false) return undefined;
  const fits = form === 'object' && (shapeOf(unseen[0]).channels === 1 || shapeOf(unseen[0]).channels === 3);
  if (!fits) {
    if (typeof flags.features === 'string')
      throw new RgiError(
        'usage',
        '--features applies to whole grey or colour pictures: features of tiles are not compared.',
      );
    return undefined;
  }
  const opened = await openFeatureFile(runtime, flags);
  if (!opened) return undefined;
  const network = comparedLayers(opened.network, flags);
  const { file, sha256 } = opened;
  const notes = await featureNotes(network, stackImages(unseen.slice(0, RANGE_PICTURES)), runtime);
  const learnt = { learnt: many, learntNames: manyNames, learntGroups: manyGroups };
  return { source: { network, file: path.basename(file), sha256, ...learnt }, notes };
}

/** Pictures by which the range of a network's input is checked. */
const RANGE_PICTURES = 8;

/** As the model was trained, unless said otherwise. */
function formOf({ source }: ProductModel, flags: CalibrateFlags): { form: 'object' | 'tiles'; scale: number } {
  const form = flags.form ?? (source?.kind === 'crops' ? 'tiles' : 'object');
  if (form === 'object' && (flags.scale !== undefined || flags.stride !== undefined)) {
    const flag = flags.scale !== undefined ? '--scale' : '--stride';
    throw new RgiError('usage', `${flag} applies to tiles; this model is for whole objects (use --form tiles).`);
  }
  return { form, scale: flags.scale ?? (form === 'tiles' ? (source?.scale ?? 1) : 1) };
}

function notesOf({ source, encoder }: ProductModel, learnt: number, isClosed: boolean): string[] {
  return [
    ...(source
      ? []
      : [
          'The model does not record its training pictures. If these are among them, thresholds will be too low; use other pictures.',
        ]),
    ...(learnt > 0 ? [`${learnt} training pictures of the model were not used to set thresholds.`] : []),
    ...(encoder || isClosed
      ? []
      : ['Without an encoder (--encoder) the search starts from random latents, which takes longer.']),
  ];
}

/** Are features compared alone? */
function isAlone({ policy }: Pick<Calibration, 'policy'>): boolean {
  return policy.features !== undefined && policy.features.units.pixels === 0;
}

function spacesOf(policy: Calibration['policy']): string {
  return isAlone({ policy }) ? 'features of' : 'residuals and of features of';
}

/** How the limit of regions was set, in a few words. */
function markedAt({ image, pixel }: Calibration['policy']['falseAlarms']): string {
  return pixel === undefined
    ? `${percent(image)} of good pictures have any`
    : `${percent(pixel)} of good pixels are above`;
}

/** The good pictures that the policy itself calls defective: perhaps they are. */
function oddLines({ thresholds, calibration }: Calibration['policy']): string[] {
  const odd = oddAbove({ calibration, thresholds });
  if (odd.length === 0) return [];
  const names = odd.map(({ name, score }) => `${name} (${score.toFixed(2)})`).join(', ');
  return [`Good pictures above that limit: ${names}. If they are defective, take them out and calibrate again.`];
}

function linesOf({ policy, chosen }: Calibration, files: readonly string[]): string[] {
  const { thresholds, falseAlarms, calibration, evidence, inversion, form } = policy;
  const { pixelAp, imageAuroc } = calibrationFacts(policy).drawnDefects ?? chosen.measured;
  return [
    `Policy '${policy.name}' of ${calibration.unseen} good pictures, ${form === 'tiles' ? 'by tiles' : 'whole'}; defects drawn on some of them were found with a pixel AP of ${pixelAp.toFixed(2)}, image AUROC ${imageAuroc.toFixed(2)}.`,
    ...(isAlone({ policy })
      ? []
      : [
          `Masked from ${inversion.thresholdGrey.toFixed(0)} grey levels on; residuals ${chosen.candidate.perPixel ? 'compared pixel by pixel' : 'compared with those of all pixels'}, smoothed by ${evidence.blur.toFixed(1)} and ${evidence.smoothing.toFixed(1)} pixels.`,
        ]),
    ...(policy.features ? [`The map is that of ${spacesOf(policy)} '${policy.features.network.file}'.`] : []),
    `A region is marked above ${thresholds.pixel.toFixed(2)} (${markedAt(falseAlarms)}), a picture is defective above ${thresholds.image.toFixed(2)} (${percent(falseAlarms.image)} of good pictures are).`,
    ...oddLines(policy),
    ...files,
  ];
}
