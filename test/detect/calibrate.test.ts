/** From good pictures to a policy and back, and what it finds. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Calibration, calibrate } from '../../src/detect/calibrate.ts';
import { findDefects } from '../../src/detect/defects.ts';
import { openInspector } from '../../src/detect/inspector.ts';
import { readPolicy, statisticsFile, writePolicy } from '../../src/detect/node/policy-files.ts';
import type { SearchSettings } from '../../src/detect/policy.ts';
import { openRestorer } from '../../src/detect/restorer.ts';
import { parsePolicy, policyNames } from '../../src/detect/stored-policy.ts';
import { withDefects } from '../../src/detect/synthetic.ts';
import type { Image } from '../../src/images/image.ts';
import { type Generator, openGenerator } from '../../src/inversion/generator/generator.ts';
import { openModel } from '../../src/models/node/model-file.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { goodPictures, productGraph, SIDE, withSquare } from './made.ts';

let runtime: Runtime;
let generator: Generator;
let unseen: Image[];
let calibration: Calibration;
let folder: string;

const job = (form: 'object' | 'tiles', images: readonly Image[]) => ({
  name: 'default',
  generator,
  law: 'normal' as const,
  form,
  scale: 1,
  unseen: images,
  seen: [],
  falseAlarms: { image: 0.1, pixel: 0.01 },
  steps: 40,
  seed: 0,
  facts: {},
});

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'rgi-policy-'));
  runtime = await nodeRuntime({ threads: 1 });
  generator = await openGenerator(productGraph(), runtime);
  unseen = await goodPictures(runtime, 24, 1);
  calibration = await calibrate(job('object', unseen), runtime);
});
afterAll(async () => {
  await runtime.dispose();
  await rm(folder, { recursive: true });
});

describe('a calibrated product', () => {
  test('has thresholds that new good pictures keep, about as often as was asked for', async () => {
    const { policy } = calibration;
    const fresh = await goodPictures(runtime, 40, 2);
    const inspector = await openInspector({ generator, policy }, runtime);
    const good = await inspector.inspect(fresh);
    const above = good.flatMap(({ map }) => [...map.data]).filter((v) => v > policy.thresholds.pixel).length;
    expect(above / (40 * SIDE * SIDE)).toBeLessThan(0.04);
    expect(good.filter((one) => one.defective).length).toBeLessThan(14);
    const bad = await inspector.inspect(fresh.slice(0, 10).map(withSquare));
    await inspector.dispose();
    expect(bad.filter((one) => one.defective).length).toBe(10);
    for (const { map } of bad) {
      const [first] = findDefects(map, policy.thresholds.pixel, policy.leastArea).defects;
      expect(first.at.y).toBeGreaterThanOrEqual(4);
      expect(first.at.y).toBeLessThan(10);
      expect(first.at.x).toBeGreaterThanOrEqual(5);
      expect(first.at.x).toBeLessThan(11);
    }
  });

  test('reports the candidate that it stores, which need not have the highest score of all', () => {
    const { policy, chosen, compared } = calibration;
    expect(compared).toContainEqual(chosen);
    expect(policy.inversion).toEqual(chosen.inversion);
    expect(policy.scorePixels).toBe(chosen.scorePixels);
    expect(policy.evidence).toMatchObject({ blur: chosen.candidate.blur, smoothing: chosen.candidate.smoothing });
    expect(policy.calibration.drawnDefects).toEqual(chosen.measured);
  });

  test('warns where its own drawn defects are hardly found, and only there', () => {
    const warning = calibration.notes.find((note) =>
      note.startsWith('The defects drawn on good pictures were hardly found'),
    );
    expect(warning !== undefined).toBe(calibration.chosen.measured.pixelAp < 0.5);
  });

  test('tries the strengths of the prior, the starts and the share of masked pixels that it is given', async () => {
    const search = { priorStrengths: [3, 2], starts: 1, comparedOn: 8, maskedShare: 0.1 };
    const { policy, compared } = await calibrate({ ...job('object', unseen), search }, runtime);
    const { thresholdGrey, starts } = policy.inversion as SearchSettings;
    expect(new Set(compared.map(({ strength }) => strength))).toEqual(new Set([3]));
    expect(starts).toBe(1);
    expect(policy.calibration.priorStrength).toBe(3);
    expect(thresholdGrey).toBeLessThan(calibration.policy.inversion.thresholdGrey);
  });

  test('needs some pictures that the generator has not learnt from', async () => {
    await expect(calibrate(job('object', unseen.slice(0, 5)), runtime)).rejects.toThrow(
      '5 held-out good pictures are too few for calibration; at least 8 are needed, and 30 are better.',
    );
  });
});

test('by tiles, a picture of the tile size is restored as a whole one is, and larger ones at their own size', async () => {
  const settings = calibration.policy.inversion;
  const options = { generator, stride: 8, settings };
  const restore = async (form: 'object' | 'tiles', images: readonly Image[]) => {
    const restorer = await openRestorer({ ...options, form }, runtime);
    const made = await restorer.restore(images);
    await restorer.dispose();
    return made;
  };
  const [whole] = await restore('object', [unseen[0]]);
  const [tiled] = await restore('tiles', [unseen[0]]);
  tiled.data.forEach((v, i) => {
    expect(v).toBeCloseTo(whole.data[i], 4);
  });
  const large = float32(new Float32Array(21 * 30), [1, 1, 21, 30]);
  const small = float32(new Float32Array(9 * 40), [1, 1, 9, 40]);
  expect((await restore('tiles', [large, small])).map((one) => one.dims)).toEqual([large.dims, small.dims]);
});

test('drawn defects change what their mask says, and the same for a seed', () => {
  const clean = unseen.slice(0, 8);
  const drawn = withDefects(clean, 3);
  expect(withDefects(clean, 3)).toEqual(drawn);
  expect(withDefects(clean, 4)).not.toEqual(drawn);
  drawn.forEach(({ image, mask }, i) => {
    const changed = image.data.map((v, p) => (Math.abs(v - clean[i].data[p]) > 8 / 127.5 ? 1 : 0));
    mask.data.forEach((m, p) => {
      if (m === 0) expect(Math.abs(image.data[p] - clean[i].data[p])).toBeLessThan(0.5);
    });
    expect(changed.some((c, p) => c === 1 && mask.data[p] === 1)).toBe(true);
  });
});

describe('policies on disk', () => {
  const modelFile = () => path.join(folder, 'part.onnx');

  test('come back as they were written, beside others, the graph untouched', async () => {
    const file = modelFile();
    const metadata = new Map([['rgi.role', '"generator"']]);
    await writeFile(file, encodeModel(productGraph(), metadata));
    await expect(readPolicy(file, await openModel(file))).rejects.toThrow(
      `${file} is not calibrated: run 'rgi calibrate GOOD_FOLDER --generator ${file}' first.`,
    );
    const { policy } = calibration;
    const before = await openModel(file);
    expect(await writePolicy(file, policy)).toEqual([file, statisticsFile(file)]);
    await writePolicy(file, { ...policy, name: 'strict', thresholds: { pixel: 7, image: 9 } });
    const model = await openModel(file);
    expect(model.graph).toEqual(before.graph);
    expect(model.metadata.get('rgi.role')).toBe('"generator"');
    expect(policyNames(model)).toEqual(['default', 'strict']);
    expect(await readPolicy(file, model)).toEqual(policy);
    expect(await parsePolicy(model, await readFile(statisticsFile(file)))).toEqual(policy);
    await expect(parsePolicy(model, new Uint8Array(4))).rejects.toThrow(/^The archive of statistics: /);
    expect((await readPolicy(file, model, 'strict')).thresholds).toEqual({ pixel: 7, image: 9 });
    await expect(readPolicy(file, model, 'loose')).rejects.toThrow(
      `${file} has no policy 'loose'; it has 'default', 'strict'. 'rgi calibrate GOOD_FOLDER --generator ${file} --name loose' makes one.`,
    );
  });

  test('whose statistics are of another calibration, or are not there, are refused', async () => {
    const file = modelFile();
    const other = path.join(folder, 'other.onnx');
    await writeFile(other, encodeModel(productGraph()));
    const { policy } = calibration;
    const { location, whitening } = policy.statistics;
    const statistics = { location, whitening: { ...whitening, data: whitening.data.map((v) => 2 * v) } };
    await writePolicy(other, { ...policy, statistics });
    await rm(statisticsFile(file));
    await expect(readPolicy(file, await openModel(file))).rejects.toThrow(/the statistics of the policy 'default'/);
    await rm(file);
    await writeFile(file, encodeModel(productGraph()));
    await writePolicy(file, policy);
    await writeFile(statisticsFile(file), await readFile(statisticsFile(other)));
    await expect(readPolicy(file, await openModel(file))).rejects.toThrow(/does not belong to the policy 'default'/);
  });
});
