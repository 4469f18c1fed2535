/** `rgi export`: a calibrated model as ONE ONNX file that does what `rgi detect` does. */
import path from 'node:path';
import type { Command } from 'commander';
import { checkDetector } from '../../detect/export/check.ts';
import { type DetectorExport, exportDetector } from '../../detect/export/detector-file.ts';
import { DETECTOR_INPUTS, type DetectorInput } from '../../detect/export/facts.ts';
import { readPolicy } from '../../detect/node/policy-files.ts';
import { DEFAULT_POLICY } from '../../detect/stored-policy.ts';
import { RgiError } from '../../errors.ts';
import { sha256Of } from '../../files/node/hash.ts';
import { rememberModel } from '../../files/node/known-models.ts';
import { isFolder } from '../../files/node/regular.ts';
import { writeFileAtomic } from '../../images/node/write.ts';
import { VERSION } from '../../jobs/node/program.ts';
import type { EncoderFlags } from '../../models/node/encoder.ts';
import { openPolicyFeatures } from '../../models/node/feature-network.ts';
import { openProduct } from '../../models/node/product.ts';
import { createRuntime } from '../../runtime/node/index.ts';
import { choice } from '../arguments.ts';
import { EXIT, type ExitCode } from '../failures.ts';
import { addText } from '../help.ts';
import { type Io, printJson, say } from '../io.ts';
import { addGeneratorOptions, addRuntimeOptions, type RuntimeFlags } from '../model-flags.ts';
import { featureFile } from './feature-flags.ts';

export interface ExportFlags extends Omit<EncoderFlags, 'generator'>, RuntimeFlags {
  readonly as: string;
  readonly policy: string;
  readonly features?: string;
  readonly pixels: DetectorInput;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const EXAMPLES = `
Examples:
  rgi calibrate good/ --generator part.onnx
  rgi export part.onnx --as detector.onnx
  rgi export part.onnx --policy strict --pixels uint8 --as detector.onnx
  rgi evaluate detect bottle/ --detector detector.onnx --out table

The file holds everything: generator, feature network, statistics, thresholds.
It needs ONNX Runtime and nothing of rgi, in standard operators of opset 17.

  input   image      float32 [N,C,H,W] in [-1,1]; with --pixels uint8 [N,H,W,C]
  output  map        float32 [N,1,H,W], anomaly score of each pixel
          mask       uint8 [N,1,H,W], 1 in the marked regions
          score      float32 [N], score of the picture
          defective  bool [N]

Pictures have the generator's size: other ones are cropped to its shape about
their centre and resized before. docs/detector.md shows how, and how the file is
run. It is compared with 'rgi detect' on two pictures before it is written. On
others maps differ by rounding too, in rare cases by a hundredth.

What can be exported: policies of linear generators, and of generators with an
encoder, that inspect whole pictures.`;

export function addExportOptions(command: Command): Command {
  command
    .argument('<model>', 'a calibrated generator (ONNX)')
    .requiredOption('--as <file>', 'the detector file')
    .option('--policy <name>', "the policy, by the name given to 'rgi calibrate'", DEFAULT_POLICY)
    .addOption(
      choice('--pixels <type>', 'pictures as numbers in [-1,1], or as files hold them', DETECTOR_INPUTS, 'float32'),
    )
    .option(
      '--features <file>',
      "the feature network that the policy was made with: a file, or 'bundled' (default: found by its name)",
      featureFile,
    )
    .option('--encoder <file>', "network that provides a start; 'none' for none (default: the companion)")
    .optionsGroup('Generator:');
  addGeneratorOptions(command);
  command.optionsGroup('Running:');
  addRuntimeOptions(command)
    .option('--json', 'print what was written as one JSON document')
    .option('-q, --quiet', 'print nothing but errors');
  return addText(command, EXAMPLES);
}

export async function exportCommand(file: string, flags: ExportFlags, io: Io): Promise<ExitCode> {
  if (path.resolve(file) === path.resolve(flags.as))
    throw new RgiError('usage', `--as ${flags.as} is the model itself: give the detector another name.`);
  if (await isFolder(flags.as))
    throw new RgiError('usage', `--as ${flags.as} is a folder; name a file.`, { file: flags.as });
  const runtime = await createRuntime({ device: flags.device, threads: flags.threads, worker: io.worker });
  try {
    const product = await openProduct(runtime, { ...flags, generator: file });
    const policy = await readPolicy(file, product.model, flags.policy);
    const { generator, encoder, encoderFile } = product;
    const features = await openPolicyFeatures(runtime, policy, file, flags);
    for (const read of [encoderFile, features?.file])
      if (read !== undefined && path.resolve(read) === path.resolve(flags.as))
        throw new RgiError(
          'usage',
          `--as ${flags.as} is a network that the detector is made of: give it another name.`,
        );
    const options: DetectorExport = {
      generator,
      encoder,
      features: features?.network,
      policy,
      input: flags.pixels,
      facts: {
        rgi: VERSION,
        generator: await described(file),
        ...(encoderFile ? { encoder: await described(encoderFile) } : {}),
        ...(features ? { features: { file: path.basename(features.file), sha256: features.sha256 } } : {}),
      },
    };
    const bytes = await exportDetector(options, runtime);
    const difference = await checkDetector(bytes, options, runtime);
    await writeFileAtomic(flags.as, bytes);
    await rememberModel(bytes);
    if (flags.json)
      printJson(io, { file: flags.as, bytes: bytes.length, policy: policy.name, pixels: flags.pixels, difference });
    else if (!flags.quiet)
      say(
        io,
        `${flags.as}: ${(bytes.length / 1e6).toFixed(1)} MB; its maps differ from those of 'rgi detect' by ${difference.toExponential(0)} at most, on two pictures.`,
      );
    return EXIT.done;
  } finally {
    await runtime.dispose();
  }
}

async function described(file: string) {
  return { file: path.basename(file), sha256: await sha256Of(file) };
}
