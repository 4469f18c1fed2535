/** `rgi inspect`: what a model is, what a method would make of it, and what would fail. */

import { RgiError } from '../errors.ts';
import { stackImages } from '../images/image.ts';
import { writePicture } from '../images/node/write.ts';
import { imageGrid } from '../images/sheet.ts';
import { adaptGenerator } from '../inspect/adapt.ts';
import { cutPoints } from '../inspect/cuts.ts';
import type { ModelFacts } from '../inspect/facts.ts';
import { probeFeeds } from '../inspect/guess.ts';
import { inspectModel } from '../inspect/inspect.ts';
import { type Cut, findMapping } from '../inspect/mapping.ts';
import { readersByLayer } from '../inspect/style-layers.ts';
import { usualForm } from '../inspect/usual-form.ts';
import { inGigabytes, planMemory } from '../inversion/compile/memory.ts';
import { reuse } from '../inversion/compile/reuse.ts';
import { type Generator, type LatentLaw, openGenerator } from '../inversion/generator/generator.ts';
import { rgi } from '../inversion/methods/rgi.ts';
import { rrgi } from '../inversion/methods/rrgi.ts';
import { isSolvedExactly } from '../inversion/solve/sequential-tuning.ts';
import { withLatentShape } from '../models/generator.ts';
import { type GeneratorFlags, openGeneratorFile, openingOptions } from '../models/node/networks.ts';
import { openTriedModel } from '../models/node/trial.ts';
import { modelHashes } from '../models/node/weight-files.ts';
import { encodeModel } from '../onnx/encode.ts';
import type { Graph, Model, ValueInfo } from '../onnx/graph.ts';
import { float32, float32Data, type Tensor } from '../onnx/tensor.ts';
import { trainableWeights } from '../passes/trainable.ts';
import { randomFrom } from '../random.ts';
import { createRuntime } from '../runtime/node/index.ts';
import { evaluatorOf, type Runtime } from '../runtime/runtime.ts';
import { EXIT, type ExitCode } from './failures.ts';
import { type Io, print, printJson, say } from './io.ts';
import type { RuntimeFlags } from './model-flags.ts';
import { licenceLine, trainingLines } from './training-facts.ts';

export interface InspectFlags extends Omit<GeneratorFlags, 'generator'>, RuntimeFlags {
  readonly samples?: string;
  readonly count: number;
  readonly seed: number;
  readonly json?: boolean;
}

export async function inspect(file: string, flags: InspectFlags, io: Io): Promise<ExitCode> {
  const read = await openTriedModel(file, flags);
  const runtime = await createRuntime({ device: flags.device, threads: flags.threads, worker: io.worker });
  try {
    const options = await openingOptions(read.graph.inputs, { ...flags, generator: file });
    const { inputs = new Map(), latents: unknowns, output, shape, range } = options;
    const given = withLatentShape(read, options, file);
    const evaluate = evaluatorOf(runtime, encodeModel);
    const found = await inspectModel(given, evaluate, { inputs, unknowns, output, shape, range, seed: flags.seed });
    // A range that is refused is not adapted.
    const isAdapted = found.image && found.image.range !== 'unknown';
    const adapted = isAdapted ? adaptGenerator(given, found.image) : undefined;
    const facts = { ...found, notes: [...new Set([...found.notes, ...(adapted?.notes ?? [])])] };
    const isDifferentiable = facts.refusals.length + facts.withoutDerivative.length === 0;
    const memory =
      adapted && facts.latent && isDifferentiable
        ? await memoryOf(adapted, facts.latent.law, inputs, runtime).catch(notKnown)
        : undefined;
    const model = usualForm(given);
    const cuts = await findCuts(model, facts, evaluate, inputs);
    if (flags.samples !== undefined) await writeSamples(runtime, file, flags, flags.samples);
    const styles = styleSpaces(model.graph, cuts);
    const details = {
      cuts,
      styles,
      ...(memory ? { memory } : {}),
      weightNames: trainableWeights(model.graph),
      metadata: Object.fromEntries(model.metadata),
    };
    if (flags.json) printJson(io, { file, ...(await modelHashes(file)), ...facts, ...details });
    else for (const line of describe(file, facts, cuts, details)) print(io, line);
    if (flags.samples !== undefined) say(io, `${flags.count} samples written to ${flags.samples}`);
    return EXIT.done;
  } finally {
    await runtime.dispose();
  }
}

/** What is wrong with a model, `inspect` says by itself; its memory is left out then. */
function notKnown(error: unknown): undefined {
  if (!(error instanceof RgiError)) throw error;
}

/** Bytes of a search of one picture with the default settings of each method. */
interface SearchMemory {
  readonly rgi: number;
  readonly rrgi: number;
}

/** Undefined where there is no search: the latents of a linear generator are computed. */
async function memoryOf(
  { graph }: Model,
  law: LatentLaw,
  fixed: ReadonlyMap<string, Tensor>,
  runtime: Runtime,
): Promise<SearchMemory | undefined> {
  const generator = await openGenerator(graph, runtime, { law, fixed, output: graph.outputs[0].name });
  const { channels } = generator;
  const shared = reuse();
  const weights = trainableWeights(generator.graph);
  const method = rgi({ preset: 'fast', channels });
  if (weights.length === 0 || (await isSolvedExactly(generator, method, runtime))) return undefined;
  const frozen = await planMemory(generator, method, 1, runtime, shared);
  const tuned = await planMemory(generator, rrgi({ preset: 'best', channels, weights }), 1, runtime, shared);
  return { rgi: frozen.total, rrgi: tuned.total };
}

async function findCuts(
  model: Model,
  facts: ModelFacts,
  evaluate: ReturnType<typeof evaluatorOf>,
  inputs: Parameters<typeof probeFeeds>[4],
): Promise<Cut[]> {
  if (!facts.latent || !facts.image || !facts.batch) return [];
  const [batch] = facts.batch.accepted;
  const names = cutPoints(model.graph, facts.image.output);
  if (names.length === 0) return [];
  const feeds = probeFeeds(model.graph, facts.latent, batch, randomFrom(1), inputs);
  const values = await evaluate(model.graph, feeds, names);
  return names.flatMap((name) => {
    const { type, dims } = values.get(name)!;
    return type === 'float32' && dims[0] === batch ? [{ name, dims: dims.slice(1) }] : [];
  });
}

/** What `--latent w` and `--latent w+` mean, where there is a mapping network. */
function styleSpaces(graph: Graph, cuts: readonly Cut[]): Cut[] {
  const found = findMapping(graph, cuts);
  if (!found) return [];
  const layers = found.broadcast?.layers ?? readersByLayer(graph, found.name).length;
  return [
    { name: 'w', dims: [found.size] },
    { name: 'w+', dims: [layers, found.size] },
  ];
}

async function writeSamples(runtime: Runtime, file: string, flags: InspectFlags, target: string): Promise<void> {
  const { generator } = await openGeneratorFile(runtime, { ...flags, generator: file });
  await writePicture(target, imageGrid(await drawSamples(generator, runtime, flags.count, flags.seed)));
}

/** `count` pictures of the generator, [count,C,H,W] in about [-1,1]. */
export async function drawSamples(generator: Generator, runtime: Runtime, count: number, seed: number) {
  const size = generator.batch === 'any' ? Math.min(count, 16) : generator.batch;
  const random = randomFrom(seed);
  const session = await runtime.session(encodeModel(generator.graph));
  try {
    const batches = [];
    for (let made = 0; made < count; made += size) {
      const image = (await session.run(await generator.draw(size, random))).get(generator.output)!;
      batches.push(float32(float32Data(image), image.dims));
    }
    const all = stackImages(batches);
    const [, ...dims] = all.dims;
    return float32(all.data.slice(0, (count * all.data.length) / all.dims[0]), [count, ...dims]);
  } finally {
    await session.dispose();
  }
}

const SHOWN_CUTS = 10;
const SHOWN_WEIGHTS = 6;

const LAWS = { normal: 'N(0,1)', uniform: 'U(-1,1)', unit: 'U[0,1)' } as const;

function describe(
  file: string,
  facts: ModelFacts,
  cuts: readonly Cut[],
  {
    styles,
    memory,
    weightNames,
    metadata,
  }: {
    readonly styles: readonly Cut[];
    readonly memory?: SearchMemory;
    readonly weightNames: readonly string[];
    readonly metadata: Record<string, string>;
  },
): string[] {
  const lines: string[] = [file];
  const row = (title: string, ...texts: string[]) => {
    texts.forEach((text, i) => {
      lines.push(`  ${(i === 0 ? title : '').padEnd(12)}${text}`);
    });
  };
  const { latent, image, batch } = facts;
  row('format', `ONNX opset ${facts.opset}${facts.producer ? `, made by ${facts.producer}` : ''}`);
  if (facts.role) row('role', facts.role);
  row('inputs', ...facts.inputs.map(described));
  row('outputs', ...facts.outputs.map(described));
  if (latent) {
    row(
      'latent',
      `'${latent.name}' [${declaredDims(facts, latent).join(', ')}], ${LAWS[latent.law]} (${latent.from === 'guess' ? 'guessed' : "from the file's metadata"})`,
    );
  }
  if (image) {
    const seen = `${image.minimum.toFixed(2)} to ${image.maximum.toFixed(2)} seen`;
    const from =
      image.from === 'samples'
        ? 'by its samples'
        : image.from === 'metadata'
          ? "from the file's metadata"
          : 'by its last operator';
    row(
      'picture',
      `'${image.output}' ${image.channels} x ${image.height} x ${image.width} ${image.layout}, range ${image.range} (${from}; ${seen})`,
    );
  }
  if (batch) {
    const sizes = batch.symbolic
      ? `any size (ran at ${batch.accepted.join(', ')})`
      : `only ${batch.accepted.join(', ')}`;
    const coupled =
      batch.couplesImages === undefined
        ? ''
        : batch.couplesImages
          ? '; images of a batch influence each other'
          : '; images of a batch are independent';
    row('batch', sizes + coupled);
  }
  row('parameters', `${facts.parameters.toLocaleString('en')} in ${facts.weights} weights and biases`);
  if (facts.tiedGroups > 0) row('', `${facts.tiedGroups} weights are stored more than once; copies are tuned together`);
  row('operators', ...wrapped(Object.entries(facts.operators).map(([name, n]) => `${name} ${n}`)));
  if (latent && batch) {
    const { withoutDerivative } = facts;
    if (withoutDerivative.length === 0)
      row('derivative', `passes from '${latent.name}' to the ${image ? 'picture' : 'output'}`);
    else row('derivative', 'does not pass:', ...withoutDerivative.map(({ message }) => message));
  }
  if (memory)
    row(
      'memory',
      `a search of one picture takes about ${inGigabytes(memory.rgi)} GB, ${inGigabytes(memory.rrgi)} GB where weights are tuned`,
    );
  row('refused', ...facts.refusals);
  if (cuts.length > 0) {
    // Of a run of equal shapes the last: after a mapping network that is W.
    const telling = cuts.filter(({ dims }, i) => dims.join() !== cuts[i + 1]?.dims.join()).slice(0, SHOWN_CUTS);
    const more = cuts.length > telling.length ? [`and ${cuts.length - telling.length} more (--json)`] : [];
    row('--latent', ...[...styles, ...telling].map(({ name, dims }) => `${name} [${dims.join(', ')}]`), ...more);
  }
  if (weightNames.length > 0) {
    const more = weightNames.length > SHOWN_WEIGHTS ? [`and ${weightNames.length - SHOWN_WEIGHTS} more (--json)`] : [];
    row('--weights', ...weightNames.slice(0, SHOWN_WEIGHTS), ...more);
  }
  row('trained', ...trainingLines(metadata));
  const licence = licenceLine(metadata);
  if (licence) row('licence', licence);
  row('metadata', ...Object.entries(metadata).map(([key, value]) => `${key} = ${shortened(value)}`));
  row('notes', ...facts.notes);
  return lines;
}

/** Of one latent: where the model could not be run, the names of open sizes as the file has them. */
function declaredDims({ inputs, batch }: ModelFacts, { name, dims }: NonNullable<ModelFacts['latent']>) {
  const declared = inputs.find((input) => input.name === name)?.dims.slice(1);
  return batch || declared?.length !== dims.length ? dims : declared;
}

function described({ name, type, dims }: ValueInfo): string {
  return `'${name}' ${type} [${dims.join(', ')}]`;
}

function shortened(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length > 80 ? `${line.slice(0, 77)}...` : line;
}

/** Items joined by commas into lines of about 90 characters. */
function wrapped(items: readonly string[]): string[] {
  const lines: string[] = [''];
  items.forEach((item, i) => {
    const text = i < items.length - 1 ? `${item}, ` : item;
    if (lines[lines.length - 1].length + text.length > 90) lines.push('');
    lines[lines.length - 1] += text;
  });
  return lines.map((line) => line.trimEnd());
}
