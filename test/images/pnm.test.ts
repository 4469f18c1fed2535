import { describe, expect, test } from 'vitest';
import { isPictureName } from '../../src/images/node/formats.ts';
import { decodePnm, isPnm } from '../../src/images/node/pnm.ts';

const bytes = (...parts: (string | number[])[]) =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === 'string' ? [...new TextEncoder().encode(part)] : part)));
const decode = (file: Uint8Array, limit = 1e6) => {
  expect(isPnm(file)).toBe(true);
  const { data, ...rest } = decodePnm(file, 'x.pnm', limit);
  return { data: [...data], ...rest };
};

describe('PBM, PGM and PPM', () => {
  test('plain and raw, with comments; 1 of a bitmap is black', () => {
    const bits = { data: [255, 0, 255, 0, 255, 0], height: 2, width: 3, channels: 1 };
    expect(decode(bytes('P1 # bits\n3 2\n010 1\n0 1'))).toEqual(bits);
    expect(decode(bytes('P4\n3 2\n', [0b01000000, 0b10100000]))).toEqual(bits);
    expect(decode(bytes('P2\n# a comment\n2 1 255\n7 200'))).toEqual({
      data: [7, 200],
      height: 1,
      width: 2,
      channels: 1,
    });
    expect(decode(bytes('P5 2 1 255\n', [7, 200]))).toEqual({ data: [7, 200], height: 1, width: 2, channels: 1 });
    expect(decode(bytes('P3 1 2 255  1 2 3  4 5 6'))).toEqual({
      data: [1, 2, 3, 4, 5, 6],
      height: 2,
      width: 1,
      channels: 3,
    });
    expect(decode(bytes('P6 1 2 255\n', [1, 2, 3, 4, 5, 6]))).toEqual({
      data: [1, 2, 3, 4, 5, 6],
      height: 2,
      width: 1,
      channels: 3,
    });
  });

  test('values are scaled to 8 bits, or to 16 where they have more', () => {
    expect(decode(bytes('P2 3 1 15\n0 5 15')).data).toEqual([0, 85, 255]);
    expect(decode(bytes('P5 2 1 65535\n', [1, 2, 255, 255])).data).toEqual([258, 65535]);
    expect(decode(bytes('P5 2 1 4095\n', [15, 255, 0, 0])).data).toEqual([65535, 0]);
  });

  test('what is damaged, cut short or too large is one sentence', () => {
    const refusal = (file: Uint8Array, limit?: number) => {
      try {
        decode(file, limit);
      } catch (error) {
        return (error as Error).message;
      }
      return expect.unreachable();
    };
    expect(refusal(bytes('P5 2 2 255\n', [1, 2, 3]))).toBe('x.pnm is a PNM file that is cut short.');
    expect(refusal(bytes('P2 2 2 255 1 2'))).toBe('x.pnm is a PNM file that is cut short.');
    expect(refusal(bytes('P5 0 2 255\n'))).toBe('x.pnm is a damaged PNM file: its header is wrong.');
    expect(refusal(bytes('P5 x 2 255\n'))).toBe('x.pnm is a damaged PNM file: a number is expected where none is.');
    expect(refusal(bytes('P2 1 1 15 99'))).toBe('x.pnm is a damaged PNM file: it holds 99, above its maximum of 15.');
    expect(refusal(bytes('P5 999999999 999999999 255\n'))).toBe(
      'x.pnm has 999999999 x 999999999 pixels; more than 1 million are refused. Make it smaller first.',
    );
  });
});

test('every suffix of the formats that are decoded is a picture', () => {
  for (const name of 'a.PNG a.jpg a.jpeg a.jpe a.jfif a.webp a.tif a.tiff a.gif a.avif a.bmp a.pgm a.ppm a.pbm a.npy'.split(
    ' ',
  ))
    expect(isPictureName(name), name).toBe(true);
  for (const name of ['a.svg', 'a.pdf', 'a.txt', 'png', 'a.onnx']) expect(isPictureName(name), name).toBe(false);
});
