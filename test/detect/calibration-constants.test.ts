/** What calibration does by default, on tiny pictures of an affine generator. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CalibrationJob, calibrate } from '../../src/detect/calibrate.ts';
import { CALIBRATION_SEARCH } from '../../src/detect/calibration-setup.ts';
import type { ProjectionSettings } from '../../src/detect/policy.ts';
import { parseSettings } from '../../src/detect/policy-schema.ts';
import { type Generator, openGenerator } from '../../src/inversion/generator/generator.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';

const runtime = nodeRuntime({ threads: 1 });
const SIDE = 8;
const PLANE = SIDE ** 2;

/** G(z) = z times a ramp from left to right. */
async function ramps(): Promise<Generator> {
  const b = new GraphBuilder();
  const z = b.reserve('z');
  const ramp = Float32Array.from({ length: PLANE }, (_, p) => 0.05 * ((p % SIDE) - 3.5));
  b.node('Reshape', [b.MatMul(z, b.initializer('ramp', float32(ramp, [1, PLANE]))), b.ints([-1, 1, SIDE, SIDE])], {}, [
    'image',
  ]);
  const graph = b.graph(
    'ramps',
    [{ name: 'z', type: 'float32', dims: ['N', 1] }],
    [{ name: 'image', type: 'float32', dims: ['N', 1, SIDE, SIDE] }],
  );
  return openGenerator(graph, runtime);
}

/** Ramps with noise. */
function pictures(count: number, noise: number) {
  const random = randomFrom(6);
  return Array.from({ length: count }, () => {
    const slope = 0.05 * random.normal();
    return float32(
      Float32Array.from({ length: PLANE }, (_, p) => slope * ((p % SIDE) - 3.5) + noise * random.normal()),
      [1, 1, SIDE, SIDE],
    );
  });
}

const calibrated = async (count: number, noise = 0.02, more: Partial<CalibrationJob> = {}) =>
  calibrate(
    {
      generator: await ramps(),
      form: 'object',
      unseen: pictures(count, noise),
      ...more,
      search: { comparedOn: 4, maskGreys: [20], ...more.search },
    },
    runtime,
  );

const inspection = readFileSync(path.join(import.meta.dirname, '../../docs/inspection.md'), 'utf8').replaceAll(
  /\s+/g,
  ' ',
);

describe('a calibration', () => {
  it('needs eight good pictures, and says that the rate is rough below thirty', async () => {
    expect(inspection).toContain('At least 8 held-out pictures are needed; with fewer than 30 the rate');
    await expect(calibrated(7)).rejects.toThrow('7 held-out good pictures are too few');
    const rough = (count: number) =>
      `Thresholds are set on ${count} good pictures only, so the rate of false alarms is rough.`;
    expect((await calibrated(8)).notes).toContain(
      'Thresholds are set on 8 good pictures only: no rate of false alarms below 12% can be known from them, so the limits for 5% are extrapolated.',
    );
    expect((await calibrated(19)).notes).toContain(rough(19));
    expect((await calibrated(29)).notes).toContain(rough(29));
    expect((await calibrated(30)).notes).not.toContain(rough(30));
  });

  it('sets the limit of a picture for one false alarm in twenty good ones, and stores format and scale 1', async () => {
    expect(inspection).toContain('`--false-alarms`, default .05');
    const { policy } = await calibrated(39);
    expect(policy).toMatchObject({ format: 1, scale: 1, falseAlarms: { image: 0.05 } });
    expect(parseSettings(policy)).toBeDefined();
    // The conformal limit of 39 scores: the 38th of them exceeds one in twenty of the next ones at most.
    const scores = policy.calibration.goodScores as readonly number[];
    expect(policy.thresholds.image / scores[1]).toBeCloseTo(1, 4);
  });

  it('in closed form tries four limits of residuals, in eight rounds, and takes the noise for half a grey level at least', async () => {
    expect(inspection).toContain('eight rounds of finding the mask');
    const { compared, policy } = await calibrated(8, 0, { search: CALIBRATION_SEARCH });
    const settings = compared.map(({ inversion }) => inversion as ProjectionSettings);
    expect(new Set(settings.map(({ thresholdGrey }) => thresholdGrey))).toEqual(new Set([20, 10, 40, 80]));
    expect(new Set(settings.map(({ rounds }) => rounds))).toEqual(new Set([8]));
    expect((policy.inversion as ProjectionSettings).noiseGrey).toBe(0.5);
  });

  it('by tiles tries smoothing, contrast and blur in pixels as they are', async () => {
    const { compared } = await calibrated(8, 0.02, { form: 'tiles' });
    const lengths = (of: 'blur' | 'smoothing' | 'contrastWidth') =>
      [...new Set(compared.map(({ candidate }) => candidate[of]))].sort((a, b) => a - b);
    expect([lengths('blur'), lengths('smoothing'), lengths('contrastWidth')]).toEqual([
      [0.7, 1.4],
      [0, 1.5, 3],
      [0, 8, 24],
    ]);
  });

  it('keeps the 500 highest scores of good pictures, and the names of the eight oddest', async () => {
    const { policy } = await calibrated(505);
    const { goodScores, oddest } = policy.calibration as unknown as {
      goodScores: readonly number[];
      oddest: readonly { score: number }[];
    };
    expect(goodScores.length).toBe(500);
    expect([...goodScores].sort((a, b) => b - a)).toEqual(goodScores);
    expect(oddest.map(({ score }) => score)).toEqual(goodScores.slice(0, 8));
  });

  it('warns where drawn defects are found with an average precision below one half', async () => {
    const found = async (noise: number) => {
      const { notes, chosen } = await calibrated(12, noise, { search: { comparedOn: 12 } });
      const isWarned = notes.some((note) => note.startsWith('The defects drawn on good pictures were hardly found'));
      return { isWarned, pixelAp: chosen.measured.pixelAp };
    };
    for (const noise of [0.1, 0.2]) {
      const { isWarned, pixelAp } = await found(noise);
      expect(isWarned).toBe(pixelAp < 0.5);
      // Near enough to one half to tell it from other limits.
      expect(Math.abs(pixelAp - 0.5)).toBeLessThan(0.15);
    }
  });
});
