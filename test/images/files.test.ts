/** Picture files: what is read, how it is fitted, what is refused and in which words; what is written. */
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readNpy, writeNpy } from '../../src/arrays/npy.ts';
import { RgiError } from '../../src/errors.ts';
import { type Image, toPixels } from '../../src/images/image.ts';
import { expandInputs } from '../../src/images/node/inputs.ts';
import { type ReadOptions, readMask, readPicture } from '../../src/images/node/read.ts';
import {
  removeLeftovers,
  writeFileAtomic,
  writeMask,
  writeNpyFile,
  writePicture,
} from '../../src/images/node/write.ts';
import { float32, tensorOf } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';

let folder = '';
const at = (...names: string[]) => path.join(folder, ...names);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rgi-files-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

// Left to right brighter in red, top to bottom in green: 40 x 30.
const [WIDTH, HEIGHT] = [40, 30];
const COLOUR = Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => {
  const pixel = Math.floor(i / 3);
  return [6 * (pixel % WIDTH), 8 * Math.floor(pixel / WIDTH), 100][i % 3];
});
const GREY = Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => i % 251);
const raw = (data: Uint8Array | Uint16Array, channels: 1 | 3 | 4) =>
  sharp(data, { raw: { width: WIDTH, height: HEIGHT, channels } });
const colour = () => raw(COLOUR, 3);
const grey = () => raw(GREY, 1).toColourspace('b-w');
const noise = (dims: number[]): Image => float32(randomFrom(1).normals(dims.reduce((a, b) => a * b)), dims);

/** The sentence of a refusal, with the folder left out; anything but an `input` error fails. */
async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => expect.fail('was not refused'),
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(RgiError);
  expect((error as RgiError).code).toBe('input');
  return (error as RgiError).message.replaceAll(`${folder}${path.sep}`, '').replaceAll(folder, 'FOLDER');
}

/** A BMP file of 24 bits (bottom up) or 8 bits with a grey palette (top down). */
function bmp(bits: 8 | 24): Uint8Array {
  const channels = bits / 8;
  const stride = Math.ceil((WIDTH * channels) / 4) * 4;
  const start = 54 + (bits === 8 ? 1024 : 0);
  const bytes = new Uint8Array(start + stride * HEIGHT);
  const view = new DataView(bytes.buffer);
  bytes.set([0x42, 0x4d]);
  view.setUint32(10, start, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, WIDTH, true);
  view.setInt32(22, bits === 8 ? -HEIGHT : HEIGHT, true);
  view.setUint16(28, bits, true);
  if (bits === 8) for (let k = 0; k < 256; k++) bytes.set([k, k, k], 54 + 4 * k);
  for (let y = 0; y < HEIGHT; y++) {
    const row = start + stride * (bits === 8 ? y : HEIGHT - 1 - y);
    for (let x = 0; x < WIDTH; x++) {
      const pixel = y * WIDTH + x;
      if (bits === 8) bytes[row + x] = GREY[pixel];
      else for (let c = 0; c < 3; c++) bytes[row + 3 * x + c] = COLOUR[3 * pixel + 2 - c];
    }
  }
  return bytes;
}

describe('reading', () => {
  it('lossless formats give the pixels that were stored', async () => {
    await colour().png().toFile(at('c.png'));
    await colour().webp({ lossless: true }).toFile(at('c.webp'));
    await colour().tiff({ compression: 'lzw' }).toFile(at('c.tif'));
    await writeFile(at('c.bmp'), bmp(24));
    await grey().png().toFile(at('g.png'));
    await writeFile(at('g.bmp'), bmp(8));
    for (const name of ['c.png', 'c.webp', 'c.tif', 'c.bmp']) {
      const { image, source } = await readPicture(at(name));
      expect(source, name).toEqual({ height: HEIGHT, width: WIDTH, channels: 3, bits: 8 });
      expect(toPixels(image), name).toEqual(COLOUR);
    }
    for (const name of ['g.png', 'g.bmp']) expect(toPixels((await readPicture(at(name))).image), name).toEqual(GREY);
  });

  it('16 bits are kept', async () => {
    const values = Uint16Array.from({ length: WIDTH * HEIGHT }, (_, i) => 53 * i);
    await raw(values, 1).toColourspace('grey16').png().toFile(at('deep.png'));
    const { image, source } = await readPicture(at('deep.png'));
    expect(source.bits).toBe(16);
    expect(image.data).toEqual(Float32Array.from(values, (v) => v / 32767.5 - 1));
  });

  it('EXIF orientation is applied, also before a crop', async () => {
    await colour().png().withMetadata({ orientation: 6 }).toFile(at('turned.png'));
    const { image } = await readPicture(at('turned.png'));
    expect(image.dims).toEqual([1, 3, WIDTH, HEIGHT]);
    // Orientation 6: stored rows run from right to left, so that green, the row, falls along x.
    const green = image.data.subarray(WIDTH * HEIGHT, 2 * WIDTH * HEIGHT);
    expect((green[0] + 1) * 127.5).toBeCloseTo(8 * (HEIGHT - 1), 3);
    const square = { size: { height: 30, width: 30 }, fit: 'cover' } as const;
    const covered = (await readPicture(at('turned.png'), square)).image;
    expect((covered.data[0] + 1) * 127.5).toBeCloseTo(6 * 5, 3);
  });

  it('alpha is laid over white; CMYK becomes RGB', async () => {
    const clear = new Uint8Array(WIDTH * HEIGHT * 4);
    await raw(clear, 4).png().toFile(at('clear.png'));
    expect((await readPicture(at('clear.png'))).image.data.every((v) => v === 1)).toBe(true);
    await colour().toColourspace('cmyk').jpeg({ quality: 100 }).toFile(at('cmyk.jpg'));
    const { image } = await readPicture(at('cmyk.jpg'));
    expect(image.dims).toEqual([1, 3, HEIGHT, WIDTH]);
    expect(image.data[30] - image.data[3]).toBeGreaterThan(0.5);
  });

  it('.npy floats are taken as they are, unclipped, one picture or many', async () => {
    const one = noise([3, 8, 9]);
    await writeNpyFile(at('one.npy'), one);
    await writeNpyFile(at('many.npy'), noise([4, 1, 8, 9]));
    await writeNpyFile(at('double.npy'), tensorOf('float64', [-3, 0.5], [1, 1, 2]));
    expect((await readPicture(at('one.npy'))).image).toEqual({ ...one, dims: [1, 3, 8, 9] });
    expect((await readPicture(at('many.npy'), { channels: 3 })).image.dims).toEqual([4, 3, 8, 9]);
    expect(Array.from((await readPicture(at('double.npy'))).image.data)).toEqual([-3, 0.5]);
  });

  it('grey becomes colour freely, colour becomes grey where nothing is lost or luma is asked for', async () => {
    await grey().png().toFile(at('g.png'));
    await colour().png().toFile(at('c.png'));
    const three = (await readPicture(at('g.png'), { channels: 3 })).image;
    expect(three.dims[1]).toBe(3);
    await writePicture(at('g3.png'), three);
    expect(toPixels((await readPicture(at('g3.png'), { channels: 1 })).image)).toEqual(GREY);
    expect((await readPicture(at('c.png'), { channels: 1, grey: 'luma' })).image.dims[1]).toBe(1);
    expect(await refusal(readPicture(at('c.png'), { channels: 1 }))).toMatchInlineSnapshot(
      `"c.png is a colour picture, grey is needed; choose grey by luma to convert it."`,
    );
  });
});

describe('fitting', () => {
  const size = { height: 20, width: 20 };
  const read = async (fit: ReadOptions['fit']) => {
    await colour().png().toFile(at('fit.png'));
    return readPicture(at('fit.png'), { size, fit });
  };

  it('refuses by default, saying both sizes and the ways out', async () => {
    expect(await refusal(read(undefined))).toMatchInlineSnapshot(
      `"fit.png is 40 x 30 pixels (width x height), 20 x 20 are needed; choose a fit: contain, cover or stretch."`,
    );
  });

  it('contain keeps all of it and marks the margins', async () => {
    const { image, outside, view } = await read('contain');
    expect(view.placement.inner).toEqual({ top: 2, left: 0, height: 15, width: 20 });
    expect(image.dims).toEqual([1, 3, 20, 20]);
    expect(Array.from(outside!.data).filter((v) => v === 1)).toHaveLength(5 * 20);
    // The margin repeats the border row.
    expect(image.data.subarray(0, 20)).toEqual(image.data.subarray(40, 60));
  });

  it('cover cuts the sides; stretch keeps them; neither leaves margins', async () => {
    const [covered, stretched] = [await read('cover'), await read('stretch')];
    expect([covered.outside, stretched.outside]).toEqual([undefined, undefined]);
    const left = (image: Image) => (image.data[10 * 20] + 1) * 127.5;
    expect(left(covered.image)).toBeGreaterThan(25);
    expect(left(stretched.image)).toBeLessThan(10);
  });

  it('.npy pictures are fitted likewise', async () => {
    await writeNpyFile(at('fit.npy'), noise([3, HEIGHT, WIDTH]));
    const { image, outside } = await readPicture(at('fit.npy'), { size, fit: 'contain' });
    expect(image.dims).toEqual([1, 3, 20, 20]);
    expect(outside!.data[0]).toBe(1);
    expect(await refusal(readPicture(at('fit.npy'), { size }))).toMatchInlineSnapshot(
      `"fit.npy is 40 x 30 pixels (width x height), 20 x 20 are needed; choose a fit: contain, cover or stretch."`,
    );
  });
});

describe('masks', () => {
  it('white is 1; a mask of the stored size goes where its picture went', async () => {
    await colour().png().toFile(at('p.png'));
    const mask = float32(
      Float32Array.from({ length: WIDTH * HEIGHT }, (_, i) => (i % WIDTH < 20 ? 1 : 0)),
      [1, 1, HEIGHT, WIDTH],
    );
    await writeMask(at('m.png'), mask);
    await writeNpyFile(at('m.npy'), float32(mask.data, [HEIGHT, WIDTH]));
    for (const name of ['m.png', 'm.npy']) {
      expect(await readMask(at(name), await readPicture(at('p.png'))), name).toEqual(mask);
      const small = await readPicture(at('p.png'), { size: { height: 20, width: 20 }, fit: 'contain' });
      const placed = await readMask(at(name), small);
      expect(placed.dims).toEqual([1, 1, 20, 20]);
      expect(Array.from(placed.data.subarray(100, 120))).toEqual([...Array(10).fill(1), ...Array(10).fill(0)]);
    }
  });

  it('what is transparent is not masked', async () => {
    await colour().png().toFile(at('p.png'));
    const strokes = Uint8Array.from({ length: WIDTH * HEIGHT * 4 }, (_, i) => (i % 4 < 3 || i < 400 ? 255 : 0));
    await raw(strokes, 4).png().toFile(at('strokes.png'));
    const mask = await readMask(at('strokes.png'), await readPicture(at('p.png')));
    expect(Array.from(mask.data)).toEqual(Array.from({ length: WIDTH * HEIGHT }, (_, i) => (i < 100 ? 1 : 0)));
  });

  it('a mask of another size, or of another number, is refused', async () => {
    await colour().png().toFile(at('p.png'));
    await sharp(GREY.slice(0, 100), { raw: { width: 10, height: 10, channels: 1 } })
      .png()
      .toFile(at('small.png'));
    await writeNpyFile(at('three.npy'), noise([3, 1, HEIGHT, WIDTH]));
    await writeNpyFile(at('deep.npy'), noise([3, HEIGHT, WIDTH]));
    const picture = await readPicture(at('p.png'));
    expect([
      await refusal(readMask(at('small.png'), picture)),
      await refusal(readMask(at('three.npy'), picture)),
      await refusal(readMask(at('deep.npy'), picture)),
    ]).toMatchInlineSnapshot(`
      [
        "The mask small.png is 10 x 10 pixels, its picture p.png 40 x 30; give a mask of the same size.",
        "three.npy holds 3 masks for 1 picture(s); give one for all or one for each.",
        "The mask deep.npy is [3, 30, 40]; [H,W], [1,H,W] or [N,1,H,W] is read.",
      ]
    `);
  });
});

describe('files that cannot be used', () => {
  const write = async (name: string, content: Uint8Array | string) => {
    await writeFile(at(name), content);
    return refusal(readPicture(at(name)));
  };

  it('are refused in one sentence that names the file', async () => {
    const png = await raw(
      Uint8Array.from(randomFrom(1).normals(WIDTH * HEIGHT * 3), (v) => 50 * v),
      3,
    )
      .png()
      .toBuffer();
    const jpeg = await colour().jpeg().toBuffer();
    const tiff = await colour().tiff({ compression: 'none' }).toBuffer();
    const frames = await sharp(COLOUR.slice(0, 3 * 8 * 16), {
      raw: { width: 8, height: 16, channels: 3, pageHeight: 8 },
    })
      .gif()
      .toBuffer();
    const claims = (shape: string) => {
      const bytes = writeNpy(float32([1], [1, 1, 1]));
      const text = new TextDecoder('latin1')
        .decode(bytes)
        .replace(/\(1, 1, 1\), \}.{20}/, (m) => `(${shape}), }`.padEnd(m.length));
      return Uint8Array.from(text, (c) => c.charCodeAt(0));
    };
    await mkdir(at('folder.png'), { recursive: true });
    const sentences = [
      await refusal(readPicture(at('absent.png'))),
      await refusal(readPicture(at('folder.png'))),
      await write('empty.png', ''),
      await write('text.png', 'this is not a picture'),
      await write('cut.png', png.subarray(0, png.length / 2)),
      await write('head.png', png.subarray(0, 20)),
      await write('cut.jpg', jpeg.subarray(0, jpeg.length / 2)),
      await write('cut.tif', tiff.subarray(0, tiff.length / 2)),
      await write('cut.bmp', bmp(24).subarray(0, 500)),
      await write('drawing.svg', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>'),
      await write('moving.gif', frames),
      await write('text.npy', 'not an array'),
      await write('cut.npy', writeNpy(noise([3, 8, 8])).subarray(0, 200)),
      await write('claims.npy', claims('3, 900000, 900000')),
      await write('bytes.npy', writeNpy(tensorOf('uint8', [1, 2], [1, 1, 2]))),
      await write('flat.npy', writeNpy(noise([8, 8]))),
      await write('last.npy', writeNpy(noise([8, 8, 3]))),
      await write('two.npy', writeNpy(noise([2, 8, 8]))),
      await write('range.npy', writeNpy(float32([0, 255], [1, 1, 2]))),
      await write('nan.npy', writeNpy(float32([0, Number.NaN], [1, 1, 2]))),
    ];
    expect(sentences).toMatchInlineSnapshot(`
      [
        "absent.png does not exist.",
        "folder.png is a folder; give a picture file.",
        "empty.png is empty.",
        "text.png is not a picture (JPEG, PNG, WebP, TIFF, GIF, AVIF, BMP, PNM or .npy), or its beginning is damaged.",
        "cut.png is damaged or cut short: copy it again, whole.",
        "head.png is not a picture (JPEG, PNG, WebP, TIFF, GIF, AVIF, BMP, PNM or .npy), or its beginning is damaged.",
        "cut.jpg is not a picture (JPEG, PNG, WebP, TIFF, GIF, AVIF, BMP, PNM or .npy), or its beginning is damaged.",
        "cut.tif is not a picture (JPEG, PNG, WebP, TIFF, GIF, AVIF, BMP, PNM or .npy), or its beginning is damaged.",
        "cut.bmp is a BMP file that is cut short.",
        "drawing.svg is SVG; convert it to PNG, JPEG, WebP or TIFF.",
        "moving.gif has 2 pages or frames; save the one you mean as a single picture.",
        "text.npy cannot be used: This is not a .npy file.",
        "cut.npy cannot be used: The .npy file is cut short: 192 values need 768 bytes, 72 are there.",
        "claims.npy cannot be used: The .npy file is cut short: 2430000000000 values need 9720000000000 bytes, 4 are there.",
        "bytes.npy holds uint8 values; save floats in [-1,1] (x / 127.5 - 1).",
        "flat.npy is an array of [8, 8]; [C,H,W] or [N,C,H,W] is read.",
        "last.npy is [8, 8, 3] with channels last; move them to the front (numpy: x.transpose(2, 0, 1)).",
        "two.npy is [2, 8, 8], a picture of 2 channels; 1 or 3 are needed.",
        "range.npy holds the value 255; pictures are in [-1,1] (x / 127.5 - 1 for 0 to 255).",
        "nan.npy holds NaN at position 1; every value must be a finite number.",
      ]
    `);
  });

  it('pictures of too many pixels are refused before they are decoded', async () => {
    await sharp({ create: { width: 12_000, height: 9_000, channels: 3, background: '#000' } })
      .png({ compressionLevel: 9 })
      .toFile(at('bomb.png'));
    expect(await refusal(readPicture(at('bomb.png')))).toMatchInlineSnapshot(
      `"bomb.png has 12000 x 9000 pixels; more than 100 million are refused. Make it smaller first."`,
    );
    await colour().png().toFile(at('c.png'));
    expect(await refusal(readPicture(at('c.png'), { pixelLimit: 1000 }))).toMatchInlineSnapshot(
      `"c.png has 40 x 30 pixels; more than 0.001 million are refused. Make it smaller first."`,
    );
    // A header alone: rows of millions of pixels, which are below that together.
    const long = new Uint8Array(await readFile(at('c.png')));
    const header = new DataView(long.buffer);
    header.setUint32(16, 9_000_000);
    header.setUint32(20, 9);
    header.setUint32(29, crc32(long.subarray(12, 29)));
    await writeFile(at('long.png'), long);
    expect(await refusal(readPicture(at('long.png')))).toBe(
      'long.png has 9000000 x 9 pixels; sides of more than 65535 are refused. Cut it first.',
    );
    // A frame of a GIF that claims 65293 x 255 pixels: libvips would fill it, without an error.
    const claims = new Uint8Array(await colour().gif().toBuffer());
    const frame = Buffer.from(claims).lastIndexOf(Buffer.of(0x2c, 0, 0, 0, 0, 40, 0, 30, 0));
    claims.set([0x0d, 0xff, 0xff, 0x00], frame + 5);
    await writeFile(at('claims.gif'), claims);
    expect(await refusal(readPicture(at('claims.gif')))).toBe(
      `claims.gif claims 65293 x 255 pixels, more than its ${claims.length} bytes can hold: copy it again, whole.`,
    );
  });
});

describe('writing', () => {
  it('PNG keeps 8-bit pixels, grey as grey; .npy keeps floats', async () => {
    const image = (await readPicture(at('c.png'))).image;
    await writePicture(at('new', 'folder', 'out.png'), image);
    expect(toPixels((await readPicture(at('new', 'folder', 'out.png'))).image)).toEqual(COLOUR);
    await writePicture(at('grey.png'), noise([1, 12, 9]));
    expect((await sharp(at('grey.png')).metadata()).channels).toBe(1);
    await writeNpyFile(at('floats.npy'), noise([1, 3, 4, 5]));
    expect(readNpy(await readFile(at('floats.npy')))).toEqual(noise([1, 3, 4, 5]));
  });

  it('replaces a file whole, and leaves nothing behind where it fails', async () => {
    await mkdir(at('target', 'taken'), { recursive: true });
    await writeFileAtomic(at('target', 'a.txt'), 'one');
    await writeFileAtomic(at('target', 'a.txt'), 'two');
    expect(await readFile(at('target', 'a.txt'), 'utf8')).toBe('two');
    expect(await refusal(writeFileAtomic(at('target', 'taken'), 'x'))).toContain('taken cannot be written');
    expect((await readdir(at('target'))).sort()).toEqual(['a.txt', 'taken']);
  });

  it('removes what a killed process left of files that are ours, and nothing else', async () => {
    const names = ['.mine.png.01ab23cd.tmp', '.other.png.01ab23cd.tmp', '.mine.png.tmp', 'mine.png'];
    for (const name of names) await writeFileAtomic(at('left', name), 'x');
    await writeFileAtomic(at('left', 'mine.png'), 'durable', { durable: true });
    await removeLeftovers(at('left'), (name) => name === 'mine.png');
    expect((await readdir(at('left'))).sort()).toEqual(['.mine.png.tmp', '.other.png.01ab23cd.tmp', 'mine.png']);
    await removeLeftovers(at('no-such-folder'), () => true);
  });
});

describe('inputs', () => {
  const files = [
    'in/a2.png',
    'in/a10.png',
    'in/.hidden.png',
    'in/notes.txt',
    'in/b.jpg',
    'in/b.npy',
    'other/A2.png',
    'in/deep/c.png',
  ];
  beforeAll(async () => {
    for (const folderName of ['in/deep', 'other', 'none']) await mkdir(at(folderName), { recursive: true });
    for (const file of files) await writeFile(at(file), '');
  });
  const expand = async (...patterns: string[]) =>
    (await expandInputs(patterns.map((p) => at(p)))).map(
      (f) => `${path.relative(folder, f.path).replaceAll(path.sep, '/')} -> ${f.name}`,
    );

  it('folders give their pictures in natural order, one level, one name each', async () => {
    expect(await expand('in')).toEqual([
      'in/a2.png -> a2',
      'in/a10.png -> a10',
      'in/b.jpg -> b_jpg',
      'in/b.npy -> b_npy',
    ]);
  });

  it('a file named twice counts once; equal base names get their folder, whatever the case', async () => {
    expect(await expand('in/a2.png', 'in/../in/a2.png', 'other')).toEqual([
      'in/a2.png -> in_a2',
      'other/A2.png -> other_A2',
    ]);
  });

  it('patterns match within a folder; files are taken whatever their extension', async () => {
    expect(await expand('in/a*.png', 'in/notes.txt')).toEqual([
      'in/a2.png -> a2',
      'in/a10.png -> a10',
      'in/notes.txt -> notes',
    ]);
  });

  it('what gives nothing is refused', async () => {
    expect([
      await refusal(expandInputs([])),
      await refusal(expandInputs([at('absent.png')])),
      await refusal(expandInputs([at('none')])),
      await refusal(expandInputs([at('in', 'z*.png')])),
    ]).toMatchInlineSnapshot(`
      [
        "No pictures were named; give files or folders.",
        "absent.png does not exist.",
        "The folder none holds no pictures, nor do the folders in it.",
        "No picture matches in/z*.png.",
      ]
    `);
  });

  it('a link to a picture is a picture', async () => {
    await symlink(at('in', 'a2.png'), at('none', 'link.png')).catch(() => undefined);
    expect(await expand('none')).toEqual(['none/link.png -> link']);
    await rm(at('none', 'link.png'));
  });
});
