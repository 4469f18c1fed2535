/** `rgi gradcheck`: are the gradients of this very file right, by central differences or by recorded gradients? */
import { MAX_LAZY_BYTES, openNpz } from '../arrays/npy.ts';
import { RgiError } from '../errors.ts';
import { readRegular } from '../files/node/regular.ts';
import {
  checkByDifferences,
  checkByReference,
  DIFFERENCE_TOLERANCE,
  type GradcheckResult,
  REFERENCE_TOLERANCE,
} from '../inspect/gradcheck.ts';
import { guessLatent, probeFeeds } from '../inspect/guess.ts';
import { openLatent } from '../inspect/suitability.ts';
import { usualForm } from '../inspect/usual-form.ts';
import { brokenWeight } from '../inspect/weights.ts';
import { withLatentShape } from '../models/generator.ts';
import { fixedInputs } from '../models/node/networks.ts';
import { type ModelBudget, openTriedModel } from '../models/node/trial.ts';
import type { Model } from '../onnx/graph.ts';
import { isFloat } from '../onnx/tensor.ts';
import { trainableWeights } from '../passes/trainable.ts';
import { randomFrom } from '../random.ts';
import { createRuntime } from '../runtime/node/index.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { EXIT, type ExitCode } from './failures.ts';
import { type Io, print, printJson, say } from './io.ts';
import type { RuntimeFlags } from './model-flags.ts';

export interface GradcheckFlags extends RuntimeFlags, ModelBudget {
  readonly reference?: string;
  readonly wrt?: readonly string[];
  readonly tolerance?: number;
  readonly input?: readonly string[];
  readonly latentShape?: readonly number[];
  readonly signal?: AbortSignal;
  readonly outputName?: string;
  readonly directions: number;
  readonly seed: number;
  readonly json?: boolean;
}

export async function gradcheck(file: string | undefined, flags: GradcheckFlags, io: Io): Promise<ExitCode> {
  // A list of pairs before the model takes the model in, too: it has no '='.
  const pairs = [...(flags.wrt ?? [])];
  const swallowed = file === undefined ? pairs.findIndex((pair) => !pair.includes('=')) : -1;
  const model = file ?? (swallowed >= 0 ? pairs.splice(swallowed, 1)[0] : undefined);
  if (model === undefined) throw new RgiError('usage', 'Name the model to check: rgi gradcheck g.onnx.');
  const opened = await openChecked(model, flags);
  const runtime = await createRuntime({ device: flags.device, threads: flags.threads, worker: io.worker });
  try {
    const byReference = flags.reference !== undefined;
    const tolerance = flags.tolerance ?? (byReference ? REFERENCE_TOLERANCE : DIFFERENCE_TOLERANCE);
    const check = byReference ? againstReference : againstDifferences;
    const result = await check(opened, runtime, flags, pairs, tolerance).catch((error) => {
      throw namingFile(error, model);
    });
    tell(model, result, tolerance, flags, io);
    return result.passed ? EXIT.done : EXIT.check;
  } finally {
    await runtime.dispose();
  }
}

/** The model, unless no gradient of it can be right: what `rgi inspect` refuses for the same reasons. */
async function openChecked(file: string, flags: GradcheckFlags): Promise<Model> {
  const { latentShape } = flags;
  const opened = usualForm(withLatentShape(await openTriedModel(file, flags), { latentShape }, file));
  const { graph } = opened;
  const latent = guessLatent(opened);
  const given = (flags.input ?? []).some((text) => text.startsWith(`${latent?.name}=`));
  const open = latent && !given && flags.reference === undefined ? openLatent(graph, latent) : undefined;
  const refusal = brokenWeight(graph) ?? open;
  if (refusal) throw new RgiError('model', `${file}: ${refusal}`, { file });
  return opened;
}

/** Errors of the model's operators, which the core words without the file's name. */
function namingFile(error: unknown, file: string): unknown {
  const ofModel = error instanceof RgiError && (error.code === 'unsupported-operator' || error.code === 'runtime');
  if (!ofModel || error.message.includes(file)) return error;
  return new RgiError(error.code, `${file}: ${error.message}`, { ...error.location, file }, { cause: error });
}

async function againstReference(
  model: Model,
  runtime: Runtime,
  flags: GradcheckFlags,
  pairs: readonly string[],
  tolerance: number,
): Promise<GradcheckResult> {
  const file = flags.reference!;
  const wrt = new Map(
    pairs.map((pair): [string, string] => {
      const at = pair.lastIndexOf('=');
      if (at <= 0 || at === pair.length - 1) {
        throw new RgiError('usage', `--wrt ${pair}: write TENSOR=KEY, KEY being an array of ${file}.`);
      }
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
  const inputs = await fixedInputs(model.graph.inputs, flags.input ?? []);
  try {
    const reference = openNpz(await readRegular(file, MAX_LAZY_BYTES));
    return await checkByReference(model.graph, runtime, {
      reference,
      wrt,
      inputs,
      output: flags.outputName,
      tolerance,
    });
  } catch (error) {
    // Arrays are unpacked while they are compared.
    if (!(error instanceof RgiError) || error.code !== 'input' || error.message.startsWith(file)) throw error;
    throw new RgiError('input', `${file} cannot be used: ${error.message}`, { file }, { cause: error });
  }
}

/** Random latents tried until every derivative agrees at one of them. */
const POINTS = 4;

/** At random latents: the float inputs, and the first and the last weight, unless others are named. */
async function againstDifferences(
  model: Model,
  runtime: Runtime,
  flags: GradcheckFlags,
  names: readonly string[],
  tolerance: number,
): Promise<GradcheckResult> {
  const { graph } = model;
  const given = await fixedInputs(graph.inputs, flags.input ?? []);
  const latent = guessLatent(model);
  if (!latent)
    throw new RgiError('model', 'The model has no float input, so there is nothing to differentiate with respect to.');
  const declared = graph.inputs.find((input) => input.name === latent.name)!.dims[0];
  const weights = trainableWeights(graph);
  const floats = graph.inputs.filter((input) => isFloat(input.type) && !given.has(input.name));
  const usual = [...floats.map((input) => input.name), ...new Set([weights[0], weights[weights.length - 1]])];
  const wrt =
    names.length > 0 ? names.map((name) => name.replace(/=.*$/, '')) : usual.filter((name) => name !== undefined);
  let best: GradcheckResult | undefined;
  // A rectifier's kink near one point is an accident of that point; a wrong rule fails at every point.
  for (let point = 0; point < POINTS && !best?.passed; point++) {
    const seed = flags.seed + point;
    const batch = typeof declared === 'number' ? declared : 2;
    const inputs = probeFeeds(graph, latent, batch, randomFrom(seed), given);
    const options = { inputs, wrt, output: flags.outputName, directions: flags.directions, seed, tolerance };
    const found = await checkByDifferences(graph, runtime, options);
    const entries = found.entries.map((entry, i) =>
      best && best.entries[i].error < entry.error ? best.entries[i] : entry,
    );
    best = { passed: entries.every((entry) => entry.passed), entries };
  }
  return best!;
}

const REFERENCE = 'reference ';

function tell(file: string, result: GradcheckResult, tolerance: number, flags: GradcheckFlags, io: Io): void {
  const finite = (error: number) => (Number.isFinite(error) ? error : null);
  const byReference = flags.reference !== undefined;
  const isOutput = (against: string) => against === `${REFERENCE}y`;
  const output = result.entries.find((entry) => isOutput(entry.against));
  if (flags.json) {
    printJson(io, {
      ok: result.passed,
      file,
      mode: byReference ? 'reference' : 'differences',
      tolerance,
      results: result.entries
        .filter((entry) => entry !== output)
        .map(({ tensor, against, error, passed }) => ({
          tensor,
          key: against.startsWith(REFERENCE) ? against.slice(REFERENCE.length) : against,
          relativeError: finite(error),
          ok: passed,
        })),
      output: output ? { tensor: output.tensor, relativeError: finite(output.error), ok: output.passed } : null,
    });
  } else {
    const width = Math.max(...result.entries.map(({ tensor }) => tensor.length));
    for (const { tensor, against, error, passed } of result.entries) {
      print(io, `${passed ? 'ok   ' : 'FAIL '} ${tensor.padEnd(width)}  ${error.toExponential(1)}  ${against}`);
    }
  }
  const failed = result.entries.filter((entry) => !entry.passed).length;
  if (failed > 0) {
    say(
      io,
      `${failed} of ${result.entries.length} gradients exceed the tolerance of ${tolerance} (relative error in the norm).`,
    );
  } else if (!flags.json) {
    say(io, `All ${result.entries.length} gradients are within ${tolerance} (relative error in the norm).`);
  }
}
