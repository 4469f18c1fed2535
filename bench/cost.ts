/**
 * How the cost of a search grows, with pixels, weights, batch and number of pictures: four plots, each beside its floor.
 *
 *   npm run bench -- cost --out FILE.svg [--seconds 1] [--repeats 5] [--cpu-time]
 *
 * The floor is the arithmetic of the unmodified network, forward and backward, at the rate of a 2048^3 MatMul; steps lie below it where
 * merged upsampling and regrouped products save arithmetic. A slope is that of a straight
 * line through the logarithms: 1 is in proportion. Plots 1 to 3 are of one step; the fourth is of whole restorations, compiled once.
 */
import { writeFile } from 'node:fs/promises';
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom/worker';
import { reuse } from '../src/inversion/compile/reuse.ts';
import { openGenerator } from '../src/inversion/generator/generator.ts';
import { rgi } from '../src/inversion/methods/rgi.ts';
import { restoreImages } from '../src/inversion/solve/restore.ts';
import { nodeRuntime } from '../src/runtime/node/onnxruntime.ts';
import type { Runtime } from '../src/runtime/runtime.ts';
import { type Clock, matmulRate, processorClock, wallClock } from './clocks.ts';
import { forwardFlops, generatorGraph, imageSize, type Network } from './networks.ts';
import { timedSteps } from './step.ts';
import { argument, onManifold, trial } from './trials.ts';

interface Point {
  readonly x: number;
  readonly ms: number;
  readonly floor: number;
}

interface Curve {
  readonly title: string;
  readonly xLabel: string;
  readonly points: readonly Point[];
}

interface Setting {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly seconds: number;
  readonly repeats: number;
  /** GFLOP/s of the MatMul. */
  readonly rate: number;
}

/** Channels from 4 x 4 on, each resolution twice the one before. */
const BASE: Network = { z: 128, channels: [128, 128, 128, 64] };

export async function cost(args: readonly string[]): Promise<void> {
  const clock = args.includes('--cpu-time') ? processorClock : wallClock;
  const runtime = nodeRuntime({ threads: 1 });
  const setting: Setting = {
    runtime,
    clock,
    seconds: Number(argument(args, 'seconds', '1')),
    repeats: Number(argument(args, 'repeats', '5')),
    rate: await matmulRate(runtime, clock),
  };
  const curves = [await ofPixels(setting), await ofWeights(setting), await ofBatch(setting), await ofPictures(setting)];
  for (const curve of curves) console.log(tableOf(curve));
  await writeFile(argument(args, 'out', 'cost.svg'), drawn(curves));
  await runtime.dispose();
}

async function stepOf(network: Network, batch: number, { runtime, clock, seconds, rate }: Setting) {
  const { times } = await timedSteps(network, { batch, theta: false }, seconds, runtime, clock);
  return { ms: times[Math.floor(times.length / 2)], floor: (2 * batch * forwardFlops(network)) / rate / 1e6 };
}

/** The same layers at every size: 64 channels throughout. */
async function ofPixels(setting: Setting): Promise<Curve> {
  const points: Point[] = [];
  for (const levels of [2, 3, 4, 5, 6]) {
    const network = { z: 128, channels: new Array<number>(levels).fill(64) };
    points.push({ x: imageSize(network) ** 2, ...(await stepOf(network, 1, setting)) });
  }
  return { title: 'One step, by pixels', xLabel: 'pixels of the picture', points };
}

async function ofWeights(setting: Setting): Promise<Curve> {
  const points: Point[] = [];
  for (const width of [0.25, 0.5, 1, 2, 4]) {
    const network = { ...BASE, channels: BASE.channels.map((channels) => channels * width) };
    const weights = [...generatorGraph(network).initializers.values()].reduce((sum, { data }) => sum + data.length, 0);
    points.push({ x: weights, ...(await stepOf(network, 1, setting)) });
  }
  return { title: 'One step, by weights', xLabel: 'weights of the network at 32 x 32', points };
}

async function ofBatch(setting: Setting): Promise<Curve> {
  const points: Point[] = [];
  for (const batch of [1, 2, 4, 8, 16]) points.push({ x: batch, ...(await stepOf(BASE, batch, setting)) });
  return { title: 'One step, by batch', xLabel: 'searches in a batch', points };
}

/** Restorations of so many pictures; the floor is that of the steps that they made. */
async function ofPictures({ runtime, clock, rate, repeats }: Setting): Promise<Curve> {
  const generator = await openGenerator(generatorGraph(BASE), runtime);
  const method = rgi({ preset: 'fast', channels: 3, steps: 20, pool: 25 });
  const points: Point[] = [];
  for (const count of [1, 2, 4, 8, 16]) {
    const { corrupted: images } = trial(await onManifold(generator, count, 1, runtime), 'block', 1);
    const times: number[] = [];
    let searched = 0;
    for (let i = 0; i < Math.max(1, Math.floor(repeats / count)); i++) {
      searched = 0;
      const began = clock();
      const onStep = ({ loss }: { readonly loss: Float32Array }) => {
        searched += loss.length;
      };
      for await (const _ of restoreImages({ generator, method, images, reuse: reuse() }, runtime, { onStep }));
      times.push(clock() - began);
    }
    points.push({ x: count, ms: Math.min(...times), floor: (2 * searched * forwardFlops(BASE)) / rate / 1e6 });
  }
  return { title: 'Restorations, by number of pictures', xLabel: 'pictures', points };
}

/** Of ms against x, in the logarithms of both, by least squares. */
function slopeOf(points: readonly Point[], value: (point: Point) => number): number {
  const logs = points.map((point): [number, number] => [Math.log(point.x), Math.log(value(point))]);
  const mean = (at: 0 | 1) => logs.reduce((sum, pair) => sum + pair[at], 0) / logs.length;
  const [x, y] = [mean(0), mean(1)];
  const covariance = logs.reduce((sum, [a, b]) => sum + (a - x) * (b - y), 0);
  return covariance / logs.reduce((sum, [a]) => sum + (a - x) ** 2, 0);
}

const slopesOf = ({ points }: Curve) => [slopeOf(points, ({ ms }) => ms), slopeOf(points, ({ floor }) => floor)];

function tableOf(curve: Curve): string {
  const [slope, floor] = slopesOf(curve);
  const rows = curve.points.map(
    ({ x, ms, floor }) => `| ${[x, ms.toPrecision(3), floor.toPrecision(3)].join(' | ')} |`,
  );
  const head = `| ${curve.xLabel} | ms | floor, ms |\n| --- | --- | --- |`;
  return `\n${curve.title}: slope ${slope.toFixed(2)}, of the floor ${floor.toFixed(2)}\n\n${head}\n${rows.join('\n')}`;
}

const [WIDTH, HEIGHT] = [430, 300];
const CORNER = { frameAnchor: 'top-left', text: (line: string) => line } as const;

/** The four plots, two by two. */
function drawn(curves: readonly Curve[]): string {
  const { document } = parseHTML('<html></html>');
  const plots = curves.map((curve, i) => {
    const [slope, floor] = slopesOf(curve).map((value) => value.toFixed(2));
    const lines = { measured: '#1f6f8b', floor: '#b5541c' };
    const slopes = `slope ${slope}; dashed: floor, slope ${floor}`;
    const svg = Plot.plot({
      document,
      width: WIDTH,
      height: HEIGHT,
      marginLeft: 60,
      marginRight: 20,
      marginTop: 50,
      marginBottom: 40,
      x: { type: 'log', label: curve.xLabel, labelAnchor: 'center', labelArrow: 'none', ticks: 5, tickFormat: '~s' },
      y: { type: 'log', label: null, grid: true, ticks: 5, tickFormat: '~g' },
      marks: [
        Plot.line(curve.points, { x: 'x', y: 'ms', stroke: lines.measured, strokeWidth: 2 }),
        Plot.dot(curve.points, { x: 'x', y: 'ms', fill: lines.measured }),
        Plot.line(curve.points, { x: 'x', y: 'floor', stroke: lines.floor, strokeDasharray: '5 4', strokeWidth: 2 }),
        Plot.text([`${curve.title} (ms)`], { ...CORNER, dy: -38, fontSize: 14 }),
        Plot.text([slopes], { ...CORNER, dy: -18, fontSize: 11, fill: lines.measured }),
      ],
    });
    const place = `x="${(i % 2) * WIDTH}" y="${Math.floor(i / 2) * HEIGHT}"`;
    return svg.outerHTML.replace('<svg', `<svg ${place} xmlns="http://www.w3.org/2000/svg"`);
  });
  const size = `width="${2 * WIDTH}" height="${2 * HEIGHT}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif"><rect ${size} fill="white"/>${plots.join('')}</svg>\n`;
}
