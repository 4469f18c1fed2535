/**
 * The grain of a picture: what noise of a sensor, film or paper it has at its own size, which a smaller picture brought up to that size has
 * not. It is measured beside the region that is filled, and drawn anew: noise of the same strength, fineness and colour, and no structure.
 */
import { zeros } from '../../onnx/tensor.ts';
import { type Box, type Image, shapeOf } from '../image.ts';
import { gaussianBlur } from '../resize.ts';

/** Noise of a kind. */
export interface Grain {
  /** Standard deviation of each channel, in units of [-1,1]. */
  readonly deviations: readonly number[];
  /** Mean correlation of two channels. */
  readonly shared: number;
  /** Width, in pixels, of the Gaussian that white noise is smoothed by. */
  readonly width: number;
}

/** Side of the squares in which noise is measured: structure mostly reaches beyond them. */
const SIDE = 8;
/** The quarter of the squares with the least variance is noise alone: in others there are edges. */
const QUIET = 0.25;
/** Noise is measured in at least this many squares. */
const MIN_SQUARES = 8;
/** Weaker noise than this is rounding. */
const MIN_DEVIATION = 0.5 / 127.5;

interface Square {
  readonly variances: readonly number[];
  /** Mean product of neighbours in a row, and of two channels. */
  readonly neighbours: number;
  readonly channels: number;
  readonly total: number;
}

/** Collects squares of the differences between a picture and what is brought up to its size. */
export interface GrainMeter {
  /** `difference` [1,C,h,w]; squares with a pixel for which `inside` is 1 do not count. */
  add(difference: Image, inside: Uint8Array): void;
  /** Undefined where there is none, or too little to measure it by. */
  measured(): Grain | undefined;
}

export function grainMeter(): GrainMeter {
  const squares: Square[] = [];
  return {
    add(difference, inside) {
      const { height, width } = shapeOf(difference);
      for (let y = 0; y + SIDE <= height; y += SIDE) {
        for (let x = 0; x + SIDE <= width; x += SIDE) {
          if (isKnown(inside, width, y, x)) squares.push(squareAt(difference, y, x));
        }
      }
    },
    measured: () => grainOf(squares),
  };
}

function isKnown(inside: Uint8Array, width: number, top: number, left: number): boolean {
  for (let y = top; y < top + SIDE; y++)
    for (let x = left; x < left + SIDE; x++) if (inside[y * width + x]) return false;
  return true;
}

/** Values about the square's mean. */
function squareAt(difference: Image, top: number, left: number): Square {
  const { channels, height, width } = shapeOf(difference);
  const values = Array.from({ length: channels }, (_, c) => {
    const own = new Float64Array(SIDE * SIDE);
    for (let i = 0; i < own.length; i++) {
      own[i] = difference.data[(c * height + top + Math.floor(i / SIDE)) * width + left + (i % SIDE)];
    }
    const mean = own.reduce((sum, v) => sum + v, 0) / own.length;
    return own.map((v) => v - mean);
  });
  const variances = values.map((own) => own.reduce((sum, v) => sum + v * v, 0) / own.length);
  let neighbours = 0;
  for (const own of values) {
    for (let i = 0; i < own.length; i++) if (i % SIDE < SIDE - 1) neighbours += own[i] * own[i + 1];
  }
  let between = 0;
  for (let c = 1; c < channels; c++) for (let i = 0; i < SIDE * SIDE; i++) between += values[c][i] * values[c - 1][i];
  return {
    variances,
    neighbours: neighbours / (channels * SIDE * (SIDE - 1)),
    channels: channels > 1 ? between / ((channels - 1) * SIDE * SIDE) : 0,
    total: variances.reduce((sum, v) => sum + v, 0) / channels,
  };
}

function grainOf(squares: readonly Square[]): Grain | undefined {
  if (squares.length < MIN_SQUARES) return undefined;
  const limit = squares.map(({ total }) => total).sort((a, b) => a - b)[Math.floor(QUIET * (squares.length - 1))];
  const quiet = squares.filter(({ total }) => total <= limit);
  const mean = (of: (square: Square) => number) => quiet.reduce((sum, one) => sum + of(one), 0) / quiet.length;
  const total = mean((one) => one.total);
  const deviations = squares[0].variances.map((_, c) => Math.sqrt(mean(({ variances }) => variances[c])));
  if (total < MIN_DEVIATION ** 2) return undefined;
  const within = (v: number) => Math.min(0.95, Math.max(0, v / total));
  // White noise smoothed by a Gaussian of width s correlates by exp(-1 / (4 s^2)) from pixel to pixel.
  const rho = within(mean((one) => one.neighbours));
  return {
    deviations,
    shared: within(mean((one) => one.channels)),
    width: rho > 0.02 ? 0.5 / Math.sqrt(-Math.log(rho)) : 0,
  };
}

/** Grain in a box of the picture, [1,C,h,w]: a function of the place alone, so that boxes fit together. */
export function drawGrain({ deviations, shared, width }: Grain, box: Box): Image {
  const margin = width > 0 ? Math.floor(4 * width + 0.5) : 0;
  const outer = { height: box.height + 2 * margin, width: box.width + 2 * margin };
  const channels = deviations.length;
  const white = zeros('float32', [1, channels, outer.height, outer.width]);
  const plane = outer.height * outer.width;
  const [common, own] = [Math.sqrt(shared), Math.sqrt(1 - shared)];
  for (let y = 0, i = 0; y < outer.height; y++) {
    for (let x = 0; x < outer.width; x++, i++) {
      const [py, px] = [box.top + y - margin, box.left + x - margin];
      const same = normalAt(py, px, 0);
      for (let c = 0; c < channels; c++) white.data[c * plane + i] = common * same + own * normalAt(py, px, c + 1);
    }
  }
  const smooth = gaussianBlur(white, width);
  // Smoothing takes away variance: what is left of it is the sum of the squared weights, in two dimensions.
  const left = width > 0 ? remainingDeviation(width, margin) ** 2 : 1;
  const out = zeros('float32', [1, channels, box.height, box.width]);
  for (let c = 0, at = 0; c < channels; c++) {
    for (let y = 0; y < box.height; y++) {
      const from = c * plane + (y + margin) * outer.width + margin;
      for (let x = 0; x < box.width; x++, at++) out.data[at] = (deviations[c] * smooth.data[from + x]) / left;
    }
  }
  return out;
}

/** Of white noise smoothed along one axis. */
function remainingDeviation(width: number, radius: number): number {
  let [sum, squares] = [0, 0];
  for (let k = -radius; k <= radius; k++) {
    const w = Math.exp(-0.5 * (k / width) ** 2);
    sum += w;
    squares += w * w;
  }
  return Math.sqrt(squares) / sum;
}

/** A standard normal number of a place (Box and Muller 1958), from two hashes of it. */
function normalAt(y: number, x: number, c: number): number {
  const u = (hash(y, x, 2 * c) + 1) / 4294967297;
  return Math.sqrt(-2 * Math.log(u)) * Math.cos((2 * Math.PI * hash(y, x, 2 * c + 1)) / 4294967296);
}

/** 32 mixed bits of three numbers (finaliser of MurmurHash3, Appleby 2011). */
function hash(y: number, x: number, c: number): number {
  let h = Math.imul(y, 0x9e3779b1) ^ Math.imul(x, 0x85ebca77) ^ Math.imul(c + 1, 0xc2b2ae3d);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
