/** A noise model as the text of a model file's metadata (`rgi.noise`, JSON): deviations in eight bits each, on a logarithmic scale. */
import { z } from 'zod';
import { float32, sizeOf } from '../../onnx/tensor.ts';
import type { NoiseModel } from './noise-model.ts';

/** A byte b stands for the deviation 2^(-b / STEPS): from 1 down to 2^-16, in steps of 4%. */
const STEPS = 16;

const schema = z.object({
  deviation: z.object({ shape: z.array(z.int().positive()).length(3), log2: z.base64(), steps: z.literal(STEPS) }),
  temperature: z.object({ scattered: z.number().positive(), region: z.number().positive() }),
});

export function noiseToText({ deviation, temperature }: NoiseModel): string {
  const bytes = Array.from(deviation.data, (d) =>
    Math.min(255, Math.max(0, Math.round(-STEPS * Math.log2(Math.max(d, 2 ** -32))))),
  );
  const log2 = btoa(bytes.map((byte) => String.fromCharCode(byte)).join(''));
  return JSON.stringify({ deviation: { shape: deviation.dims.slice(1), log2, steps: STEPS }, temperature });
}

/** Undefined where the text is no noise model of pictures of `shape` [C, H, W]. */
export function noiseFromText(text: string, shape: readonly number[]): NoiseModel | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success || parsed.data.deviation.shape.join() !== shape.join()) return undefined;
  const { deviation, temperature } = parsed.data;
  const bytes = atob(deviation.log2);
  if (bytes.length !== sizeOf(shape)) return undefined;
  const data = Float32Array.from(bytes, (character) => 2 ** (-character.charCodeAt(0) / STEPS));
  return { deviation: float32(data, [1, ...shape]), temperature };
}
