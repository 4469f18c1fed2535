/**
 * The speed of one training iteration (the generator's and the encoder's step, the discriminator's step, R1 amortised) at
 * 64 x 64, 16 pictures of 3 channels, without augmentation, as the product compiles and runs it; and of the same step of
 * the same networks in PyTorch (`pytorch_train.py`), where a Python with PyTorch is found.
 *
 * Nominal operations are those of the unmodified convolutions and dense layers. A layer's backward pass counts twice its
 * forward pass, or once where its weights are fixed. R1 adds three times the discriminator's forward pass.
 *
 *   npm run bench -- train [--networks light,pggan] [--seconds 12] [--threads 2] [--cpu-time] [--python /usr/bin/python3]
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { writeNpz } from '../src/arrays/npy.ts';
import type { Dataset } from '../src/datasets/dataset.ts';
import { fitBackbone } from '../src/gan/fit-backbone.ts';
import type { Network } from '../src/gan/networks/layers.ts';
import { type Architecture, defaultSettings, type TrainingSettings } from '../src/gan/settings.ts';
import type { Networks } from '../src/gan/steps/generator-step.ts';
import { dryRunValue } from '../src/gan/steps/update.ts';
import { createTrainer } from '../src/gan/trainer.ts';
import { encodeModel } from '../src/onnx/encode.ts';
import type { StaticGraph } from '../src/onnx/graph.ts';
import { numbersOf, sizeOf, type Tensor } from '../src/onnx/tensor.ts';
import { specialise } from '../src/passes/specialise.ts';
import { randomFrom } from '../src/random.ts';
import { nodeRuntime } from '../src/runtime/node/onnxruntime.ts';
import { evaluatorOf, type Runtime } from '../src/runtime/runtime.ts';
import { matmulRate, processorClock, wallClock } from './clocks.ts';
import { argument, median } from './trials.ts';

const SIZE = 64;
const CHANNELS = 3;

/** R1 is timed at every fourth step, so that there are enough of both kinds, and counted at every sixteenth. */
const TIMED_EVERY = 4;
const COUNTED_EVERY = 16;

/** The first steps of each kind compile or warm up. */
const FIRST = 2;
const MIN_RUNS = 3;

export async function train(args: readonly string[]): Promise<void> {
  const busy = args.includes('--cpu-time');
  const threads = busy ? 1 : Number(argument(args, 'threads', '2'));
  const seconds = Number(argument(args, 'seconds', '12'));
  const python = argument(args, 'python', '/usr/bin/python3');
  const runtime = nodeRuntime({ threads });
  const clock = busy ? processorClock : wallClock;
  for (const name of argument(args, 'networks', 'light,pggan').split(',')) {
    const before = await matmulRate(runtime, clock);
    const trainer = await trainerOf(name as Architecture, runtime);
    const times: { plain: number[]; penalised: number[] } = { plain: [], penalised: [] };
    const enough = () => Math.min(times.plain.length, times.penalised.length) >= FIRST + MIN_RUNS;
    for (const end = performance.now() + 1000 * seconds; performance.now() < end || !enough(); ) {
      const kind = trainer.done % TIMED_EVERY === 0 ? 'penalised' : 'plain';
      const start = clock();
      await trainer.step();
      times[kind].push(clock() - start);
    }
    const [plain, penalised] = [times.plain, times.penalised].map((own) => median(own.slice(FIRST)));
    const ms = plain + (penalised - plain) / COUNTED_EVERY;
    const { settings } = trainer;
    const networks = await staticNetworks(await trainer.networks(), settings, runtime);
    await trainer.dispose();
    const matmul = Math.max(before, await matmulRate(runtime, clock));
    const flops = nominal(networks);
    const told = (who: string, time: number) =>
      `${name}, ${who}: ${(time / 1000).toFixed(3)} s per iteration, ${((1000 * batchOf(settings)) / time).toFixed(1)} images/s, ` +
      `nominal ${(flops / time / 1e6).toFixed(0)} GFLOP/s = ${(flops / time / 1e6 / matmul).toFixed(2)} x MatMul`;
    console.log(`${told('rgi', ms)} (plain ${plain.toFixed(0)} ms, with R1 ${penalised.toFixed(0)} ms)`);
    const peer = await inPyTorch(python, networks, settings, { threads, seconds, busy });
    if (typeof peer === 'string') console.log(`${name}, PyTorch: not measured (${peer})`);
    else {
      const time = peer.plain + (peer.penalised - peer.plain) / COUNTED_EVERY;
      console.log(`${told(`PyTorch ${peer.version}`, time)}; rgi takes ${(ms / time).toFixed(2)} of its time`);
    }
  }
}

const batchOf = ({ samples, reconstructions }: TrainingSettings) => samples + reconstructions;

/** A trainer with the defaults of this size, past its warm-up, on striped pictures. */
async function trainerOf(architecture: Architecture, runtime: Runtime) {
  const random = randomFrom(1);
  const pictures = Array.from({ length: 96 }, (_, n) => {
    const [phase, pitch] = [6 * random.uniform(), 0.1 + 0.4 * random.uniform()];
    const data = Uint8Array.from({ length: CHANNELS * SIZE * SIZE }, (_, i) => 128 + 100 * Math.sin(phase + pitch * i));
    return { name: `${n}`, height: SIZE, width: SIZE, data };
  });
  const dataset: Dataset = { channels: CHANNELS, size: SIZE, pictures, mirror: false };
  const given = { architecture, warmup: 0, penaltyEvery: TIMED_EVERY, augment: undefined };
  const facts = { size: SIZE, count: pictures.length };
  const fitted = await fitBackbone(dataset, defaultSettings(facts, given).latent, runtime);
  return createTrainer(dataset, defaultSettings({ ...facts, ...fitted }, given), runtime, fitted.backbone);
}

interface Statics {
  readonly generator: StaticGraph;
  readonly discriminator: StaticGraph;
  readonly encoder: StaticGraph;
}

/** The networks at the batches at which a step applies them. */
async function staticNetworks(networks: Networks, settings: TrainingSettings, runtime: Runtime): Promise<Statics> {
  const evaluate = evaluatorOf(runtime, encodeModel);
  const at = ({ graph, rates }: Network, batch: number) => {
    const inputs = graph.inputs.map((info) => ({ ...info, dims: [batch, ...info.dims.slice(1)] }));
    const feeds = new Map(inputs.map((info) => [info.name, dryRunValue(info)]));
    return specialise({ ...graph, inputs }, feeds, evaluate, { variables: new Set(rates.keys()) });
  };
  return {
    generator: await at(networks.generator, batchOf(settings)),
    discriminator: await at(networks.discriminator, batchOf(settings)),
    encoder: await at(networks.encoder!, settings.reconstructions),
  };
}

/** Operations of one iteration. The discriminator judges what was made twice: in the generator's step and in its own. */
function nominal({ generator, discriminator, encoder }: Statics): number {
  const [g, d, e] = [generator, discriminator, encoder].map(forward);
  return 3 * g + 3 * e + 2 * d + 2 * 3 * d + (3 * d) / COUNTED_EVERY;
}

/** Of convolutions and dense layers, a multiplication and an addition counted as two. */
function forward({ nodes, types }: StaticGraph): number {
  const dims = (name: string) => types.get(name)!.dims;
  return nodes.reduce((sum, { operator, inputs, outputs }) => {
    if (operator === 'Conv') return sum + 2 * sizeOf(dims(outputs[0])) * sizeOf(dims(inputs[1]).slice(1));
    if (operator === 'Gemm') return sum + 2 * sizeOf(dims(outputs[0])) * dims(inputs[0])[1];
    return sum;
  }, 0);
}

interface Peer {
  readonly version: string;
  /** Milliseconds per iteration, without R1 and with it. */
  readonly plain: number;
  readonly penalised: number;
}

/** Runs the same step in PyTorch; a sentence where that cannot be done. */
async function inPyTorch(
  python: string,
  networks: Statics,
  settings: TrainingSettings,
  { threads, seconds, busy }: { threads: number; seconds: number; busy: boolean },
): Promise<Peer | string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'rgi-pytorch-'));
  try {
    const runtime = nodeRuntime({ threads });
    for (const [name, graph] of Object.entries(networks) as [string, StaticGraph][]) {
      await writeFile(path.join(folder, `${name}.json`), JSON.stringify(plainGraph(graph)));
      // What it gives for a known input, so that the peer can show that it computes the same.
      const feeds = new Map(graph.inputs.map((info) => [info.name, dryRunValue(info)]));
      const names = graph.outputs.map((info) => info.name);
      const made = await evaluatorOf(runtime, encodeModel)(graph, feeds, names);
      const arrays = [...graph.initializers, ...feeds, ...made].map(([key, tensor]): [string, Tensor] => [
        key.replaceAll('/', '|'),
        tensor,
      ]);
      await writeFile(path.join(folder, `${name}.npz`), writeNpz(new Map(arrays)));
    }
    const { samples, reconstructions, latent, weights, betas, rate, penalty } = settings;
    const told = { samples, reconstructions, latent, weights, betas, rate, penalty: penalty * COUNTED_EVERY };
    await writeFile(path.join(folder, 'step.json'), JSON.stringify({ ...told, threads, seconds, busy }));
    const script = path.join(import.meta.dirname, 'pytorch_train.py');
    const { status, stdout, stderr, error } = spawnSync(python, [script, folder], { encoding: 'utf8' });
    if (error) return error.message;
    return status === 0 ? (JSON.parse(stdout) as Peer) : (stderr.trim().split('\n').at(-1) ?? `code ${status}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function plainGraph({ nodes, inputs, outputs, initializers }: StaticGraph): unknown {
  return {
    inputs: inputs.map((info) => info.name),
    outputs: outputs.map((info) => info.name),
    parameters: [...initializers.keys()].filter((name) => /\.(weight|bias)$/.test(name)),
    nodes: nodes.map((node) => ({
      operator: node.operator,
      inputs: node.inputs,
      outputs: node.outputs,
      attributes: Object.fromEntries(
        Object.entries(node.attributes).map(([key, attribute]) => [
          key,
          attribute.kind === 'tensor' ? numbersOf(attribute.value) : attribute.value,
        ]),
      ),
    })),
  };
}
