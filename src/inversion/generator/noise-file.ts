/** A noise model as the text of a model file's metadata (`rgi.noise`, JSON): deviations in eight bits each, on a logarithmic scale. */
import { float32, sizeOf } from '../../onnx/tensor.ts';
import type { NoiseModel } from './noise-model.ts';

/** A byte b stands for the deviation 2^(-b / STEPS): from 1 down to 2^-16, in steps of 4%. */
const STEPS = 16;

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
  if (!isStored(value) || value.deviation.shape.join() !== shape.join()) return undefined;
  const { deviation, temperature } = value;
  const data = deviationsOf(deviation.log2);
  if (data?.length !== sizeOf(shape)) return undefined;
  return { deviation: float32(data, [1, ...shape]), temperature };
}

interface Stored {
  readonly deviation: { readonly shape: readonly number[]; readonly log2: string };
  readonly temperature: NoiseModel['temperature'];
}

function isStored(value: unknown): value is Stored {
  const { deviation, temperature } = (value ?? {}) as Partial<Stored>;
  const isPositive = (number: unknown) => typeof number === 'number' && number > 0;
  return (
    Array.isArray(deviation?.shape) &&
    typeof deviation.log2 === 'string' &&
    isPositive(temperature?.scattered) &&
    isPositive(temperature?.region)
  );
}

function deviationsOf(log2: string): Float32Array | undefined {
  try {
    return Float32Array.from(atob(log2), (character) => 2 ** (-character.charCodeAt(0) / STEPS));
  } catch {
    return undefined;
  }
}
