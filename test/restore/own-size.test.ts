/** Composites at the picture's own size: what is outside of the mask is the file's, what a file says of itself is kept or its loss is said. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dilate } from '../../src/images/morphology.ts';
import { readStored, type WrittenFormat } from '../../src/images/node/stored.ts';
import { encodeTiff } from '../../src/images/node/tiff.ts';
import type { Restoration } from '../../src/inversion/solve/restore.ts';
import { float32, zeros } from '../../src/onnx/tensor.ts';
import { type AtOwnSize, putAtOwnSize } from '../../src/restore/node/own-size.ts';
import { loadedAt, type ReadingOptions, readSource } from '../../src/restore/node/pictures.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rgi-own-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const [W, H] = [160, 120];

/** Smooth, with noise: 0 to 255. */
function levels(channels: number, width = W, height = H): Uint8Array {
  let seed = 7;
  return Uint8Array.from({ length: width * height * channels }, (_, i) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const [x, y, c] = [Math.floor(i / channels) % width, Math.floor(i / channels / width), i % channels];
    return 60 + x * 0.6 + y * 0.4 + 10 * c + (seed % 5);
  });
}

const rgb = (): Sharp => sharp(levels(3), { raw: { width: W, height: H, channels: 3 } });

interface Made extends AtOwnSize {
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** As `restore` would write it if the search had found a square in the middle, and had filled it with one grey. */
async function ownSize(
  name: string,
  bytes: Uint8Array,
  {
    channels = 3,
    value = 0.2,
    inner = value,
    format,
    ...reading
  }: Partial<ReadingOptions> & {
    channels?: number;
    value?: number;
    inner?: number;
    format?: WrittenFormat;
  } = {},
): Promise<Made> {
  const file = path.join(folder, name);
  await writeFile(file, bytes);
  const side = 32;
  const generator = { channels, height: side, width: side };
  const read = await readSource({ path: file }, generator, { fit: 'contain', grey: 'luma', ...reading });
  const loaded = loadedAt(read, 0);
  const mask = zeros('float32', [1, 1, side, side]);
  for (let y = 12; y < 18; y++) for (let x = 12; x < 20; x++) mask.data[y * side + x] = 1;
  const restored = float32(new Float32Array(channels * side * side).fill(value), [1, channels, side, side]);
  for (let c = 0; c < channels; c++)
    for (let y = 14; y < 18; y++) for (let x = 14; x < 18; x++) restored.data[(c * side + y) * side + x] = inner;
  const result = { restored, mask, softMask: mask, residual: mask } as Partial<Restoration> as Restoration;
  const files = new Map<string, Uint8Array>();
  const put = async (kind: string, content: Uint8Array) => void files.set(kind, content);
  const source = { path: file, name };
  return { files, ...(await putAtOwnSize(put, source, loaded, result, { blend: 'poisson', grow: 1, format })) };
}

async function rasterOf(name: string, bytes: Uint8Array) {
  const file = path.join(folder, name);
  await writeFile(file, bytes);
  return readStored(file);
}

/** Pixels that differ between two files, in and outside of the written mask grown by `grow` pixels. */
async function differences(before: Uint8Array, made: Made, extension: string, grow: number) {
  const [a, b] = [await rasterOf('before', before), await rasterOf('after', made.files.get(`composite.${extension}`)!)];
  expect([b.height, b.width, b.colours, b.alpha, b.data.BYTES_PER_ELEMENT]).toEqual([
    a.height,
    a.width,
    a.colours,
    a.alpha,
    a.data.BYTES_PER_ELEMENT,
  ]);
  const mask = await sharp(made.files.get('mask.png')!).toColourspace('b-w').raw().toBuffer();
  const shape = [1, 1, a.height, a.width];
  const grown = dilate(
    float32(
      Float32Array.from(mask, (v) => (v > 127 ? 1 : 0)),
      shape,
    ),
    grow,
  ).data;
  const channels = a.colours + (a.alpha ? 1 : 0);
  const count = { inside: 0, outside: 0, within: grown.reduce((sum, v) => sum + v, 0) };
  for (let p = 0; p < grown.length; p++) {
    let isSame = true;
    for (let c = 0; c < channels; c++) if (a.data[p * channels + c] !== b.data[p * channels + c]) isSame = false;
    if (!isSame) count[grown[p] ? 'inside' : 'outside']++;
  }
  return count;
}

/** One pixel of the generator in the picture's: 160 / 32. */
const SCALE = 5;

describe('lossless formats keep every pixel outside of the mask, grown by a pixel of the generator', () => {
  const grey = (): Sharp => sharp(levels(1), { raw: { width: W, height: H, channels: 1 } }).toColourspace('b-w');
  const wide = (channels: 1 | 3): Sharp => {
    const values = Uint16Array.from(levels(channels), (v, i) => v * 256 + (i % 251));
    return sharp(values, { raw: { width: W, height: H, channels } }).toColourspace(channels === 1 ? 'grey16' : 'rgb16');
  };
  const withAlpha = (): Sharp => {
    const values = levels(4);
    for (let i = 3; i < values.length; i += 4) values[i] = i % 16 === 3 ? 200 : 255;
    return sharp(values, { raw: { width: W, height: H, channels: 4 } });
  };
  const cases: [string, string, () => Sharp, ('png' | 'tiff' | 'webp')?][] = [
    ['8-bit PNG', 'png', rgb],
    ['grey PNG', 'png', grey],
    ['16-bit PNG', 'png', () => wide(3)],
    ['16-bit grey PNG', 'png', () => wide(1)],
    ['RGBA PNG', 'png', withAlpha],
    ['8-bit TIFF', 'tif', rgb],
    ['16-bit TIFF', 'tif', () => wide(3)],
    ['lossless WebP', 'webp', rgb],
    ['PNG with the profile P3', 'png', () => rgb().withIccProfile('p3')],
  ];
  test.each(cases)('%s', async (what, extension, picture) => {
    const format = extension === 'tif' ? 'tiff' : (extension as 'png' | 'webp');
    const bytes = new Uint8Array(
      await picture()
        .toFormat(format, format === 'webp' ? { lossless: true } : {})
        .toBuffer(),
    );
    const made = await ownSize(`${what}.${extension}`, bytes, { channels: what.includes('grey') ? 1 : 3 });
    const count = await differences(bytes, made, extension, SCALE);
    expect(count.outside).toBe(0);
    expect(count.inside).toBeGreaterThan(0.7 * count.within);
    expect(made.losses).toEqual([]);
    expect(made.changed).toBe(count.within);
  });
});

describe('JPEG', () => {
  test('is written again with hardly any loss, which is said; --format png keeps every pixel', async () => {
    const bytes = new Uint8Array(await rgb().jpeg({ quality: 90 }).toBuffer());
    const made = await ownSize('a.jpg', bytes);
    expect(made.losses).toEqual([
      'JPEG is compressed again with loss; --format png keeps every pixel outside the mask.',
    ]);
    const [a, b] = [await rasterOf('x', bytes), await rasterOf('y', made.files.get('composite.jpg')!)];
    const rowOfNoMask = a.data.subarray(0, 3 * W).map((v, i) => Math.abs(v - b.data[i]));
    expect(Math.max(...rowOfNoMask)).toBeLessThan(8);
    const asPng = await ownSize('b.jpg', bytes, { format: 'png' });
    expect((await differences(bytes, asPng, 'png', SCALE)).outside).toBe(0);
    expect(asPng.losses).toEqual([]);
  });

  test('with an orientation comes back upright, once, with its profile and the rest of its EXIF data', async () => {
    const bytes = new Uint8Array(
      await rgb()
        .withIccProfile('p3')
        .withExif({ IFD0: { Copyright: 'somebody', Orientation: '6' } })
        .jpeg()
        .toBuffer(),
    );
    const turned = new Uint8Array(
      await sharp(bytes).keepMetadata().withMetadata({ orientation: 6 }).keepIccProfile().toBuffer(),
    );
    const before = await sharp(turned).metadata();
    expect(before.orientation).toBe(6);
    const made = await ownSize('turned.jpg', turned);
    const after = await sharp(made.files.get('composite.jpg')!).metadata();
    expect([after.width, after.height, after.orientation]).toEqual([H, W, 1]);
    expect(after.icc).toEqual(before.icc);
    expect(Buffer.from(after.exif!).toString('latin1')).toContain('somebody');
    const mask = await sharp(made.files.get('mask.png')!).metadata();
    expect([mask.width, mask.height]).toEqual([H, W]);
  });

  test('in CMYK stays CMYK; a fill of the generator becomes CMYK by the profile', async () => {
    const bytes = new Uint8Array(
      await rgb().withIccProfile('cmyk').toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer(),
    );
    expect((await sharp(bytes).metadata()).space).toBe('cmyk');
    const made = await ownSize('c.jpg', bytes, { value: 0 });
    const composite = made.files.get('composite.jpg')!;
    const after = await sharp(composite).metadata();
    expect([after.space, after.icc?.length]).toEqual(['cmyk', (await sharp(bytes).metadata()).icc?.length]);
    // To a reader both show nearly the same outside of the mask.
    const [a, b] = await Promise.all(
      [bytes, composite].map((one) => sharp(one).toColourspace('srgb').raw().toBuffer()),
    );
    expect(Math.max(...a.subarray(0, 3 * W).map((v, i) => Math.abs(v - b[i])))).toBeLessThan(10);
    const asTiff = await ownSize('d.jpg', bytes, { format: 'tiff' });
    expect((await differences(bytes, asTiff, 'tif', SCALE)).outside).toBe(0);
    const asPng = await ownSize('e.jpg', bytes, { format: 'png' });
    expect(asPng.losses).toEqual(['PNG has no CMYK; the composite is sRGB.']);
  });
});

describe('CMYK', () => {
  /** Grey in black ink alone: no colour that the profile would separate like this. */
  const ink = () => {
    const data = Uint8Array.from({ length: 4 * W * H }, (_, i) => (i % 4 === 3 ? 120 : 0));
    return encodeTiff({ data, width: W, height: H, colours: 4, alpha: false });
  };

  test('is blended by its looks: grey in a grey picture, whatever inks it is printed in, gets no cast', async () => {
    const made = await ownSize('ink.tif', ink(), { value: 0.1, inner: -0.5 });
    const shown = await sharp(made.files.get('composite.tif')!).toColourspace('srgb').raw().toBuffer();
    const ground = await sharp(ink()).toColourspace('srgb').raw().toBuffer();
    const at = 3 * ((H >> 1) * W + (W >> 1));
    const [centre, beside] = [[...shown.subarray(at, at + 3)], [...ground.subarray(0, 3)]];
    // The fill is darker in its middle by .6 of the half range.
    centre.forEach((v, c) => {
      expect(Math.abs(v - (beside[c] - 0.6 * 127.5))).toBeLessThan(4);
    });
    expect((await differences(ink(), made, 'tif', SCALE)).outside).toBe(0);
  });
});

describe('a fill', () => {
  test('of a picture in P3 has the colours it would have in sRGB', async () => {
    const flat = sharp({ create: { width: W, height: H, channels: 3, background: { r: 200, g: 60, b: 40 } } });
    const bytes = new Uint8Array(await flat.withIccProfile('p3').png().toBuffer());
    const file = path.join(folder, 'p3.png');
    await writeFile(file, bytes);
    const { cube } = await readStored(file);
    const { inColours } = await import('../../src/images/own-size/colours.ts');
    const made = inColours(
      float32(
        [200, 60, 40].map((v) => v / 127.5 - 1),
        [1, 3, 1, 1],
      ),
      3,
      cube,
    );
    const stored = await sharp(bytes, { ignoreIcc: true }).raw().toBuffer();
    made.data.forEach((v, c) => {
      expect(Math.abs(127.5 * (v + 1) - stored[c])).toBeLessThan(1.5);
    });
  });

  test('gets the grain of its surroundings, in strength and colour', async () => {
    let seed = 3;
    const noise = () => {
      let sum = 0;
      for (let i = 0; i < 12; i++) {
        seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
        sum += seed / 2 ** 32;
      }
      return sum - 6;
    };
    const noisy = Uint8Array.from({ length: W * H * 3 }, (_, i) => 128 + [6, 3, 9][i % 3] * noise());
    const bytes = new Uint8Array(
      await sharp(noisy, { raw: { width: W, height: H, channels: 3 } })
        .png()
        .toBuffer(),
    );
    const made = await ownSize('noisy.png', bytes, { value: 0 });
    const b = await rasterOf('noisy', made.files.get('composite.png')!);
    // Rows 12 to 17 and columns 12 to 19 of 32, less the margins of `contain`: well inside of it.
    const deviations = [0, 1, 2].map((c) => {
      const values: number[] = [];
      for (let y = 43; y < 67; y++) for (let x = 63; x < 97; x++) values.push(b.data[3 * (y * W + x) + c]);
      const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
      return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
    });
    [6, 3, 9].forEach((wanted, c) => {
      expect(deviations[c] / wanted).toBeGreaterThan(0.7);
      expect(deviations[c] / wanted).toBeLessThan(1.25);
    });
  });
});

describe('parts of a picture', () => {
  test('beyond the region nothing is changed, and it is said how much was not shown', async () => {
    const bytes = new Uint8Array(await rgb().png().toBuffer());
    const region = { left: 80, top: 40, width: 64, height: 64 };
    const made = await ownSize('region.png', bytes, { region });
    const count = await differences(bytes, made, 'png', 2);
    expect(count.outside).toBe(0);
    const mask = await sharp(made.files.get('mask.png')!)
      .toColourspace('b-w')
      .raw()
      .toBuffer({ resolveWithObject: true });
    const on = Array.from(mask.data.keys()).filter((i) => mask.data[i] > 0);
    // Two pixels of the picture are one of the generator's.
    expect([Math.min(...on.map((i) => i % W)), Math.max(...on.map((i) => i % W))]).toEqual([80 + 24, 80 + 39]);
    const file = path.join(folder, 'region.png');
    const read = await readSource(
      { path: file },
      { channels: 3, height: 32, width: 32 },
      { fit: 'contain', grey: 'refuse', region },
    );
    expect(read.notes).toEqual([
      'Resized from 160 x 120 to 32 x 32 pixels for the generator (--region, --fit contain).',
      '79% of the picture was not shown to the generator (--region, --fit contain) and stays as it is.',
    ]);
  });

  test('a region beyond the picture is refused', async () => {
    const bytes = new Uint8Array(await rgb().png().toBuffer());
    const region = { left: 120, top: 40, width: 64, height: 64 };
    await expect(ownSize('beyond.png', bytes, { region })).rejects.toThrow(
      'The region 120,40,64,64 reaches beyond the picture of 160 x 120 pixels (width x height).',
    );
  });

  test('an alignment without a turn sees what the same region shows, within the resampling', async () => {
    const bytes = new Uint8Array(await rgb().png().toBuffer());
    await ownSize('align.png', bytes);
    const file = path.join(folder, 'align.png');
    const generator = { channels: 3, height: 32, width: 32 };
    const region = { left: 60, top: 30, width: 64, height: 64 };
    const alignment = { x: 92, y: 62, scale: 2, degrees: 0 };
    const straight = await readSource({ path: file }, generator, { fit: 'contain', grey: 'refuse', region });
    const turned = await readSource({ path: file }, generator, { fit: 'contain', grey: 'refuse', alignment });
    const difference = straight.picture.image.data.map((v, i) => Math.abs(v - turned.picture.image.data[i]));
    expect((127.5 * difference.reduce((sum, v) => sum + v, 0)) / difference.length).toBeLessThan(1.5);
  });

  test('a quarter turn shows the picture turned; what lies beyond it is missing', async () => {
    const bytes = new Uint8Array(await rgb().png().toBuffer());
    await ownSize('quarter.png', bytes);
    const file = path.join(folder, 'quarter.png');
    const generator = { channels: 3, height: 32, width: 32 };
    const at = { x: 16, y: 40, scale: 2 };
    const read = (degrees: number) =>
      readSource({ path: file }, generator, { fit: 'contain', grey: 'refuse', alignment: { ...at, degrees } });
    const [upright, turned] = [await read(0), await read(90)];
    // Clockwise by 90 degrees, the generator's right is the picture's bottom: u, v of the one are 31 - v, u of the other.
    let sum = 0;
    let count = 0;
    for (let v = 0; v < 32; v++) {
      for (let u = 0; u < 32; u++) {
        if (turned.picture.outside!.data[v * 32 + u] > 0.5) continue;
        sum += Math.abs(turned.picture.image.data[v * 32 + u] - upright.picture.image.data[u * 32 + 31 - v]);
        count++;
      }
    }
    expect((127.5 * sum) / count).toBeLessThan(1);
    expect(32 * 32 - count).toBe(8 * 32);
  });
});

test('transparent pixels are missing data, not white', async () => {
  const values = levels(4);
  for (let i = 0; i < W * H; i++) values[4 * i + 3] = i % W < 40 ? 0 : 255;
  const file = path.join(folder, 'clear.png');
  await sharp(values, { raw: { width: W, height: H, channels: 4 } })
    .png()
    .toFile(file);
  const { picture } = await readSource(
    { path: file },
    { channels: 3, height: 120, width: 160 },
    { fit: 'contain', grey: 'refuse' },
  );
  const isClear = Array.from(picture.outside!.data, (v, i) => v > 0.5 === i % W < 40);
  expect(isClear.every(Boolean)).toBe(true);
});
