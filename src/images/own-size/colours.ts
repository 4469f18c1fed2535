/** Between the colours of a generator (grey or sRGB) and those a file stores: by cubes of examples, interpolated. */
import { zeros } from '../../onnx/tensor.ts';
import { type Image, shapeOf, toColour, toGrey } from '../image.ts';

/** Colours of one space for those of another, on a grid. */
export interface ColourCube {
  /** Channels that go in: the axes of the grid. */
  readonly axes: 3 | 4;
  /** Grid points along each axis, evenly spread from -1 to 1. */
  readonly points: number;
  /** Channels that come out. */
  readonly colours: number;
  /** [points, ..., points, colours], in [-1,1]. */
  readonly values: Float32Array;
}

/** Grey or sRGB pictures [1,1 or 3,H,W] in `colours` channels: through the cube if there is one, else grey and RGB into each other. */
export function inColours(image: Image, colours: number, cube?: ColourCube): Image {
  if (!cube) return colours === 1 ? toGrey(image) : toColour(image);
  return throughCube(toColour(image), cube);
}

/** A picture [1,axes,H,W] in the colours of the other space, [1,colours,H,W]; linear between the points of the grid. */
export function throughCube(image: Image, { axes, points, colours, values }: ColourCube): Image {
  const { height, width } = shapeOf(image);
  const plane = height * width;
  const out = zeros('float32', [1, colours, height, width]);
  const steps = Array.from({ length: axes }, (_, c) => colours * points ** (axes - 1 - c));
  const part = new Float64Array(axes);
  for (let i = 0; i < plane; i++) {
    let from = 0;
    for (let c = 0; c < axes; c++) {
      const at = ((Math.min(1, Math.max(-1, image.data[c * plane + i])) + 1) / 2) * (points - 1);
      const base = Math.min(points - 2, Math.floor(at));
      part[c] = at - base;
      from += base * steps[c];
    }
    for (let corner = 0; corner < 1 << axes; corner++) {
      let [weight, at] = [1, from];
      for (let c = 0; c < axes; c++) {
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

/** Steps towards the colours that come back; more do not help near the edge of what can be printed. */
const STEPS = 2;

/**
 * `there` changed so that `back` brings its colours back to where they were, as far as there are such colours: profiles draw colours in on
 * the way to a press, and do not draw them out again. By libvips' own CMYK profile, printable colours come back with a median error of 7 grey
 * levels without a step, of .6 after two and .2 after four; one in a hundred is missed by 14 from the first step on.
 */
export function invertedBy(back: ColourCube, there: ColourCube): ColourCube {
  const { points, colours, values } = there;
  const plane = points ** 3;
  const wanted = zeros('float32', [1, 3, 1, plane]);
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++)
      wanted.data[c * plane + i] = (2 * (Math.floor(i / points ** (2 - c)) % points)) / (points - 1) - 1;
  }
  const asked = { ...wanted, data: wanted.data.slice() };
  let made = throughCube(asked, there);
  for (let step = 0; step < STEPS; step++) {
    const shown = throughCube(made, back);
    asked.data.forEach((v, i) => {
      asked.data[i] = Math.min(1, Math.max(-1, v + wanted.data[i] - shown.data[i]));
    });
    made = throughCube(asked, there);
  }
  return { ...there, values: values.map((_, i) => made.data[(i % colours) * plane + Math.floor(i / colours)]) };
}
