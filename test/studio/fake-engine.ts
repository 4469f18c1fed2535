/** A scripted engine for tests of the page alone: it knows no method, but answers like one, and in time. */
import type {
  Engine,
  InspectResult,
  NamedBytes,
  OpenedModel,
  Picture,
  Plane,
  RestoreProgress,
  RestoreRequest,
  RestoreResult,
  TrainRequest,
  TrainResult,
  Work,
  WorkProgress,
} from '../../src/studio/engine.ts';

const SIDE = 64;
const STEPS = 20;
const STEP_MS = 40;
/** In percent of dark pixels. */
const LIMIT = 6;

/** A model is whatever is called .onnx and begins as one does not: 'bad' in its bytes is refused. */
export function createEngine(): Engine {
  let count = 0;
  return {
    backend: Promise.resolve({ device: 'wasm', threads: 1, note: 'This is a scripted engine.' }),
    open: async (files: readonly NamedBytes[]): Promise<OpenedModel> => {
      if (files[0].bytes.length < 100) {
        throw {
          code: 'model',
          message: `${files[0].name} is not an ONNX model: it ends after ${files[0].bytes.length} bytes.`,
        };
      }
      const size = { width: SIDE, height: SIDE, channels: 3, latents: 8, isLinear: true };
      return { id: `model ${count++}`, name: files[0].name, ...size, policies: ['default'], notes: [] };
    },
    close: async () => {},
    restore: (request, onProgress) => scripted(request, onProgress, `result ${count++}`),
    train: (request, onProgress) => trained(request, onProgress, `model ${count++}`),
    inspect: async ({ picture }) => inspected(picture),
    sample: async (_, latents) => latents.map((z) => plain(SIDE, SIDE, 128 + 40 * z[0])),
    draw: async (_, wanted, seed) =>
      Array.from({ length: wanted }, (_, i) => new Float32Array(8).fill(Math.sin(seed + i))),
    project: async (_, picture) => ({ latent: new Float32Array(8), picture }),
    latentsFile: async () => new Uint8Array(8),
    exportDetector: async () => ({ name: 'detector.onnx', bytes: new Uint8Array(8) }),
    dispose: () => {},
  };
}

/** Every pixel darker than 60 is found, and becomes grey. A search that goes on makes half of the steps. */
function scripted(
  { picture, thresholdGrey = 60, keep, hide, latents }: RestoreRequest,
  onProgress: (progress: RestoreProgress) => void,
  id: string,
): Work<RestoreResult> {
  const steps = latents ? STEPS / 2 : STEPS;
  let isPaused = false;
  let isStopped = false;
  const { width, height, rgba } = picture;
  const residual = planeOf(picture, (i) => Math.max(0, 128 - rgba[4 * i]));
  const mask = planeOf(picture, (i) =>
    keep?.data[i] ? 0 : hide?.data[i] || residual.data[i] > thresholdGrey ? 255 : 0,
  );
  const composite = { ...picture, rgba: rgba.slice() };
  for (let i = 0; i < mask.data.length; i++) if (mask.data[i]) composite.rgba.fill(128, 4 * i, 4 * i + 3);
  const maskedShare = mask.data.filter(Boolean).length / mask.data.length;
  const run = async (): Promise<RestoreResult> => {
    for (let step = 1; step <= steps; step++) {
      await new Promise((resolve) => setTimeout(resolve, STEP_MS));
      while (isPaused && !isStopped) await new Promise((resolve) => setTimeout(resolve, STEP_MS));
      if (isStopped) throw { code: 'stopped', message: 'The search was stopped.' };
      const frame = {
        restored: plain(SIDE, SIDE, 6 * step),
        mask: plane(SIDE, 255 * Number(step > 10)),
        residual: plane(SIDE, 10 * step),
      };
      const secondsLeft = (steps - step) * (STEP_MS / 1000);
      onProgress({ step, steps, loss: 1 / step, masked: maskedShare, secondsLeft, frame });
    }
    return {
      id,
      ...{ composite, mask, residual, uncertainty: mask, restored: plain(SIDE, SIDE, 128), maskedShare },
      latents: new Float32Array(8),
      ...{ code: 'converged', sentence: 'The search converged.', misfitGrey: 2, seconds: 0.8, steps },
      outOfDomain: false,
      history: { loss: Array.from({ length: steps }, (_, i) => 1 / (i + 1)), masked: [] },
      settings: { method: 'rgi', seed: 0, fit: 'contain' },
    };
  };
  return {
    result: run(),
    pause: () => {
      isPaused = true;
    },
    resume: () => {
      isPaused = false;
    },
    stop: () => {
      isStopped = true;
    },
  };

  function planeOf(of: Picture, value: (i: number) => number): Plane {
    return { width, height, data: Uint8Array.from({ length: of.width * of.height }, (_, i) => value(i)) };
  }
}

function plain(width: number, height: number, value: number): Picture {
  const rgba = new Uint8ClampedArray(4 * width * height).fill(value);
  for (let i = 3; i < rgba.length; i += 4) rgba[i] = 255;
  return { name: '', width, height, rgba };
}

function plane(side: number, value: number): Plane {
  return { width: side, height: side, data: new Uint8Array(side * side).fill(value) };
}

/** A picture's score is its share of dark pixels, in percent; those are marked as one region. */
function inspected({ width, height, rgba }: Picture): InspectResult {
  const data = Uint8Array.from({ length: width * height }, (_, i) => (rgba[4 * i] < 60 ? 255 : 20));
  const dark = [...data.keys()].filter((i) => data[i] === 255);
  const score = (100 * dark.length) / data.length;
  const xs = dark.map((i) => i % width);
  const ys = dark.map((i) => Math.floor(i / width));
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  const region = { x, y, width: Math.max(...xs) - x + 1, height: Math.max(...ys) - y + 1, score };
  return {
    ...{ score, limit: LIMIT, verdict: score > LIMIT ? 'defective' : 'good', seconds: 0.01 },
    map: { width, height, data },
    mask: { width, height, data: data.map((value) => (value === 255 ? 255 : 0)) },
    regions: score > LIMIT ? [region] : [],
  };
}

function trained(
  { name, pictures, size }: TrainRequest,
  onProgress: (progress: WorkProgress) => void,
  id: string,
): Work<TrainResult> {
  let isStopped = false;
  const run = async (): Promise<TrainResult> => {
    for (let i = 1; i <= 10; i++) {
      await new Promise((resolve) => setTimeout(resolve, STEP_MS));
      if (isStopped) throw { code: 'stopped', message: 'The training was stopped.' };
      onProgress({ stage: i < 6 ? 'Training' : 'Calibrating', share: i / 10, secondsLeft: (10 - i) * 0.04 });
    }
    const good = pictures.map((picture) => ({ name: picture.name, score: inspected(picture).score }));
    good.sort((a, b) => b.score - a.score);
    const model = {
      id,
      name,
      width: size,
      height: size,
      channels: 3,
      latents: 8,
      isLinear: true,
      policies: ['default'],
      notes: [],
    };
    return { model, files: [{ name: 'generator.onnx', bytes: new Uint8Array(200) }], good, limit: LIMIT };
  };
  return { result: run(), pause: () => {}, resume: () => {}, stop: () => (isStopped = true) };
}
