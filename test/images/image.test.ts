/** Pictures in memory: conversions, resizing, sheets, colours. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COLOUR_SCALE, colourMap, overlay } from '../../src/images/colour.ts';
import {
  asBatch,
  binaryMask,
  coverage,
  fromPixels,
  type Image,
  imageAt,
  imagesOf,
  residualMap,
  stackImages,
  toColour,
  toGrey,
  toPixels,
} from '../../src/images/image.ts';
import { crop, gaussianBlur, outsideOf, padTo, placementOf, resize } from '../../src/images/resize.ts';
import { contactSheet, imageGrid } from '../../src/images/sheet.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';

const noise = (dims: number[], seed = 1): Image =>
  float32(randomFrom(seed).normals(dims.reduce((a, b) => a * b)), dims);
const mean = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0) / values.length;

describe('pixels', () => {
  it('8 bits survive the way to [-1,1] and back; 0 is -1, 255 is 1', () => {
    const pixels = Uint8Array.from({ length: 256 * 3 }, (_, i) => (i * 7) % 256);
    const image = fromPixels(pixels, { height: 16, width: 16, channels: 3 });
    expect(image.dims).toEqual([1, 3, 16, 16]);
    expect([Math.min(...image.data), Math.max(...image.data)]).toEqual([-1, 1]);
    expect(toPixels(image)).toEqual(pixels);
  });

  it('16 bits keep steps that 8 bits do not have', () => {
    const image = fromPixels(Uint16Array.of(0, 1, 65535), { height: 1, width: 3, channels: 1 });
    expect(Array.from(image.data)).toEqual([-1, Math.fround(2 / 65535 - 1), 1]);
  });

  it('interleaved pixels become planes', () => {
    const image = fromPixels(Uint8Array.of(255, 0, 0, 0, 255, 0), { height: 1, width: 2, channels: 3 });
    expect(Array.from(image.data)).toEqual([1, -1, -1, 1, -1, -1]);
  });

  it('values beyond the range are clipped in 8 bits only', () => {
    expect(Array.from(toPixels(float32([-3, 0, 3], [1, 1, 3])))).toEqual([0, 128, 255]);
  });

  it('grey of repeated grey is exact; luma weighs red, green, blue', () => {
    const grey = noise([2, 1, 4, 5]);
    expect(toGrey(toColour(grey))).toEqual(grey);
    const primary = float32([1, 0, 0, 0, 1, 0, 0, 0, 1], [1, 3, 1, 3]);
    expect(Array.from(toGrey(primary).data)).toEqual([0.299, 0.587, 0.114].map(Math.fround));
  });

  it('a batch is its images', () => {
    const batch = noise([3, 2, 4, 4]);
    expect(stackImages(imagesOf(batch))).toEqual(batch);
    expect(asBatch(noise([2, 4, 4])).dims).toEqual([1, 2, 4, 4]);
    expect(() => stackImages([noise([1, 2, 4, 4]), noise([1, 2, 4, 5])])).toThrowErrorMatchingInlineSnapshot(
      `[RgiError: Images of one batch have one shape, not [2, 4, 4] and [2, 4, 5].]`,
    );
  });

  it('residuals are root mean squares over channels; free masks are judged by their mean magnitude', () => {
    const a = float32([1, 2], [1, 2, 1, 1]);
    expect(residualMap(a, float32([4, 6], [1, 2, 1, 1])).data[0]).toBeCloseTo(Math.sqrt((9 + 16) / 2), 6);
    expect(Array.from(binaryMask(float32([-1, 0.1, 0.2, 0.1], [1, 2, 1, 2])).data)).toEqual([1, 0]);
    expect(coverage([1, 0, 0, 1])).toBe(0.5);
  });
});

describe('resizing', () => {
  it('keeps constants, and by area keeps the mean when sizes divide', () => {
    for (const method of ['area', 'bilinear', 'nearest'] as const) {
      const flat = resize(float32(new Float32Array(63).fill(0.25), [1, 1, 7, 9]), { height: 5, width: 20 }, method);
      for (const v of flat.data) expect(v).toBeCloseTo(0.25, 6);
    }
    const image = noise([2, 3, 12, 18]);
    expect(mean(resize(image, { height: 4, width: 6 }, 'area').data)).toBeCloseTo(mean(image.data), 6);
  });

  it('bilinear keeps ramps when enlarging, away from the border', () => {
    const ramp = float32(
      Float32Array.from({ length: 64 }, (_, i) => i % 8),
      [1, 1, 8, 8],
    );
    const large = resize(ramp, { height: 8, width: 24 });
    for (let x = 3; x < 21; x++) expect(large.data[x]).toBeCloseTo((x + 0.5) / 3 - 0.5, 5);
  });

  it('area means of 2 x 2, and rows are not columns', () => {
    const image = float32([1, 2, 3, 4, 5, 6, 7, 8], [1, 1, 2, 4]);
    expect(Array.from(resize(image, { height: 1, width: 2 }, 'area').data)).toEqual([3.5, 5.5]);
  });

  it('contain keeps the aspect and the whole, cover fills and crops, stretch fills with the whole', () => {
    const [source, target] = [
      { height: 60, width: 120 },
      { height: 64, width: 64 },
    ];
    expect(placementOf(source, target, 'contain').inner).toEqual({ top: 16, left: 0, height: 32, width: 64 });
    expect(placementOf(source, target, 'cover').crop).toEqual({ top: 0, left: 30, height: 60, width: 60 });
    expect(placementOf(source, target, 'stretch').crop).toEqual({ top: 0, left: 0, ...source });
    expect(placementOf(source, source, 'refuse').inner).toEqual({ top: 0, left: 0, ...source });
    expect(() => placementOf(source, target, 'refuse')).toThrowErrorMatchingInlineSnapshot(
      `[RgiError: The picture is 120 x 60 pixels (width x height), 64 x 64 are needed.]`,
    );
  });

  it('every placement lies inside source and target', () => {
    const size = fc.record({ height: fc.integer({ min: 1, max: 50 }), width: fc.integer({ min: 1, max: 50 }) });
    fc.assert(
      fc.property(size, size, fc.constantFrom('contain', 'cover', 'stretch'), (source, target, fit) => {
        const { crop: box, inner } = placementOf(source, target, fit as 'contain');
        const image = padTo(resize(crop(noise([1, 1, source.height, source.width]), box), inner), target, inner);
        expect(image.dims).toEqual([1, 1, target.height, target.width]);
        expect(image.data.every(Number.isFinite)).toBe(true);
        const margins = coverage(outsideOf(target, inner).data);
        expect(margins).toBeCloseTo(1 - (inner.height * inner.width) / (target.height * target.width), 6);
        if (fit !== 'contain') expect(margins).toBe(0);
      }),
    );
  });

  it('crops what it says, and refuses to reach outside', () => {
    const image = float32([1, 2, 3, 4, 5, 6], [1, 1, 2, 3]);
    expect(Array.from(crop(image, { top: 1, left: 1, height: 1, width: 2 }).data)).toEqual([5, 6]);
    expect(() => crop(image, { top: 1, left: 1, height: 2, width: 2 })).toThrow('outside');
  });

  it('Gaussian blur keeps the mean and has the variance of its kernel', () => {
    const image = noise([1, 1, 40, 40]);
    expect(mean(gaussianBlur(image, 2).data)).toBeCloseTo(mean(image.data), 6);
    const dot = float32(new Float32Array(41 * 41), [1, 1, 41, 41]);
    dot.data[20 * 41 + 20] = 1;
    const spread = gaussianBlur(dot, 2).data.reduce((sum, v, i) => sum + v * ((i % 41) - 20) ** 2, 0);
    expect(spread).toBeCloseTo(4, 1);
  });
});

describe('sheets and colours', () => {
  it('a sheet holds every cell where its row and column are, untouched', () => {
    const cells = [noise([1, 3, 8, 10], 1), noise([1, 1, 6, 9], 2), noise([1, 3, 8, 10], 3)];
    const sheet = contactSheet([[cells[0], cells[1]], [cells[2]]], { gap: 2 });
    expect(sheet.dims).toEqual([1, 3, 2 + 8 + 2 + 8 + 2, 2 + 10 + 2 + 9 + 2]);
    expect(crop(sheet, { top: 2, left: 2, height: 8, width: 10 })).toEqual(cells[0]);
    expect(crop(sheet, { top: 2, left: 14, height: 6, width: 9 })).toEqual(toColour(cells[1]));
    expect(crop(sheet, { top: 12, left: 2, height: 8, width: 10 })).toEqual(cells[2]);
    expect(Array.from(crop(sheet, { top: 12, left: 14, height: 8, width: 9 }).data).every((v) => v === 1)).toBe(true);
  });

  it('labels are drawn outside the cells', () => {
    const cell = noise([1, 1, 16, 40]);
    const sheet = contactSheet([[cell]], { columns: ['input'], rows: ['a1'], gap: 2 });
    const [, , height, width] = sheet.dims;
    expect(crop(sheet, { top: height - 18, left: width - 42, height: 16, width: 40 })).toEqual(cell);
    const black = Array.from(sheet.data).filter((v) => v === -1).length;
    // Pixels of I, N, P, U, T, A and 1 in the 5 x 7 alphabet.
    expect(black).toBe(11 + 17 + 15 + 15 + 11 + 18 + 10);
  });

  it('a grid is nearly square', () => {
    expect(imageGrid(noise([5, 1, 8, 8]), { gap: 0 }).dims).toEqual([1, 1, 16, 24]);
  });

  it('the colour scale runs from black to white and never gets darker', () => {
    const luma = COLOUR_SCALE.map(([r, g, b]) => 0.299 * r + 0.587 * g + 0.114 * b);
    expect(COLOUR_SCALE[0]).toEqual([-1, -1, -1]);
    expect(COLOUR_SCALE[255]).toEqual([1, 1, 1]);
    for (let i = 1; i < 256; i++) expect(luma[i]).toBeGreaterThan(luma[i - 1] - 0.002);
  });

  it('colours clip at the ends, and show not-a-number as black', () => {
    const colours = colourMap(float32([-9, 9, Number.NaN], [1, 1, 1, 3]), 0, 1);
    expect(Array.from(colours.data)).toEqual([-1, 1, -1, -1, 1, -1, -1, 1, -1]);
  });

  it('an overlay tints the mask only', () => {
    const image = noise([1, 1, 5, 5]);
    const mask = float32(
      Float32Array.from({ length: 25 }, (_, i) => (i >= 5 && i < 20 ? 1 : 0)),
      [1, 1, 5, 5],
    );
    const shown = overlay(image, mask, { opacity: 0.5 });
    const plain = toColour(image);
    for (let i = 0; i < 75; i++) {
      if (!mask.data[i % 25]) expect(shown.data[i]).toBe(plain.data[i]);
    }
    // The middle row has masked pixels above and below: half red. The rows beside it are rim: full red.
    expect(imageAt(shown, 0).data[12]).toBeCloseTo((image.data[12] + 1) / 2, 6);
    expect(shown.data[7]).toBe(1);
  });
});
