/** Maps made visible: a colour scale for residuals and anomaly maps, and masks drawn over pictures. */
import { zeros } from '../onnx/tensor.ts';
import { type Image, type Mask, shapeOf, toColour } from './image.ts';

/**
 * 256 colours in [-1,1], [R,G,B] each: Green's cubehelix (2011, Bull. Astr. Soc. India 39, 289), start 0.5, rotations
 * -1.5, hue 1, gamma 1. Its brightness rises evenly, so that it reads the same in grey.
 */
export const COLOUR_SCALE: readonly (readonly [number, number, number])[] = Array.from({ length: 256 }, (_, i) => {
  const level = i / 255;
  const angle = 2 * Math.PI * (0.5 / 3 + 1 - 1.5 * level);
  const amplitude = (level * (1 - level)) / 2;
  const channel = (cosine: number, sine: number) => {
    const value = level + amplitude * (cosine * Math.cos(angle) + sine * Math.sin(angle));
    return 2 * Math.min(1, Math.max(0, value)) - 1;
  };
  return [channel(-0.14861, 1.78277), channel(-0.29227, -0.90649), channel(1.97294, 0)];
});

/** Residual, in units of [-1,1], that is drawn white: half the range of the image. */
export const RESIDUAL_WHITE = 1;

/** A map [N,1,H,W] as colours [N,3,H,W]: `low` and below is black, `high` and above white. */
export function colourMap(map: Image, low: number, high: number): Image {
  const { count, height, width } = shapeOf(map);
  const plane = height * width;
  const out = zeros('float32', [count, 3, height, width]);
  const unit = 255 / (high - low || 1);
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < plane; i++) {
      const level = Math.round((map.data[n * plane + i] - low) * unit);
      const colour = COLOUR_SCALE[Math.min(255, Math.max(0, level || 0))];
      for (let c = 0; c < 3; c++) out.data[(3 * n + c) * plane + i] = colour[c];
    }
  }
  return out;
}

export interface OverlayOptions {
  /** [R,G,B] in [-1,1]; default red. */
  readonly colour?: readonly [number, number, number];
  /** Share of the colour inside the mask, 0 to 1; default 0.4. The mask's rim is drawn in full colour. */
  readonly opacity?: number;
}

/** Pictures with the masked pixels tinted and their outline drawn: [N,3,H,W]. */
export function overlay(image: Image, mask: Mask, { colour = [1, -1, -1], opacity = 0.4 }: OverlayOptions = {}): Image {
  const base = toColour(image);
  const { count, height, width } = shapeOf(base);
  const plane = height * width;
  const out = { ...base, data: base.data.slice() };
  for (let n = 0; n < count; n++) {
    const m = mask.data.subarray(n * plane, (n + 1) * plane);
    for (let i = 0; i < plane; i++) {
      if (!(m[i] > 0.5)) continue;
      const [y, x] = [Math.floor(i / width), i % width];
      const clear = (dy: number, dx: number) =>
        y + dy >= 0 && y + dy < height && x + dx >= 0 && x + dx < width && !(m[i + dy * width + dx] > 0.5);
      const share = clear(-1, 0) || clear(1, 0) || clear(0, -1) || clear(0, 1) ? 1 : opacity;
      for (let c = 0; c < 3; c++) {
        const at = (3 * n + c) * plane + i;
        out.data[at] += share * (colour[c] - out.data[at]);
      }
    }
  }
  return out;
}
