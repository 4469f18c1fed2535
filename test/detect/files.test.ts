/** What an inspection of picture files writes, with a policy made by hand. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readForInspection } from '../../src/detect/node/pictures.ts';
import { detectFiles } from '../../src/detect/node/run.ts';
import type { Image } from '../../src/images/image.ts';
import { readPicture } from '../../src/images/node/read.ts';
import { writePicture } from '../../src/images/node/write.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { float32, zeros } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { handmadePolicy } from '../cli/policy.ts';
import { tinyGenerator } from '../support/tiny.ts';

const runtime = nodeRuntime({ threads: 1 });
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'rgi-inspected-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('the files of an inspection', () => {
  /** A grey picture with a dark square, inspected by a policy whose limit of pictures is `image`. */
  async function inspected(image: number) {
    const generator = await openGenerator(tinyGenerator(), runtime);
    const name = `limit-${image}`;
    const picture = zeros('float32', [1, 3, 8, 8]);
    for (let i = 0; i < picture.data.length; i++)
      if (i % 8 > 1 && i % 8 < 5 && (i >> 3) % 8 > 1 && (i >> 3) % 8 < 5) picture.data[i] = 25 / 127.5 - 1;
    const file = path.join(folder, `${name}.png`);
    await writePicture(file, picture);
    const out = path.join(folder, name);
    const messages: string[] = [];
    const policy = handmadePolicy('default', image);
    const { defective } = await detectFiles(
      {
        files: [file],
        out,
        generator,
        policy,
        onEvent: (event) => {
          if (event.kind === 'progress') messages.push(JSON.stringify(event));
        },
      },
      runtime,
    );
    const overlay = await readPicture(path.join(out, `${name}.overlay.png`), { channels: 3, grey: 'luma' });
    const manifest = JSON.parse(await readFile(path.join(out, 'manifest.json'), 'utf8'));
    return { defective, overlay: overlay.image, manifest, messages, name };
  }

  /** The colours, in 8 bits, of an overlay's pixels that are no shade of grey. */
  function coloursOf({ data }: Image): Set<string> {
    const plane = data.length / 3;
    const pixels = Array.from({ length: plane }, (_, p) =>
      [0, 1, 2].map((c) => Math.round((data[c * plane + p] + 1) * 127.5)),
    );
    return new Set(pixels.filter(([r, g, b]) => r !== g || g !== b).map((colour) => colour.join()));
  }

  it.each([
    ['red where it is defective', 6, 1, ['255,0,0', '117,15,15']],
    ['amber where it is below the limit', 1000, 0, ['255,179,0', '117,86,15']],
    // The outline, and two fifths of it over the dark grey of the square, 25.
  ] as const)('outline the regions of a picture %s', async (_, limit, count, colours) => {
    const { defective, overlay, manifest, messages, name } = await inspected(limit);
    expect(defective).toBe(count);
    expect(coloursOf(overlay)).toEqual(new Set(colours));
    expect(manifest).toMatchObject({ format: 1, kind: 'detect', pictures: 1, defective: count });
    expect(messages.every((message) => !message.includes(' more'))).toBe(true);
    expect(messages.some((message) => message.includes(name))).toBe(true);
  });
});

it.each(['object', 'tiles'] as const)("pictures of an array are inspected one by one (form '%s')", async (form) => {
  const generator = await openGenerator(tinyGenerator(1), runtime);
  const file = path.join(folder, `${form}.png`);
  await writePicture(file, float32(new Float32Array(16 * 12).fill(0.5), [1, 1, 16, 12]));
  const read = await readForInspection(file, generator, { form, scale: 1 });
  expect(read.map(({ original }) => original.dims)).toEqual([[1, 1, 16, 12]]);
  const size = form === 'object' ? [8, 8] : [16, 12];
  expect(read.map(({ working }) => working.dims)).toEqual([[1, 1, ...size]]);
});
