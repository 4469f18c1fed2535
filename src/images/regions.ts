/** Shapes of corruption: where a picture is damaged. Every shape is a binary mask of one picture, 1 = corrupted. */
import { RgiError } from '../errors.ts';
import type { Random } from '../random.ts';
import { drawText, GLYPH_ADVANCE, GLYPH_HEIGHT, LETTERS } from './glyphs.ts';
import type { Size } from './image.ts';

/** Lengths marked "of the side" are shares of the picture's shorter side; `share` is of its pixels. */
export type Region =
  /** Centred rectangle of the picture's own aspect; default share 0.25. */
  | { readonly kind: 'block'; readonly share?: number }
  /** The paper's: rows and columns 60-half to 60+half of 128 (the centre 60 scales with other sizes). */
  | { readonly kind: 'paper-block'; readonly half: number }
  /** Distinct pixels anywhere: `count` of them, or `share` (default 0.49) rounded down. */
  | { readonly kind: 'random'; readonly share?: number; readonly count?: number }
  /** Free-form brush strokes until the coverage lies in a range; default 0.15 to 0.3. */
  | { readonly kind: 'irregular'; readonly coverage?: readonly [number, number] }
  /** One half; without `side` any of the four. */
  | { readonly kind: 'half'; readonly side?: 'left' | 'right' | 'top' | 'bottom' }
  /** Missing rows or columns of random thickness (of the side, default up to 0.03) until `share`; default 0.25. */
  | {
      readonly kind: 'lines';
      readonly share?: number;
      readonly along?: 'rows' | 'columns';
      readonly thickness?: number;
    }
  /** Long, thin, slightly bent; default 5. */
  | { readonly kind: 'scratches'; readonly count?: number }
  /** Blots with a wavy rim, of random radius (of the side, default 0.05 to 0.15); default 4. */
  | { readonly kind: 'stains'; readonly count?: number; readonly radius?: readonly [number, number] }
  /** Specks and short fibres; default 1 per 250 pixels of a picture of 128 x 128, as many on larger ones. */
  | { readonly kind: 'dust'; readonly count?: number }
  /** Random letters and digits over the picture; default 3 lines. */
  | { readonly kind: 'text'; readonly lines?: number };

/** The regions by name, with their defaults; `paper-block` is that of CelebA. */
export const REGIONS: Readonly<Record<Region['kind'], Region>> = {
  block: { kind: 'block' },
  'paper-block': { kind: 'paper-block', half: 32 },
  random: { kind: 'random' },
  irregular: { kind: 'irregular' },
  half: { kind: 'half' },
  lines: { kind: 'lines' },
  scratches: { kind: 'scratches' },
  stains: { kind: 'stains' },
  dust: { kind: 'dust' },
  text: { kind: 'text' },
};

/** Draws a region: `height * width` values, 0 or 1. Throws `usage` where a share or count cannot be. */
export function drawRegion(region: Region, { height, width }: Size, random: Random): Float32Array {
  const canvas = new Canvas(height, width, random);
  switch (region.kind) {
    case 'block': {
      const side = Math.sqrt(checkedShare(region.share ?? 0.25));
      const [h, w] = [Math.round(side * height), Math.round(side * width)];
      canvas.rectangle((height - h) >> 1, (width - w) >> 1, h, w);
      break;
    }
    case 'paper-block': {
      const centre = (size: number) => Math.round((60 / 128) * size);
      const size = 2 * region.half;
      if (size >= Math.min(height, width)) {
        throw new RgiError(
          'usage',
          `A block of ${size} x ${size} pixels leaves nothing of a picture of ${width} x ${height}; give a smaller half.`,
        );
      }
      canvas.rectangle(centre(height) - region.half, centre(width) - region.half, size, size);
      break;
    }
    case 'random': {
      const count = region.count ?? Math.floor(checkedShare(region.share ?? 0.49) * height * width);
      if (count > height * width) {
        throw new RgiError('usage', `${count} random pixels do not fit into a picture of ${height * width}.`);
      }
      for (const at of random.sample(count, height * width)) canvas.mask[at] = 1;
      break;
    }
    case 'irregular':
      drawStrokes(canvas, region.coverage ?? [0.15, 0.3]);
      break;
    case 'half': {
      const side = region.side ?? (['left', 'right', 'top', 'bottom'] as const)[random.integer(4)];
      const [h, w] = [height >> 1, width >> 1];
      if (side === 'left' || side === 'right') canvas.rectangle(0, side === 'left' ? 0 : width - w, height, w);
      else canvas.rectangle(side === 'top' ? 0 : height - h, 0, h, width);
      break;
    }
    case 'lines':
      drawLines(canvas, region);
      break;
    case 'scratches':
      for (let k = region.count ?? 5; k > 0; k--)
        canvas.walk(canvas.span(0.4, 1), canvas.unit * between(random, 0.5, 1.1), 0.06);
      break;
    case 'stains':
      for (let k = region.count ?? 4; k > 0; k--) drawStain(canvas, region.radius ?? [0.05, 0.15]);
      break;
    case 'dust':
      for (let k = region.count ?? 65; k > 0; k--) {
        if (random.uniform() < 0.15) canvas.walk(canvas.span(0.05, 0.12), canvas.unit * 0.5, 0.5);
        else canvas.speck(canvas.unit * between(random, 0.4, 1.7));
      }
      break;
    case 'text':
      drawLetters(canvas, region.lines ?? 3);
  }
  return canvas.mask;
}

function checkedShare(share: number): number {
  if (share > 0 && share < 1) return share;
  throw new RgiError('usage', `The corrupted share of a picture lies between 0 and 1, not at ${share}.`);
}

const between = (random: Random, low: number, high: number) => low + (high - low) * random.uniform();

/** A mask being drawn. Coordinates are pixels; centres of pixels lie at whole numbers. */
class Canvas {
  readonly mask: Float32Array;
  readonly side: number;
  /** Pixels that stand for one pixel of a picture of 128. */
  readonly unit: number;

  constructor(
    readonly height: number,
    readonly width: number,
    readonly random: Random,
  ) {
    this.mask = new Float32Array(height * width);
    this.side = Math.min(height, width);
    this.unit = Math.max(1, this.side / 128);
  }

  /** A random length between two shares of the side. */
  span(low: number, high: number): number {
    return this.side * between(this.random, low, high);
  }

  point(): [number, number] {
    return [this.random.uniform() * (this.width - 1), this.random.uniform() * (this.height - 1)];
  }

  rectangle(top: number, left: number, height: number, width: number): void {
    for (let y = Math.max(0, top); y < Math.min(this.height, top + height); y++) {
      this.mask.fill(1, y * this.width + Math.max(0, left), y * this.width + Math.min(this.width, left + width));
    }
  }

  /** Marks the pixels whose centres lie within `radius` of a segment; returns those that were not marked before. */
  segment(x0: number, y0: number, x1: number, y1: number, radius: number): number[] {
    const fresh: number[] = [];
    const [dx, dy] = [x1 - x0, y1 - y0];
    const squared = dx * dx + dy * dy;
    const low = (a: number, b: number) => Math.max(0, Math.ceil(Math.min(a, b) - radius));
    const high = (a: number, b: number, n: number) => Math.min(n - 1, Math.floor(Math.max(a, b) + radius));
    for (let y = low(y0, y1); y <= high(y0, y1, this.height); y++) {
      for (let x = low(x0, x1); x <= high(x0, x1, this.width); x++) {
        const t = squared ? Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy) / squared)) : 0;
        const at = y * this.width + x;
        if (this.mask[at] || (x - x0 - t * dx) ** 2 + (y - y0 - t * dy) ** 2 > radius * radius) continue;
        this.mask[at] = 1;
        fresh.push(at);
      }
    }
    return fresh;
  }

  /** A bent line from a random point: `bend` is the deviation of the turn, in radians per twentieth of the side. */
  walk(length: number, radius: number, bend: number): void {
    const step = this.side / 20;
    let [x, y] = this.point().map(Math.round);
    let angle = this.random.uniform() * 2 * Math.PI;
    for (let gone = 0; gone < length; gone += step) {
      const [u, v] = [x + step * Math.cos(angle), y + step * Math.sin(angle)];
      this.segment(x, y, u, v, radius);
      [x, y] = [u, v];
      angle += bend * this.random.normal();
    }
  }

  /** A small disc around a pixel. */
  speck(radius: number): void {
    const [x, y] = this.point().map(Math.round);
    this.segment(x, y, x, y, radius);
  }
}

/** Brush strokes (random walks with a round brush); what would exceed the range is taken back and retried thinner. */
function drawStrokes(canvas: Canvas, [low, high]: readonly [number, number]): void {
  if (!(low > 0 && low <= high && high < 1)) {
    throw new RgiError('usage', `Coverage is a range within 0 to 1, lower bound first, not ${low} to ${high}.`);
  }
  const { random, mask } = canvas;
  const wanted = Math.ceil(between(random, low, high) * mask.length);
  const most = Math.floor(high * mask.length);
  let covered = 0;
  let thinner = 1;
  for (let stroke = 0; covered < wanted && stroke < 1000; stroke++) {
    let [x, y] = canvas.point();
    let angle = random.uniform() * 2 * Math.PI;
    const radius = Math.max(0.5, thinner * canvas.span(0.02, 0.06));
    for (let steps = 4 + random.integer(8); covered < wanted && steps > 0; steps--) {
      const length = thinner * canvas.span(0.05, 0.18);
      const clamp = (v: number, n: number) => Math.min(n - 1, Math.max(0, v));
      const u = clamp(x + length * Math.cos(angle), canvas.width);
      const v = clamp(y + length * Math.sin(angle), canvas.height);
      const fresh = canvas.segment(x, y, u, v, radius);
      if (covered + fresh.length > most) {
        for (const at of fresh) mask[at] = 0;
        thinner *= 0.7;
        break;
      }
      covered += fresh.length;
      [x, y] = [u, v];
      angle += 0.8 * random.normal() + (random.uniform() < 0.15 ? Math.PI / 2 : 0);
    }
  }
}

function drawLines(canvas: Canvas, region: Extract<Region, { kind: 'lines' }>): void {
  const { random, height, width } = canvas;
  const rows = region.along ? region.along === 'rows' : random.uniform() < 0.5;
  const size = rows ? height : width;
  const wanted = Math.round(checkedShare(region.share ?? 0.25) * size);
  const thickest = Math.max(1, Math.round((region.thickness ?? 0.03) * canvas.side));
  const hit = new Uint8Array(size);
  for (let count = 0; count < wanted; ) {
    const first = random.integer(size);
    for (let k = first + random.integer(thickest); k >= first; k--) {
      if (k < size && !hit[k] && count < wanted) {
        hit[k] = 1;
        count++;
      }
    }
  }
  hit.forEach((on, k) => {
    if (on) canvas.rectangle(rows ? k : 0, rows ? 0 : k, rows ? 1 : height, rows ? width : 1);
  });
}

/** A disc whose radius varies with the angle by a few random harmonics. */
function drawStain(canvas: Canvas, [low, high]: readonly [number, number]): void {
  const { random, height, width, mask } = canvas;
  const [x0, y0] = canvas.point().map(Math.round);
  const radius = canvas.span(low, high);
  const waves = [2, 3, 4, 5, 7].map((k) => ({ k, a: (0.5 * random.uniform()) / k, p: random.uniform() * 2 * Math.PI }));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const angle = Math.atan2(y - y0, x - x0);
      const reach = radius * waves.reduce((r, { k, a, p }) => r + a * Math.cos(k * angle + p), 1);
      if (Math.hypot(x - x0, y - y0) <= reach) mask[y * width + x] = 1;
    }
  }
}

/** Lines of random words across the picture, evenly spread with a random shift. */
function drawLetters(canvas: Canvas, lines: number): void {
  const { random, height, width, mask } = canvas;
  const scale = Math.max(1, Math.min(Math.round(canvas.side / 48), Math.floor(height / (lines * (GLYPH_HEIGHT + 1)))));
  const room = height / lines;
  for (let line = 0; line < lines; line++) {
    const slack = Math.max(0, room - GLYPH_HEIGHT * scale);
    const top = Math.floor(line * room + slack * random.uniform());
    const left = -random.integer(Math.max(1, GLYPH_ADVANCE * scale));
    const length = Math.ceil((width - left) / (GLYPH_ADVANCE * scale));
    let text = '';
    while (text.length < length) text += random.uniform() < 0.15 ? ' ' : LETTERS[random.integer(LETTERS.length)];
    drawText(text, scale, (x, y) => {
      const [px, py] = [left + x, top + y];
      if (px >= 0 && px < width && py < height) mask[py * width + px] = 1;
    });
  }
}
