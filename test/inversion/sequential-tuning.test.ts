/** Side by side as far as possible, then each picture's weights in turn: the same as one picture at a time. */
import { describe, expect, it } from 'vitest';
import { rows } from '../../src/arrays/rows.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { dgp } from '../../src/inversion/methods/dgp.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { type RrgiOptions, rrgi } from '../../src/inversion/methods/rrgi.ts';
import { runMethod } from '../../src/inversion/solve/driver.ts';
import { canBatchFirstStages, invertImages } from '../../src/inversion/solve/sequential-tuning.ts';
import type { Inversion } from '../../src/inversion/solve/solver.ts';
import { stageTunesWeights } from '../../src/inversion/spec/method.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { tinyGenerator } from '../support/tiny.ts';

const WEIGHT = 'layer.weight';
const COUNT = 3;
const runtime = nodeRuntime({ threads: 1 });
const generator = await openGenerator(tinyGenerator(), runtime);
const options: RrgiOptions = {
  preset: 'best',
  channels: 3,
  weights: [WEIGHT],
  steps: 42,
  starts: 2,
  pool: 30,
  weightSteps: 5,
};

const isCorrupted = (i: number) => i % 8 < 4 && Math.floor(i / 8) % 8 < 4;

async function corrupted() {
  const session = await runtime.session(encodeModel(generator.graph));
  const made = (await session.run(await generator.draw(COUNT, randomFrom(77)))).get('image')!;
  await session.dispose();
  const noise = randomFrom(5).normals(made.data.length);
  return float32(
    float32Data(made).map((v, i) => (isCorrupted(i) ? noise[i] : v)),
    made.dims,
  );
}

const images = await corrupted();
const masks = float32(
  Float32Array.from({ length: COUNT * 64 }, (_, i) => Number(isCorrupted(i))),
  [COUNT, 1, 8, 8],
);

async function inTurn(...args: Parameters<typeof invertImages>): Promise<Inversion[]> {
  const all: Inversion[] = [];
  for await (const { inversion } of invertImages(...args)) all.push(inversion);
  return all;
}

describe.each([
  ['the mask is found', rrgi(options), undefined],
  ['the threshold is chosen', rrgi({ ...options, thresholdGrey: 40 }), undefined],
  ['the mask is given', rrgi({ ...options, masked: true }), masks],
])('R-RGI, where %s', (_, method, given) => {
  it('gives each picture what it gets alone', async () => {
    const together = await inTurn(generator, method, runtime, images, given);
    expect(together).toHaveLength(COUNT);
    for (const [i, one] of together.entries()) {
      const alone = await runMethod(generator, method, runtime, rows(images, [i]), given && rows(given, [i]));
      expect(one.codes).toEqual(alone.codes);
      expect(one.steps).toEqual(alone.steps);
      expect(one.history.loss[0]).toHaveLength(one.steps[0]);
      expect(float32Data(one.mask!)).toEqual(float32Data(alone.mask!));
      for (const [made, expected] of [
        [one.image, alone.image],
        [one.weights.get(WEIGHT)!, alone.weights.get(WEIGHT)!],
      ]) {
        const expectedValues = float32Data(expected);
        const most = float32Data(made).reduce((m, v, p) => Math.max(m, Math.abs(v - expectedValues[p])), 0);
        // Sums in another order, after some fifty steps of a search.
        expect(most).toBeLessThan(2e-3);
      }
    }
  });
});

it('does not look at masks that the method has no use for', async () => {
  const wrong = float32(
    masks.data.map((m) => 1 - m),
    masks.dims,
  );
  const [blind, seeing] = await Promise.all([
    inTurn(generator, rrgi(options), runtime, images, undefined),
    inTurn(generator, rrgi(options), runtime, images, wrong),
  ]);
  expect(seeing.map(({ mask }) => mask!.data)).toEqual(blind.map(({ mask }) => mask!.data));
});

it('reports how many pictures a step moves: all, then one', async () => {
  const method = rrgi(options);
  const moved: [boolean, number][] = [];
  const stages = new Set<number>();
  for await (const { seconds } of invertImages(generator, method, runtime, images, undefined, {
    onStep: ({ stage }, pictures) => {
      stages.add(stage);
      moved.push([pictures === 1, pictures]);
    },
  })) {
    expect(seconds).toBeGreaterThan(0);
  }
  expect(moved.filter(([isOne]) => isOne)).toHaveLength(COUNT * 5);
  expect(new Set(moved.map(([, pictures]) => pictures))).toEqual(new Set([COUNT, 1]));
  expect(stages).toEqual(new Set(method.stages.keys()));
});

it('ends after the picture that it was stopped in', async () => {
  const stop = new AbortController();
  let inTurnSteps = 0;
  const made = await inTurn(generator, rrgi(options), runtime, images, undefined, {
    signal: stop.signal,
    onStep: (_, pictures) => {
      if (pictures === 1 && ++inTurnSteps === 7) stop.abort();
    },
  });
  expect(made.map(({ codes: [code] }) => code)).toEqual(['step-limit', 'interrupted']);
  // What is left of the method could not be resumed as the whole of it.
  expect(made.map(({ state }) => state)).toEqual([undefined, undefined]);
});

it('begins side by side where weights move last, or not at all', () => {
  const paper = rrgi({ preset: 'paper', channels: 3, weights: [WEIGHT] });
  const deep = dgp({ recipe: 'original', preset: 'paper', weightGroups: [[WEIGHT]], layers: [] });
  expect([rrgi(options), rgi({ preset: 'fast', channels: 3 }), paper, deep].map(canBatchFirstStages)).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(
    rrgi(options)
      .stages.filter(stageTunesWeights)
      .map(({ name }) => name),
  ).toEqual(['tune']);
});
