/** How each kind of defect looks, as a layer over a picture of height x width pixels; brightness is counted from 0 to 1. */
import type { Random } from '../random.ts';
import { gaussianBlur } from './resize.ts';

export interface Layer {
  /** How much of the surface's own brightness is replaced, 0 to 1 per pixel. */
  readonly cover: Float32Array;
  /** [R,G,B], 0 to 1: painted over, or what the surface is multiplied by. */
  readonly tone: readonly [number, number, number];
  readonly blend: 'over' | 'multiply';
  /** Brightness added by the shading of the relief. */
  readonly relief: Float32Array;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** A piece of a line, with the radius of the groove at its two ends. */
interface Piece {
  readonly from: Point;
  readonly to: Point;
  readonly radii: readonly [number, number];
}

/** A long shallow groove: bare material in it, one flank lit and the other in shadow; it fades where the tool lifted. */
export function scratch(height: number, width: number, random: Random): Layer {
  const side = Math.min(height, width);
  const radius = (side / 128) * spread(random, 0.55, 1.3);
  const length = side * spread(random, 0.25, 0.95);
  const start = place(height, width, random);
  const steps = 24;
  const bend = 0.09 * random.normal();
  const angle = 2 * Math.PI * random.uniform();
  const points = [start];
  for (let k = 1; k <= steps; k++) {
    const turn = angle + bend * (k / steps - 0.5) * 6;
    const { x, y } = points[k - 1];
    points.push({ x: x + (length / steps) * Math.cos(turn), y: y + (length / steps) * Math.sin(turn) });
  }
  const taper = (k: number) => radius * (0.35 + 0.65 * Math.sin(Math.PI * Math.min(1, 0.06 + (0.92 * k) / steps)));
  const pieces = points.slice(1).map((to, k): Piece => ({ from: points[k], to, radii: [taper(k), taper(k + 1)] }));
  const groove = grooveOf(pieces, height, width);
  const pressure = noise(height, width, side / 10, random);
  const cover = groove.map((g, i) => g * Math.min(1, Math.max(0.35, 0.75 + 0.25 * pressure[i])));
  const bright = random.uniform() < 0.6;
  const level = bright ? between(random, 0.75, 0.95) : between(random, 0.05, 0.22);
  return {
    cover: cover.map((v) => 0.7 * v),
    tone: [level, level, level],
    blend: 'over',
    relief: shading(cover, height, width, random, 0.35),
  };
}

/** A jagged dark line that branches, wide where it began and hair-thin at its ends. */
export function crack(height: number, width: number, random: Random): Layer {
  const side = Math.min(height, width);
  const pieces: Piece[] = [];
  const radius = (side / 128) * spread(random, 0.7, 1.5);
  const grow = (from: Point, angle: number, length: number, wide: number, depth: number) => {
    const step = side * 0.028;
    let [at, heading] = [from, angle];
    for (let gone = 0; gone < length; gone += step) {
      const turn = heading + 0.55 * random.normal();
      const to = { x: at.x + step * Math.cos(turn), y: at.y + step * Math.sin(turn) };
      const left = (k: number) => wide * (0.4 + 0.6 * Math.max(0, 1 - (gone + k * step) / length));
      pieces.push({ from: at, to, radii: [left(0), left(1)] });
      if (depth > 0 && random.uniform() < 0.16) {
        const away = heading + (random.uniform() < 0.5 ? -1 : 1) * between(random, 0.5, 1);
        grow(to, away, (length - gone) * between(random, 0.3, 0.6), left(1) * 0.8, depth - 1);
      }
      at = to;
      heading += 0.1 * random.normal();
    }
  };
  const start = place(height, width, random);
  const angle = 2 * Math.PI * random.uniform();
  const length = side * spread(random, 0.25, 0.7);
  grow(start, angle, length / 2, radius, 2);
  grow(start, angle + Math.PI, length / 2, radius, 2);
  const groove = grooveOf(pieces, height, width);
  const level = between(random, 0.08, 0.25);
  return {
    cover: groove.map((g) => 0.95 * g),
    tone: [level, level, level],
    blend: 'multiply',
    relief: shading(groove, height, width, random, 0.12),
  };
}

/** Material broken out: a rough, dark hollow of a few merged craters, its far rim lit. */
export function pit(height: number, width: number, random: Random): Layer {
  const side = Math.min(height, width);
  const radius = Math.max(1.6, side * spread(random, 0.018, 0.075));
  const centre = place(height, width, random);
  const craters = 1 + random.integer(3);
  const depth = new Float32Array(height * width);
  for (let k = 0; k < craters; k++) {
    const away = k === 0 ? 0 : radius * between(random, 0.6, 1.2);
    const angle = 2 * Math.PI * random.uniform();
    const at = { x: centre.x + away * Math.cos(angle), y: centre.y + away * Math.sin(angle) };
    const reach = blot(at, k === 0 ? radius : radius * between(random, 0.4, 0.8), 0.9, random);
    each(height, width, (x, y, i) => {
      // 0 at the rim, 1 at half the radius: steep walls, a flat floor.
      depth[i] = Math.max(depth[i], smooth(2 * (1 - reach(x, y))));
    });
  }
  const grain = noise(height, width, Math.max(0.6, side / 150), random);
  const floor = depth.map((d, i) => d * (0.82 + 0.18 * Math.max(-1, Math.min(1, grain[i]))));
  const level = between(random, 0.15, 0.4);
  const warmth = between(random, 0, 0.06);
  return {
    cover: floor,
    tone: [level + warmth, level, level - warmth / 2],
    blend: 'multiply',
    relief: shading(floor, height, width, random, 0.4),
  };
}

const STAINS: readonly (readonly [number, number, number])[] = [
  [0.62, 0.44, 0.27], // coffee, old oil
  [0.28, 0.27, 0.29], // soot, grease
  [0.74, 0.52, 0.36], // rust
  [0.42, 0.5, 0.6], // coolant
];

/** A film on the surface: translucent, uneven, with the dark rim that a dried drop leaves. */
export function stain(height: number, width: number, random: Random): Layer {
  const side = Math.min(height, width);
  const radius = side * spread(random, 0.05, 0.17);
  const centre = place(height, width, random);
  const reach = blot(centre, radius, 1, random);
  const softness = Math.max(1 / radius, between(random, 0.08, 0.3));
  const strength = between(random, 0.4, 0.8);
  const ring = between(random, 0, 0.35);
  const cloud = noise(height, width, side / 14, random);
  const cover = new Float32Array(height * width);
  each(height, width, (x, y, i) => {
    const r = reach(x, y);
    const inside = smooth((1 - r) / softness + 0.5);
    const rim = Math.exp(-(((1 - r - 0.5 * softness) / (0.6 * softness)) ** 2));
    cover[i] = Math.min(1, Math.max(0, inside * strength * (1 + 0.22 * cloud[i]) + ring * rim * inside));
  });
  const tone = STAINS[random.integer(STAINS.length)];
  return { cover, tone, blend: 'multiply', relief: new Float32Array(height * width) };
}

const between = (random: Random, low: number, high: number) => low + (high - low) * random.uniform();

/** Log-uniform: as many small ones as large. */
const spread = (random: Random, low: number, high: number) => low * (high / low) ** random.uniform();

/** 0 below 0, 1 above 1, a smooth step between. */
function smooth(t: number): number {
  const v = Math.min(1, Math.max(0, t));
  return v * v * (3 - 2 * v);
}

/** A point of the picture's middle nine tenths. */
function place(height: number, width: number, random: Random): Point {
  return { x: width * between(random, 0.1, 0.9), y: height * between(random, 0.1, 0.9) };
}

function each(height: number, width: number, visit: (x: number, y: number, i: number) => void): void {
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) visit(x, y, y * width + x);
}

/** Distance from a centre in units of a radius that wavers with the angle: 1 on the rim. */
function blot(centre: Point, radius: number, wavy: number, random: Random): (x: number, y: number) => number {
  const waves = [2, 3, 4, 5, 7].map((k) => ({
    k,
    a: (0.42 * wavy * random.uniform()) / k,
    p: random.uniform() * 2 * Math.PI,
  }));
  return (x, y) => {
    const angle = Math.atan2(y - centre.y, x - centre.x);
    const reach = waves.reduce((r, { k, a, p }) => r + a * Math.cos(k * angle + p), 1);
    return Math.hypot(x - centre.x, y - centre.y) / (radius * reach);
  };
}

/** Cross-section of a groove along lines: 1 on the line, a Gaussian fall of the line's radius beside it. */
function grooveOf(pieces: readonly Piece[], height: number, width: number): Float32Array {
  const groove = new Float32Array(height * width);
  for (const { from, to, radii } of pieces) {
    const [dx, dy] = [to.x - from.x, to.y - from.y];
    const squared = dx * dx + dy * dy || 1;
    const margin = 3 * Math.max(...radii);
    const [left, right] = [Math.min(from.x, to.x) - margin, Math.max(from.x, to.x) + margin];
    const [top, bottom] = [Math.min(from.y, to.y) - margin, Math.max(from.y, to.y) + margin];
    for (let y = Math.max(0, Math.ceil(top)); y <= Math.min(height - 1, bottom); y++) {
      for (let x = Math.max(0, Math.ceil(left)); x <= Math.min(width - 1, right); x++) {
        const t = Math.min(1, Math.max(0, ((x - from.x) * dx + (y - from.y) * dy) / squared));
        const r = radii[0] + t * (radii[1] - radii[0]);
        const d = Math.hypot(x - from.x - t * dx, y - from.y - t * dy);
        // A line thinner than a pixel covers only a part of it.
        const depth = Math.min(1, r / 0.5) * Math.exp(-((d / Math.max(0.5, r)) ** 2));
        groove[y * width + x] = Math.max(groove[y * width + x], depth);
      }
    }
  }
  return groove;
}

/** Lambert shading of a surface that lies `depth` lower, of small slopes: depth's derivative along the light, times `gain`. */
function shading(depth: Float32Array, height: number, width: number, random: Random, gain: number): Float32Array {
  const angle = 2 * Math.PI * random.uniform();
  const [lx, ly] = [Math.cos(angle), Math.sin(angle)];
  const at = (x: number, y: number) =>
    depth[Math.min(height - 1, Math.max(0, y)) * width + Math.min(width - 1, Math.max(0, x))];
  const out = new Float32Array(depth.length);
  each(height, width, (x, y, i) => {
    const slope = ((at(x + 1, y) - at(x - 1, y)) * lx + (at(x, y + 1) - at(x, y - 1)) * ly) / 2;
    out[i] = gain * slope;
  });
  return out;
}

/** Smooth noise of standard deviation about 1: white noise, blurred by `sigma` pixels and scaled back. */
function noise(height: number, width: number, sigma: number, random: Random): Float32Array {
  const white = { type: 'float32' as const, dims: [1, 1, height, width], data: random.normals(height * width) };
  const blurred = gaussianBlur(white, sigma).data;
  const deviation = Math.sqrt(blurred.reduce((sum, v) => sum + v * v, 0) / blurred.length) || 1;
  return blurred.map((v) => v / deviation);
}
