/**
 * The speed of one step (forward, masked squared loss + lambda |M|, backward, Adam of z and M, and of every weight with
 * theta), as the product compiles and runs it. Each case runs in a process of its own, so that its peak memory is its own.
 * Nominal GFLOP/s count the unmodified network, forward and backward; the ratio is to a 2048^3 MatMul on ONNX Runtime,
 * the best of timings before and after the case. `../shared/peers/pytorch_step.py` is the PyTorch peer.
 */

import { spawn } from 'node:child_process';
import { type CompiledStep, compileStep } from '../src/inversion/compile/step.ts';
import { STEP } from '../src/inversion/compile/step-names.ts';
import type { Generator } from '../src/inversion/generator/generator.ts';
import { LAW_MOMENTS } from '../src/inversion/generator/latent-law.ts';
import { ADAM, type Formulation } from '../src/inversion/spec/formulation.ts';
import { splitModel } from '../src/onnx/encode.ts';
import { float32, scalar, sizeOf, type Tensor, zeros } from '../src/onnx/tensor.ts';
import { adamCorrections } from '../src/optim/adam.ts';
import { randomFrom } from '../src/random.ts';
import { nodeRuntime } from '../src/runtime/node/onnxruntime.ts';
import { evaluatorOf, type Runtime } from '../src/runtime/runtime.ts';
import { type Clock, matmulRate, processorClock, wallClock } from './clocks.ts';
import { forwardFlops, generatorGraph, imageSize, NETWORKS, type Network } from './networks.ts';

interface Case {
  readonly network: keyof typeof NETWORKS;
  readonly batch: number;
  readonly theta: boolean;
}

const CASES: readonly Case[] = [false, true].flatMap((theta): Case[] => [
  { network: 'small64', batch: 1, theta },
  { network: 'small64', batch: 8, theta },
  { network: 'pggan128', batch: 1, theta },
]);

const WARM_UP = 3;
const RATES = { latent: 0.1, mask: 0.01, weights: 1e-5 };

/** `step [--json] [--case NETWORK,BATCH,THETA] [--seconds S] [--cpu-time]`: all six cases, or the one given. */
export async function step(args: readonly string[]): Promise<void> {
  const option = (name: string) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
  const one = option('--case');
  const seconds = Number(option('--seconds') ?? 4);
  const json = args.includes('--json');
  const busy = args.includes('--cpu-time');
  if (one) {
    const [network, batch, theta] = one.split(',');
    const result = await measure(
      { network: network as Case['network'], batch: Number(batch), theta: theta === 'true' },
      seconds,
      busy,
    );
    console.log(json ? JSON.stringify(result) : describe(result));
    return;
  }
  for (const { network, batch, theta } of CASES) {
    const own = ['step', ...(json ? ['--json'] : []), ...(busy ? ['--cpu-time'] : []), '--seconds', String(seconds)];
    await child([...own, '--case', `${network},${batch},${theta}`]);
  }
}

/** Runs the benchmark in a fresh process; its output is ours. */
function child(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const [script] = process.argv.slice(1);
    const started = spawn(process.execPath, [...process.execArgv, script, ...args], { stdio: 'inherit' });
    started.on('error', reject);
    started.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a case ended with code ${code}`))));
  });
}

interface Result {
  readonly network: string;
  readonly batch: number;
  readonly theta: boolean;
  readonly onnxruntime: string;
  /** What the clock was: the wall, or one thread's processor time. */
  readonly clock: 'wall' | 'processor';
  readonly ms: number;
  readonly best_ms: number;
  readonly gflops: number;
  readonly matmul_gflops: number;
  readonly ratio_to_matmul: number;
  readonly compile_ms: number;
  readonly peak_rss_mb: number;
}

async function measure({ network, batch, theta }: Case, seconds: number, busy: boolean): Promise<Result> {
  const runtime = nodeRuntime(busy ? { threads: 1 } : {});
  const clock = busy ? processorClock : wallClock;
  const net: Network = NETWORKS[network];
  const before = await matmulRate(runtime, clock);
  const { times, compileMs } = await timedSteps(net, { batch, theta }, seconds, runtime, clock);
  const ms = times[Math.floor(times.length / 2)];
  const matmul = Math.max(before, await matmulRate(runtime, clock));
  const gflops = (batch * forwardFlops(net) * (theta ? 3 : 2)) / ms / 1e6;
  return {
    network,
    batch,
    theta,
    onnxruntime: runtime.version,
    clock: busy ? 'processor' : 'wall',
    ms: rounded(ms, 2),
    best_ms: rounded(times[0], 2),
    gflops: rounded(gflops, 1),
    matmul_gflops: rounded(matmul, 1),
    ratio_to_matmul: rounded(gflops / matmul, 3),
    compile_ms: Math.round(compileMs),
    peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
  };
}

/** Milliseconds of each step of `net`, ascending, those of the warm-up left out; and of compiling it. */
export async function timedSteps(
  net: Network,
  { batch, theta }: Pick<Case, 'batch' | 'theta'>,
  seconds: number,
  runtime: Runtime,
  clock: Clock,
): Promise<{ readonly times: readonly number[]; readonly compileMs: number }> {
  const generator = generatorOf(net);
  const formulation = formulationOf(generator, theta);
  const start = performance.now();
  const compiled = await compileStep(generator, formulation, batch, evaluatorOf(runtime, splitModel));
  const size = imageSize(net);
  const random = randomFrom(1);
  const x = float32(random.normals(batch * 3 * size * size), [batch, 3, size, size]);
  const loop = await runtime.loop(splitModel(compiled.step), stateOf(compiled), new Map([[STEP.x, x]]));
  const compileMs = performance.now() - start;
  const times: number[] = [];
  const end = performance.now() + 1000 * seconds;
  for (let t = 1; times.length < WARM_UP + 10 || performance.now() < end; t++) {
    const feeds = feedsOf(compiled, t);
    const began = clock();
    await loop.step(feeds);
    times.push(clock() - began);
  }
  await loop.dispose();
  return { times: times.slice(WARM_UP).sort((a, b) => a - b), compileMs };
}

function generatorOf(net: Network): Generator {
  const size = imageSize(net);
  return {
    graph: generatorGraph(net),
    output: 'image',
    latents: [{ name: 'z', dims: [net.z, 1, 1] }],
    moments: new Map([['z', LAW_MOMENTS.normal]]),
    channels: 3,
    height: size,
    width: size,
    batch: 'any',
    draw: async (count, random) => new Map([['z', float32(random.normals(count * net.z), [count, net.z, 1, 1])]]),
  };
}

function formulationOf(generator: Generator, theta: boolean): Formulation {
  const weights = [...generator.graph.initializers.keys()].filter((name) => /\.(weight|bias)$/.test(name));
  return {
    loss: [{ kind: 'l2', weight: 1 }],
    reduction: 'sum',
    mask: { form: 'free', shared: true, initial: 0 },
    priors: [],
    optimiser: ADAM,
    weightGroups: theta ? [weights] : [],
  };
}

/** z drawn, M and all moments zero, weights as the generator's. */
function stateOf(compiled: CompiledStep): Map<string, Tensor> {
  const random = randomFrom(2);
  const variables = new Map<string, Tensor>(compiled.weights);
  for (const [name, dims] of compiled.latents) variables.set(name, float32(random.normals(sizeOf(dims)), dims));
  if (compiled.mask) variables.set(STEP.mask, zeros('float32', compiled.mask));
  const state = new Map(variables);
  for (const [name, tensor] of variables) {
    state.set(STEP.firstMoment(name), zeros('float32', tensor.dims));
    state.set(STEP.secondMoment(name), zeros('float32', tensor.dims));
  }
  return state;
}

function feedsOf(compiled: CompiledStep, t: number): Map<string, Tensor> {
  const { batch, stepInputs } = compiled;
  const perImage = (value: number, dims: readonly number[]) => float32(new Float32Array(batch).fill(value), dims);
  const [correction1, correction2] = adamCorrections(t, 0.9, 0.999);
  const all: readonly (readonly [string, Tensor])[] = [
    [STEP.lambda, perImage(0.1, [batch, 1, 1, 1])],
    [STEP.latentRate, perImage(RATES.latent, [batch])],
    [STEP.maskRate, perImage(RATES.mask, [batch])],
    [STEP.weightRate(0), scalar(RATES.weights)],
    [STEP.correction1, scalar(correction1)],
    [STEP.correction2, scalar(correction2)],
  ];
  return new Map(all.filter(([name]) => stepInputs.has(name)));
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function describe(r: Result): string {
  const name = `${r.network} batch ${r.batch}${r.theta ? ' theta' : ''}`.padEnd(24);
  return (
    `${name} ${r.ms.toFixed(1)} ms (best ${r.best_ms.toFixed(1)}), ${r.gflops} GFLOP/s = ${r.ratio_to_matmul} x MatMul ` +
    `(${r.matmul_gflops}); compiled in ${r.compile_ms} ms, peak ${r.peak_rss_mb} MB`
  );
}
