/** From the colours of a generator (grey or sRGB) to those a file stores: by a cube of examples, interpolated. */
import { zeros } from '../../onnx/tensor.ts';
import { type Image, shapeOf, toColour, toGrey } from '../image.ts';

/** Stored colours of sRGB colours on a grid. */
export interface ColourCube {
  /** Grid points along each of R, G, B, evenly spread from -1 to 1. */
  readonly points: number;
  /** Channels of the stored colours. */
  readonly colours: number;
  /** [R,G,B,channel], in [-1,1]. */
  readonly values: Float32Array;
}

/** Grey or sRGB pictures [1,1 or 3,H,W] in `colours` channels: through the cube if there is one, else grey and RGB into each other. */
export function inColours(image: Image, colours: number, cube?: ColourCube): Image {
  if (!cube) return colours === 1 ? toGrey(image) : toColour(image);
  return throughCube(toColour(image), cube);
}

function throughCube(image: Image, { points, colours, values }: ColourCube): Image {
  const { height, width } = shapeOf(image);
  const plane = height * width;
  const out = zeros('float32', [1, colours, height, width]);
  const steps = [points * points * colours, points * colours, colours];
  const [base, part] = [new Int32Array(3), new Float64Array(3)];
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) {
      const at = ((Math.min(1, Math.max(-1, image.data[c * plane + i])) + 1) / 2) * (points - 1);
      base[c] = Math.min(points - 2, Math.floor(at));
      part[c] = at - base[c];
    }
    const from = base[0] * steps[0] + base[1] * steps[1] + base[2] * steps[2];
    for (let corner = 0; corner < 8; corner++) {
      let [weight, at] = [1, from];
      for (let c = 0; c < 3; c++) {
        const up = (corner >> c) & 1;
        weight *= up ? part[c] : 1 - part[c];
        at += up * steps[c];
      }
      if (weight === 0) continue;
      for (let k = 0; k < colours; k++) out.data[k * plane + i] += weight * values[at + k];
    }
  }
  return out;
}
