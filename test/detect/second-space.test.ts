/** Policies that compare features beside pixels: made, stored, read and applied. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Calibration, calibrate } from '../../src/detect/calibrate.ts';
import { calibrationFacts } from '../../src/detect/calibration-facts.ts';
import { featureMap, openFeatureScorer } from '../../src/detect/feature-space.ts';
import { openInspector } from '../../src/detect/inspector.ts';
import { inOneSpace, joinedMap, joinUnits } from '../../src/detect/joining.ts';
import { readPolicy, writePolicy } from '../../src/detect/node/policy-files.ts';
import { statisticsArrays, statisticsFrom } from '../../src/detect/policy.ts';
import type { FeatureNetwork } from '../../src/features/network.ts';
import type { Image } from '../../src/images/image.ts';
import { type Generator, openGenerator } from '../../src/inversion/generator/generator.ts';
import { openModel } from '../../src/models/node/model-file.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { tinyFeatures } from '../features/tiny.ts';
import { goodPictures, productGraph, SIDE } from './made.ts';

let runtime: Runtime;
let generator: Generator;
let network: FeatureNetwork;
let calibration: Calibration;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'rgi-features-'));
  runtime = await nodeRuntime({ threads: 1 });
  generator = await openGenerator(productGraph(), runtime);
  network = await tinyFeatures(runtime, SIDE);
  const features = { network, file: 'tiny.onnx', sha256: 'abc', learnt: await goodPictures(runtime, 30, 3) };
  const unseen = await goodPictures(runtime, 32, 1);
  calibration = await calibrate(
    {
      generator,
      form: 'object',
      unseen,
      features,
      steps: 30,
      search: { comparedOn: 8, priorStrengths: [1], starts: 2 },
    },
    runtime,
  );
});
afterAll(async () => {
  await runtime.dispose();
  await rm(folder, { recursive: true });
});

describe('a policy of pixels and features', () => {
  test('says what was compared, and stores both spaces', () => {
    const { policy, spaces } = calibration;
    expect(Object.keys(spaces!)).toEqual(['both', 'pixels', 'features']);
    expect(policy.calibration.spaces).toBe('both');
    expect(policy.features).toMatchObject({
      network: { file: 'tiny.onnx', sha256: 'abc', range: '-1..1', size: SIDE, layers: ['contrast'] },
      smoothing: (2 * SIDE) / 128,
    });
    expect(policy.statistics.features).toMatchObject({ groups: [1], grid: 32 });
  });

  test('inspects by the map of pixels and that of features, joined', async () => {
    const { policy } = calibration;
    const fresh = await goodPictures(runtime, 6, 2);
    const { features: settings, statistics, ...rest } = policy;
    const alone = { ...rest, statistics: { location: statistics.location, whitening: statistics.whitening } };
    const [joined, pixels] = await Promise.all(
      [policy, alone].map(async (one) => {
        const inspector = await openInspector({ generator, policy: one, features: network }, runtime);
        const found = await inspector.inspect(fresh);
        await inspector.dispose();
        return found.map(({ map }) => map);
      }),
    );
    const scorer = await openFeatureScorer(network, statistics.features!, generator, runtime);
    const distances = await scorer.score(fresh);
    await scorer.dispose();
    joined.forEach((map, i) => {
      const features = featureMap(distances[i], generator, settings!.smoothing);
      expect(map).toEqual(joinedMap(pixels[i], features, settings!.units));
    });
    const all = joined.flatMap(({ data }) => [...data]);
    expect(all.reduce((sum, v) => sum + v, 0) / all.length).toBeCloseTo(1, 0);
  });

  test('is restricted to one of its spaces for comparison: the maps of both, each alone, add up to its own', async () => {
    const { policy } = calibration;
    const [shown] = await goodPictures(runtime, 1, 2);
    const mapOf = async (used: typeof policy) => {
      const inspector = await openInspector({ generator, features: network, policy: used }, runtime);
      const [{ map }] = await inspector.inspect([shown]);
      await inspector.dispose();
      return map.data;
    };
    const [pixels, features] = [await mapOf(inOneSpace(policy, 'pixels')), await mapOf(inOneSpace(policy, 'features'))];
    (await mapOf(policy)).forEach((v, p) => {
      expect(pixels[p] + features[p]).toBeCloseTo(v, 4);
    });
    const { features: _, ...alone } = policy;
    expect(() => inOneSpace(alone, 'pixels')).toThrow(
      "The policy 'default' has no map of pixels beside another: leave spaces= out.",
    );
  });

  test('is one of both, although pixels alone find the drawn defects better: these mislead', async () => {
    const unseen = await goodPictures(runtime, 29, 1);
    const features = { network, file: 'tiny.onnx', sha256: 'abc' };
    const search = { comparedOn: 12, priorStrengths: [1] };
    const job = { generator, form: 'object', unseen, features, steps: 40, search } as const;
    const { policy, spaces } = await calibrate(job, runtime);
    expect(spaces!.pixels!.pixelAp).toBeGreaterThan(spaces!.both!.pixelAp);
    expect(policy.calibration.spaces).toBe('both');
  });

  test('is one of features alone with fewer than eight held-out pictures; all pictures set its thresholds', async () => {
    const [unseen, learnt] = [await goodPictures(runtime, 2, 1), await goodPictures(runtime, 2, 3)];
    const features = { network, file: 'tiny.onnx', sha256: 'abc', learnt, learntNames: ['c.png', 'd.png'] };
    const job = { generator, form: 'object', unseen, steps: 10, search: { priorStrengths: [1] } } as const;
    const { policy, notes } = await calibrate({ ...job, names: ['a.png', 'b.png'], features }, runtime);
    expect(policy.calibration).toMatchObject({ spaces: 'features', unseen: 4 });
    expect(policy.features!.units.pixels).toBe(0);
    const names = calibrationFacts(policy).oddest.map(({ name }) => name);
    expect(names.sort()).toEqual(['a.png', 'b.png', 'c.png', 'd.png']);
    expect(notes.slice(0, 2)).toEqual([
      'Features alone are compared: of pixels nothing can be said with fewer than 8 held-out pictures.',
      'Thresholds are set on 4 good pictures only: no rate of false alarms below 20% can be known from them, so the limits for 5% are extrapolated.',
    ]);
    await expect(calibrate(job, runtime)).rejects.toThrow('2 held-out good pictures are too few');
  });

  test('is the same when it is read back from its two files', async () => {
    const file = path.join(folder, 'part.onnx');
    await writeFile(file, encodeModel(productGraph()));
    await writePolicy(file, calibration.policy);
    const read = await readPolicy(file, await openModel(file));
    expect(read.features).toEqual(calibration.policy.features);
    const [picture] = await goodPictures(runtime, 1, 5);
    const maps: Image[] = [];
    for (const policy of [calibration.policy, read]) {
      const inspector = await openInspector({ generator, policy, features: network }, runtime);
      maps.push((await inspector.inspect([picture]))[0].map);
      await inspector.dispose();
    }
    expect(maps[1].data).toEqual(maps[0].data);
  });

  test('asks for its network where none is given', async () => {
    await expect(openInspector({ generator, policy: calibration.policy }, runtime)).rejects.toThrow(
      "The policy 'default' compares the features of 'tiny.onnx': open that network and give it as 'features'.",
    );
  });

  test('has statistics that are refused where their arrays do not go together', () => {
    const arrays = statisticsArrays(calibration.policy.statistics);
    expect(statisticsFrom(arrays)?.features).toBeDefined();
    for (const name of ['featureGroups', 'featureMean', 'featureWhitening'])
      expect(statisticsFrom(new Map([...arrays].filter(([key]) => key !== name))), name).toBeUndefined();
  });
});

describe('joined maps', () => {
  const map = (values: readonly number[]) => float32(values, [1, 1, 1, values.length]);
  // Largest values 2 (pixels) and 10 (features) on all good pictures.
  const pixels = [map([2, 0]), map([2, 0])];
  const features = [map([10, 0]), map([0, 10])];

  test('measure each space in units of its good pictures, and are 1 on average on these', () => {
    const units = joinUnits(pixels, features, 'both');
    // Pixels count .3 / 2 and features .7 / 10 for each unit of their maps.
    expect(units.features / units.pixels).toBeCloseTo(10 / 0.7 / (2 / 0.3), 5);
    const joined = pixels.map((one, i) => joinedMap(one, features[i], units));
    expect(joined.flatMap(({ data }) => [...data]).reduce((sum, v) => sum + v, 0) / 4).toBeCloseTo(1, 5);
  });

  test('of one space leave the other out', () => {
    const alone = joinedMap(pixels[0], features[0], joinUnits(pixels, features, 'pixels'));
    expect([...alone.data]).toEqual([expect.closeTo(2, 5), 0]);
    const other = joinedMap(pixels[1], features[1], joinUnits(pixels, features, 'features'));
    expect([...other.data]).toEqual([0, expect.closeTo(2, 5)]);
  });
});
