/** The theorems on a linear generator, where they must show; where their assumptions fail, that must show too. */

import { beforeAll, describe, expect, it, test } from 'vitest';
import { reuse } from '../../src/inversion/compile/reuse.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { float32, float32Data, type Tensor } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { runCell } from '../../src/theory/experiment.ts';
import { errorsOf, findInvariance, generateImages, latentError } from '../../src/theory/measure.ts';
import { PATH, type PathPlan, planOf, WEIGHT_STEPS } from '../../src/theory/plan.ts';
import type { Errors, PathCell, Point, TuningCell } from '../../src/theory/record.ts';
import { cellSchema } from '../../src/theory/record-schema.ts';
import type { Setting } from '../../src/theory/setting.ts';
import { lowestOf, spreadOf, standingOf } from '../../src/theory/summary.ts';
import { linearGenerator, linearSetting, SIDE } from './support.ts';

const runtime = nodeRuntime({ threads: 1 });
const COUNT = 3;
let setting: Setting;
beforeAll(async () => {
  setting = await linearSetting(runtime, COUNT);
});

const hooks = () => ({ reuse: reuse() });

async function cellOf(part: Partial<PathPlan>): Promise<PathCell> {
  const plan: PathPlan = {
    kind: 'path',
    experiment: 'path',
    case: 'random',
    corruption: { region: { kind: 'random', share: 0.3 } },
    estimator: 'rgi-l2',
    count: COUNT,
    fromTruth: true,
    ...part,
  };
  return (await runCell(plan, 'key', setting, runtime, hooks())) as PathCell;
}

const worst = (errors: readonly Errors[], of: (e: Errors) => number | null | undefined) =>
  Math.max(...errors.map((e) => of(e) ?? Number.NaN));
const last = (cell: PathCell): Point => cell.points[cell.points.length - 1];

describe('as lambda goes to 0, z, image and mask go to the truth', () => {
  it.each(['rgi-l2', 'rgi-l1'] as const)('with %s, at every latent', async (estimator) => {
    const cell = await cellOf({ estimator });
    expect(cell.points.map((point) => point.grey)).toEqual(PATH);
    const end = last(cell);
    expect(end.search).toHaveLength(COUNT);
    expect(worst(end.search, (e) => e.rms)).toBeLessThan(0.05);
    expect(worst(end.search, (e) => e.z)).toBeLessThan(1e-3);
    expect(worst(end.search, (e) => e.mask?.falsePositives)).toBe(0);
    // Of N(-1,1) at most a few values lie within a grey level of G(z*).
    expect(worst(end.search, (e) => e.mask?.distance)).toBeLessThan(0.03);
    expect(standingOf(end)).toEqual({ trapped: 0, elsewhere: 0 });
  });

  it('with squares as lambda^2, where all corruption is gross: its pull is lambda^2 / (2 r^3)', async () => {
    const fill = { kind: 'deviation', mean: 1.5, deviation: 0.1 } as const;
    const { points } = await cellOf({ corruption: { region: { kind: 'random', share: 0.2 }, fill } });
    const at = (grey: number) => spreadOf(points.find((p) => p.grey === grey)!.search.map((e) => e.rms))!.median;
    expect(at(64) / at(32)).toBeGreaterThan(14);
    expect(at(64) / at(32)).toBeLessThan(20);
  });

  it('and least squares without a mask do not', async () => {
    const { search } = last(await cellOf({ estimator: 'squares', fromTruth: false, count: 1 }));
    expect(search[0].rms).toBeGreaterThan(5);
    expect(search[0].mask).toBeNull();
  });
});

describe('where the assumptions fail', () => {
  it('off the manifold, sound pixels are masked below the gap and not above', async () => {
    const { points } = await cellOf({ experiment: 'gap', estimator: 'rgi-l1', gap: 8, level: 8, count: 1 });
    const share = (grey: number) =>
      spreadOf(points.find((p) => p.grey === grey)!.search.map((e) => e.mask?.falsePositives))!.median;
    expect(share(64)).toBeLessThan(0.01);
    expect(share(1)).toBeGreaterThan(0.5);
  });

  it('corruption below the threshold is missed', async () => {
    const { points } = await cellOf({
      experiment: 'weak',
      estimator: 'rgi-l1',
      count: 1,
      corruption: {
        region: { kind: 'block', share: 0.25 },
        fill: { kind: 'deviation', mean: 0, deviation: 4 / 127.5 },
      },
    });
    const misses = (grey: number) => worst(points.find((p) => p.grey === grey)!.search, (e) => e.mask?.misses);
    expect(misses(64)).toBe(1);
    expect(misses(1)).toBeLessThan(0.5);
  });
});

test('R-RGI is looked at after every planned number of steps, and follows perturbed weights', async () => {
  const cell = (await runCell(
    {
      kind: 'tuning',
      experiment: 'tuning',
      case: 'block',
      corruption: { region: { kind: 'block', share: 0.1 } },
      gap: 'weights',
      level: 0.3,
      maskGiven: true,
      count: 1,
    },
    'key',
    setting,
    runtime,
    hooks(),
  )) as TuningCell;
  expect(cell.points.map((point) => point.weightSteps)).toEqual(WEIGHT_STEPS);
  const outside = cell.points.map((point) => point.errors[0].rmsOutside!);
  expect(cell.gapGrey).toBeGreaterThan(3);
  expect(outside[outside.length - 1]).toBeLessThan(0.5 * outside[0]);
});

test('an aborted cell is none', async () => {
  const plan = planOf({ count: 1, experiments: ['path'] })[0];
  const signal = AbortSignal.abort();
  expect(await runCell(plan, 'key', setting, runtime, { ...hooks(), signal })).toBeUndefined();
});

describe('errors', () => {
  it('are of z, of the image whole and in parts, of the mask', () => {
    const clean = float32(new Float32Array(SIDE * SIDE), [1, 1, SIDE, SIDE]);
    const mask = float32(
      clean.data.map((_, i) => (i < SIDE ? 1 : 0)),
      clean.dims,
    );
    // Off by 10 grey levels where corrupted, by 2 elsewhere; half of the corrupted row found, and one sound pixel.
    const image = float32(
      clean.data.map((_, i) => (i < SIDE ? 10 : 2) / 127.5),
      clean.dims,
    );
    const soft = float32(
      clean.data.map((_, i) => (i < SIDE / 2 || i === SIDE ? 0.75 : 0)),
      clean.dims,
    );
    const z = (values: number[]) => new Map<string, Tensor>([['z', float32(values, [1, 2])]]);
    const found = { objective: 3, image, mask: soft, latents: z([3, 5]) };
    const errors = errorsOf(found, { clean, mask, latents: z([3, 4]) }, { scale: false, sentence: '' });
    expect(errors.z).toBeCloseTo(1 / 5, 6);
    expect(errors.rmsInside).toBeCloseTo(10, 4);
    expect(errors.rmsOutside).toBeCloseTo(2, 4);
    expect(errors.rms).toBeCloseTo(Math.sqrt((100 + 11 * 4) / 12), 4);
    expect(errors.mask!.iou).toBeCloseTo(6 / 13, 5);
    expect(errors.mask!.misses).toBe(0.5);
    expect(errors.mask!.falsePositives).toBeCloseTo(1 / (11 * SIDE), 5);
    expect(errors.mask!.distance).toBeCloseTo((6 * 0.25 + 6 + 0.75) / SIDE ** 2, 5);
  });

  it('of z are of its direction where G takes no account of its length, which is found out', async () => {
    const a = new Map([['z', float32([2, 0], [1, 2])]]);
    const b = new Map([['z', float32([0.5, 0], [1, 2])]]);
    expect(latentError(a, b, false)).toBeCloseTo(3, 6);
    expect(latentError(a, b, true)).toBe(0);
    const normalised = await openGenerator(linearGenerator(true), runtime);
    expect((await findInvariance(normalised, runtime, 1)).scale).toBe(true);
    expect(setting.invariance.scale).toBe(false);
  });
});

test('a search that ends above the minimum next to z* is trapped; below it, z* is not where the objective is least', () => {
  const at = (objective: number): Errors => ({
    objective,
    z: null,
    rms: objective,
    rmsInside: null,
    rmsOutside: null,
    psnr: null,
    mask: null,
  });
  const point: Point = { grey: 1, lambda: 1, search: [1, 2, 3, 2.1].map(at), truth: [2, 2, 2, 2].map(at) };
  expect(standingOf(point)).toEqual({ trapped: 0.25, elsewhere: 0.25 });
  expect(lowestOf(point).map((e) => e.objective)).toEqual([1, 2, 2, 2]);
  expect(standingOf({ grey: 1, lambda: 1, search: point.search })).toBeUndefined();
});

test('G of any number of latents, from a generator of a fixed batch too', async () => {
  const { generator, latents, clean } = setting;
  const graph = { ...generator.graph, inputs: [{ ...generator.graph.inputs[0], dims: [3, 4] }] };
  const made = await generateImages({ ...generator, graph, batch: 3 }, latents, runtime);
  expect(made.dims).toEqual(clean.dims);
  float32Data(made).forEach((v, i) => {
    expect(v).toBeCloseTo(clean.data[i], 5);
  });
});

test('a stored cell says maskGiven; one of an earlier version says told', () => {
  const cell = {
    kind: 'tuning',
    key: 'k',
    experiment: 'tuning',
    case: 'block',
    gap: 'smooth',
    level: 4,
    gapGrey: 4,
    points: [],
  };
  expect(cellSchema.parse({ ...cell, maskGiven: true })).toEqual({ ...cell, maskGiven: true });
  expect(cellSchema.parse({ ...cell, told: true })).toEqual({ ...cell, maskGiven: true });
  expect(cellSchema.safeParse({ ...cell, told: 'yes' }).success).toBe(false);
  expect(cellSchema.safeParse(cell).success).toBe(false);
});
