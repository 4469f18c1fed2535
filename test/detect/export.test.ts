/** Detector files: run by onnxruntime-node alone, they give what `openInspector` gives. */

import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findDefects, imageScore } from '../../src/detect/defects.ts';
import { checkDetector, comparedPictures, toBytes } from '../../src/detect/export/check.ts';
import { type DetectorExport, exportDetector } from '../../src/detect/export/detector-file.ts';
import { describeDetector } from '../../src/detect/export/facts.ts';
import { emitRepeatedResize } from '../../src/detect/export/matrices.ts';
import { emitMask } from '../../src/detect/export/verdict.ts';
import { openInspector } from '../../src/detect/inspector.ts';
import type { Policy } from '../../src/detect/policy.ts';
import { anomalyMap } from '../../src/detect/scoring.ts';
import { clip, type Image, imagesOf } from '../../src/images/image.ts';
import { gaussianBlur } from '../../src/images/resize.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { lowered, PORTABLE } from '../../src/onnx/lower.ts';
import { readModel } from '../../src/onnx/read.ts';
import { float32, float32Data, tensorOf } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { tinyFeatures } from '../features/tiny.ts';
import {
  affineGenerator,
  affineNumbers,
  closedPolicy,
  encoderGraph,
  searchGenerator,
  searchPolicy,
  testPictures,
} from './exported.ts';
import { SIDE } from './made.ts';

let runtime: Runtime;

beforeAll(() => {
  runtime = nodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

/** The outputs of a detector for one picture, by onnxruntime-node alone. */
async function alone(session: InferenceSession, image: OrtTensor) {
  const { map, mask, score, defective } = await session.run({ image });
  return {
    map: map.data as Float32Array,
    mask: [...(mask.data as Uint8Array)],
    score: (score.data as Float32Array)[0],
    defective: Boolean((defective.data as Uint8Array)[0]),
  };
}

const asTensor = ({ data, dims }: Image) => new OrtTensor('float32', data, dims);

function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i])), 0);
}

describe.each([
  ['pixels', undefined],
  ['pixels and features', SIDE],
  ['pixels and features of a network that is given smaller pictures', SIDE / 2],
])('a policy of %s that searches from an encoder', (_, side) => {
  let options: DetectorExport;
  let bytes: Uint8Array;

  beforeAll(async () => {
    const features = side === undefined ? undefined : await tinyFeatures(runtime, side);
    const generator = await searchGenerator(runtime);
    options = { generator, encoder: encoderGraph(), features, policy: searchPolicy(features) };
    bytes = await exportDetector(options, runtime);
  });

  test('has the maps, scores, verdicts and masks of the inspection, by onnxruntime-node alone', async () => {
    const pictures = testPictures(6);
    const inspector = await openInspector({ ...options, batch: 1 }, runtime);
    const session = await InferenceSession.create(bytes);
    const verdicts = new Set<boolean>();
    for (const picture of pictures) {
      const [found] = await inspector.inspect([picture]);
      const made = await alone(session, asTensor(picture));
      expect(largestDifference(made.map, found.map.data)).toBeLessThan(1e-4);
      expect(made.score).toBeCloseTo(found.score, 4);
      expect(made.defective).toBe(found.defective);
      const { thresholds, leastArea } = options.policy;
      const large = findDefects(found.map, thresholds.pixel, leastArea);
      const isBare = found.defective && large.defects.length === 0;
      const { mask } = isBare ? findDefects(found.map, thresholds.pixel, 1) : large;
      expect(made.mask).toEqual([...mask.data]);
      verdicts.add(made.defective);
    }
    await session.release();
    await inspector.dispose();
    expect(verdicts).toEqual(new Set([false, true]));
  });

  test('is of opset 17 and the standard domain, and says what it is', () => {
    const { opsetImport, irVersion } = fromBinary(ModelProtoSchema, bytes);
    expect(opsetImport.map(({ domain, version }) => [domain, Number(version)])).toEqual([['', 17]]);
    expect(irVersion).toBe(8n);
    const facts = describeDetector(readModel(bytes), 'detector.onnx');
    expect(facts).toEqual({
      channels: 1,
      height: SIDE,
      width: SIDE,
      input: 'float32',
      policy: 'default',
      thresholds: options.policy.thresholds,
      batch: 1,
    });
  });
});

/** u = (A'A + s^2)^-1 A' x by Gauss's elimination, in double precision. */
function solved(x: Float64Array, deviation: number): Float64Array {
  const { matrix } = affineNumbers();
  const n = 3;
  const rows = Array.from({ length: n }, (_, i) => {
    const row = new Float64Array(n + 1);
    for (let p = 0; p < x.length; p++) {
      for (let j = 0; j < n; j++) row[j] += matrix[p * n + i] * matrix[p * n + j];
      row[n] += matrix[p * n + i] * x[p];
    }
    row[i] += deviation ** 2;
    return row;
  });
  for (let i = 0; i < n; i++)
    for (let r = 0; r < n; r++) {
      if (r === i) continue;
      const factor = rows[r][i] / rows[i][i];
      for (let c = i; c <= n; c++) rows[r][c] -= factor * rows[i][c];
    }
  return Float64Array.from(rows, (row, i) => row[n] / row[i]);
}

/** G(u) after the rounds of `projection.ts`, clipped, in double precision. */
function projected(image: Image, rounds: number): Image {
  const { matrix, offset } = affineNumbers();
  const centred = Float64Array.from(image.data, (v, i) => v - offset[i]);
  const fitted = (x: Float64Array) => {
    const u = solved(x, 4 / 127.5);
    return x.map((_, p) => u.reduce((sum, v, k) => sum + v * matrix[p * 3 + k], 0));
  };
  let made = fitted(centred);
  for (let round = 0; round < rounds; round++) {
    const filled = centred.map((v, p) => ((v - made[p]) ** 2 > (30 / 127.5) ** 2 ? made[p] : v));
    const next = fitted(filled);
    made = made.map((v, p) => v + 1.6 * (next[p] - v));
  }
  return clip(
    float32(
      Float32Array.from(made, (v, p) => v + offset[p]),
      image.dims,
    ),
  );
}

describe('a policy in closed form', () => {
  test.each([0, 3])('has the map of %i rounds in double precision, for several pictures at a time', async (rounds) => {
    const policy = closedPolicy(rounds);
    const bytes = await exportDetector({ generator: await affineGenerator(runtime), policy }, runtime);
    const session = await InferenceSession.create(bytes);
    const pictures = testPictures(6);
    const all = Float32Array.from(pictures.flatMap(({ data }) => [...data]));
    const { map, score } = await session.run({ image: new OrtTensor('float32', all, [6, 1, SIDE, SIDE]) });
    pictures.forEach((picture, i) => {
      const expected = anomalyMap(picture, projected(picture, rounds), policy.statistics, policy.evidence);
      const own = (map.data as Float32Array).subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE);
      expect(largestDifference(own, expected.data)).toBeLessThan(1e-4);
      expect((score.data as Float32Array)[i]).toBeCloseTo(imageScore(expected.data, 5), 4);
    });
    await session.release();
  });

  test('has the maps and verdicts of the inspection', async () => {
    const options = { generator: await affineGenerator(runtime), policy: closedPolicy(8) };
    const session = await InferenceSession.create(await exportDetector(options, runtime));
    const inspector = await openInspector({ ...options, batch: 1 }, runtime);
    for (const picture of testPictures(6)) {
      const [found] = await inspector.inspect([picture]);
      const made = await alone(session, asTensor(picture));
      expect(largestDifference(made.map, found.map.data)).toBeLessThan(1e-4);
      expect(made.defective).toBe(found.defective);
    }
    await inspector.dispose();
    await session.release();
  });

  test('takes pictures as files hold them: uint8 [N,H,W,C]', async () => {
    const options = { generator: await affineGenerator(runtime), policy: closedPolicy() };
    const numbers = await InferenceSession.create(await exportDetector(options, runtime));
    const files = await InferenceSession.create(await exportDetector({ ...options, input: 'uint8' }, runtime));
    for (const picture of testPictures(3).map((picture) => clip(picture))) {
      const { data, dims } = toBytes(picture);
      const levels = float32(
        Float32Array.from(data, (v) => v / 127.5 - 1),
        picture.dims,
      );
      const [a, b] = [await alone(numbers, asTensor(levels)), await alone(files, new OrtTensor('uint8', data, dims))];
      expect(largestDifference(a.map, b.map)).toBeLessThan(1e-5);
      expect(b.mask).toEqual(a.mask);
    }
    await numbers.release();
    await files.release();
  });
});

test.each([1, 2, 4, 9])('the mask is that of findDefects with regions of %i pixels at least', async (leastArea) => {
  const [height, width] = [24, 20];
  const b = new GraphBuilder();
  b.reserve('map');
  const mask = emitMask(
    b,
    'map',
    { height, width },
    { thresholds: { pixel: 0.5, image: 1 }, leastArea },
    b.constant(tensorOf('bool', [0])),
  );
  b.node('Identity', [mask], {}, ['mask']);
  const dims = ['N', 1, height, width];
  const info = (name: string) => ({ name, type: 'float32', dims }) as const;
  const bytes = encodeModel(lowered(b.graph('mask', [info('map')], [info('mask')])), undefined, undefined, PORTABLE);
  const session = await runtime.session(bytes);
  const random = randomFrom(leastArea);
  // From specks to regions with holes, and to a background of holes.
  for (const smoothing of [0, 0.7, 1.2, 2]) {
    for (const share of [-0.6, 0, 0.4]) {
      const noise = gaussianBlur(float32(random.normals(3 * height * width), [3, 1, height, width]), smoothing);
      const scale = 1 + 3 * smoothing;
      const map = { ...noise, data: noise.data.map((v) => 0.5 + share + scale * v) };
      const made = (await session.run(new Map([['map', map]]))).get('mask')!;
      imagesOf(map).forEach((one, i) => {
        const own = made.data.slice(i * height * width, (i + 1) * height * width);
        expect([...own]).toEqual([...findDefects(one, 0.5, leastArea).mask.data]);
      });
    }
  }
  await session.dispose();
});

test.each([
  [40, 24, 16, 16],
  [24, 12, 16, 16],
])('pictures of %i x %i are brought to %i x %i as Resize does it against aliasing', async (...sizes) => {
  const [height, width, toHeight, toWidth] = sizes;
  const b = new GraphBuilder();
  b.reserve('large');
  const small = emitRepeatedResize(b, 'large', { height, width }, { height: toHeight, width: toWidth });
  const scales = b.floats([1, 1, toHeight / height, toWidth / width]);
  b.node('Resize', ['large', '', scales], { mode: 'linear', antialias: 1 }, ['expected']);
  b.node('Identity', [small], {}, ['made']);
  const info = (name: string, h: number, w: number) => ({ name, type: 'float32' as const, dims: [2, 3, h, w] });
  const outputs = ['expected', 'made'].map((name) => info(name, toHeight, toWidth));
  const session = await runtime.session(encodeModel(b.graph('resize', [info('large', height, width)], outputs)));
  const large = float32(randomFrom(5).normals(2 * 3 * height * width), [2, 3, height, width]);
  const found = await session.run(new Map([['large', large]]));
  await session.dispose();
  const [expected, made] = ['expected', 'made'].map((name) => float32Data(found.get(name)!));
  expect(largestDifference(made, expected)).toBeLessThan(1e-5);
});

describe('what is checked before a file is written', () => {
  test('a detector agrees with its inspection', async () => {
    const options = { generator: await searchGenerator(runtime), encoder: encoderGraph(), policy: searchPolicy() };
    const bytes = await exportDetector(options, runtime);
    expect(await checkDetector(bytes, options, runtime)).toBeLessThan(1e-4);
    const other = { ...options, policy: { ...options.policy, evidence: { blur: 1, smoothing: 0.8 } } };
    await expect(checkDetector(bytes, other, runtime)).rejects.toThrow(
      /^The maps of the exported detector and of 'rgi detect' differ by [\d.]+, more than 0.0001\.$/,
    );
  });

  test('a verdict may differ where the score is its limit, and nowhere else', async () => {
    const options = { generator: await affineGenerator(runtime), policy: closedPolicy() };
    const inspector = await openInspector({ ...options, batch: 1 }, runtime);
    const scores = (await inspector.inspect(comparedPictures(options.generator, 0))).map(({ score }) => score);
    await inspector.dispose();
    const checked = async (apart: number) => {
      const withLimit = (image: number) => ({
        ...options,
        policy: { ...options.policy, thresholds: { ...options.policy.thresholds, image } },
      });
      const bytes = await exportDetector(withLimit(scores[1] - apart), runtime);
      return checkDetector(bytes, withLimit(scores[1] + apart), runtime);
    };
    expect(await checked(5e-5)).toBeLessThan(1e-4);
    // Every picture that is compared has a score between these.
    await expect(checked(100)).rejects.toThrow(
      "The exported detector and 'rgi detect' disagree about a picture of grey.",
    );
  });

  test('a pixel that rounding moves across the mask of one picture does not refuse a detector', async () => {
    const generator = await affineGenerator(runtime);
    const [, noise] = comparedPictures(generator, 0);
    const { offset } = affineNumbers();
    const centred = Float64Array.from(noise.data, (v, i) => v - offset[i]);
    const { matrix } = affineNumbers();
    const u = solved(centred, 4 / 127.5);
    const residuals = [...centred].map(
      (v, p) => 127.5 * Math.abs(v - u.reduce((s, x, k) => s + x * matrix[p * 3 + k], 0)),
    );
    const threshold = residuals.sort((a, b) => b - a)[8];
    const withMask = (thresholdGrey: number) => ({
      generator,
      policy: { ...closedPolicy(1), inversion: { thresholdGrey, noiseGrey: 4, rounds: 1 } },
    });
    const bytes = await exportDetector(withMask(threshold + 1e-3), runtime);
    const options = withMask(threshold - 1e-3);
    const session = await InferenceSession.create(bytes);
    const inspector = await openInspector({ ...options, batch: 1 }, runtime);
    const [{ map }] = await inspector.inspect([noise]);
    expect(largestDifference((await alone(session, asTensor(noise))).map, map.data)).toBeGreaterThan(1e-4);
    expect(await checkDetector(bytes, options, runtime)).toBeLessThan(1e-4);
    await session.release();
    await inspector.dispose();
  });
});

describe('what cannot be exported is refused in a sentence', () => {
  const refusal = async (change: Partial<Policy>, encoder = true) => {
    const generator = await searchGenerator(runtime);
    const policy = { ...searchPolicy(), ...change };
    const job = { generator, policy, ...(encoder ? { encoder: encoderGraph() } : {}) };
    return exportDetector(job, runtime).then(
      () => '',
      (error: Error) => error.message,
    );
  };

  test('a search without an encoder', async () => {
    expect(await refusal({}, false)).toBe(
      "The policy 'default' cannot be exported: it searches from random starts that compete, which a graph of a fixed number of steps cannot do; what can be exported is a policy of a linear generator, or of one with an encoder (--encoder).",
    );
  });

  test('tiles', async () => {
    const { location: _, ...rest } = searchPolicy().statistics;
    const statistics = { ...rest, location: float32([0], [1, 1, 1, 1]), whitening: float32([8], [1, 1, 1, 1]) };
    expect(await refusal({ form: 'tiles', statistics })).toBe(
      "The policy 'default' cannot be exported: it inspects pictures by tiles, and a detector file takes whole pictures of one size (calibrate with --form object).",
    );
  });

  test('features whose network is not given', async () => {
    const { features } = searchPolicy(await tinyFeatures(runtime, SIDE));
    expect(await refusal({ features })).toBe(
      "The policy 'default' cannot be exported: it compares the features of 'tiny.onnx': give that network.",
    );
  });

  test('a file that is no detector is not taken for one', () => {
    expect(() => describeDetector(readModel(encodeModel(encoderGraph())), 'encoder.onnx')).toThrow(
      "encoder.onnx is no detector file: 'rgi export MODEL.onnx --as encoder.onnx' makes one.",
    );
  });
});
