/**
 * Differentiable augmentation (Zhao et al. 2020): what the discriminator sees, real or made, is shifted, partly covered and
 * recoloured at random, so that it cannot learn few pictures by heart. The draws are inputs of the step; the operations
 * are linear in the picture: a shift is a product with two 0/1 matrices, what enters from outside is mid-grey.
 */
import type { GraphBuilder, Value } from '../onnx/builder.ts';
import { float32, type Tensor } from '../onnx/tensor.ts';
import type { Random } from '../random.ts';

export interface AugmentSettings {
  /** Shifts up to this share of the size, either way (1/8). 0 = off. */
  readonly translation: number;
  /** Side of the square that is covered, as a share of the size (1/2). 0 = off. */
  readonly cutout: number;
  /** Strength of brightness, saturation and contrast (1). 0 = off. */
  readonly colour: number;
}

export const AUGMENT: AugmentSettings = { translation: 1 / 8, cutout: 1 / 2, colour: 1 };

type Dims = readonly [count: number, channels: number, size: number];

/** Input names and shapes for `count` pictures under `prefix`. */
export function augmentInputs(prefix: string, settings: AugmentSettings, [count, channels, size]: Dims) {
  const inputs: [string, number[]][] = [];
  if (settings.colour > 0) {
    inputs.push([`${prefix}brightness`, [count, 1, 1, 1]], [`${prefix}contrast`, [count, 1, 1, 1]]);
    if (channels > 1) inputs.push([`${prefix}saturation`, [count, 1, 1, 1]]);
  }
  if (settings.translation > 0)
    inputs.push([`${prefix}rows`, [count, 1, size, size]], [`${prefix}columns`, [count, 1, size, size]]);
  if (settings.cutout > 0) inputs.push([`${prefix}keep`, [count, 1, size, size]]);
  return inputs;
}

/** Emits the augmentation of `image`; the inputs are those of `augmentInputs`. */
export function emitAugment(
  b: GraphBuilder,
  image: Value,
  prefix: string,
  settings: AugmentSettings,
  channels: number,
): Value {
  let x = image;
  const spread = (name: string, axes: readonly number[]) => {
    const mean = b.ReduceMean(x, axes);
    return b.Add(b.Mul(b.Sub(x, mean), prefix + name), mean);
  };
  if (settings.colour > 0) {
    x = b.Add(x, `${prefix}brightness`);
    if (channels > 1) x = spread('saturation', [1]);
    x = spread('contrast', [1, 2, 3]);
  }
  if (settings.translation > 0) x = b.MatMul(b.MatMul(`${prefix}rows`, x), `${prefix}columns`);
  if (settings.cutout > 0) x = b.Mul(x, `${prefix}keep`);
  return x;
}

/** Draws the inputs: brightness U(-1/2,1/2), saturation U(0,2), contrast U(1/2,3/2), whole-pixel shifts, one square. */
export function drawAugment(
  prefix: string,
  settings: AugmentSettings,
  dims: Dims,
  random: Random,
): Map<string, Tensor> {
  const [count, , size] = dims;
  const draws: Record<string, (data: Float32Array) => void> = {
    brightness: fill(() => settings.colour * (random.uniform() - 0.5)),
    contrast: fill(() => 1 + settings.colour * (random.uniform() - 0.5)),
    saturation: fill(() => 1 + settings.colour * (2 * random.uniform() - 1)),
    rows: shifts(count, size, settings.translation, random, false),
    columns: shifts(count, size, settings.translation, random, true),
    keep: squares(count, size, settings.cutout, random),
  };
  return new Map(
    augmentInputs(prefix, settings, dims).map(([name, shape]) => {
      const tensor = float32(new Float32Array(shape.reduce((a, d) => a * d, 1)), shape);
      draws[name.slice(prefix.length)](tensor.data);
      return [name, tensor];
    }),
  );
}

function fill(draw: () => number): (data: Float32Array) => void {
  return (data) => {
    for (let i = 0; i < data.length; i++) data[i] = draw();
  };
}

/** y[i] = x[i + shift]: a one at (i, i + shift) of a matrix applied from the left, mirrored for one from the right. */
function shifts(count: number, size: number, share: number, random: Random, right: boolean) {
  return (data: Float32Array) => {
    const most = Math.round(share * size);
    for (let n = 0; n < count; n++) {
      const shift = random.integer(2 * most + 1) - most;
      for (let i = 0; i < size; i++) {
        const j = i + shift;
        if (j >= 0 && j < size) data[n * size * size + (right ? j * size + i : i * size + j)] = 1;
      }
    }
  };
}

function squares(count: number, size: number, share: number, random: Random) {
  return (data: Float32Array) => {
    data.fill(1);
    const side = Math.round(share * size);
    for (let n = 0; n < count; n++) {
      const [top, left] = [0, 0].map(() => random.integer(size + 1) - (side >> 1));
      for (let y = Math.max(0, top); y < Math.min(size, top + side); y++)
        for (let x = Math.max(0, left); x < Math.min(size, left + side); x++) data[(n * size + y) * size + x] = 0;
    }
  };
}
