/** The same search in Chromium and in Node: the pictures after equal steps, and what whole runs come to. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromium } from '../../scripts/chromium.ts';
import type { MethodOptions } from '../../src/inversion/methods/options.ts';
import { openGeneratorBytes } from '../../src/models/generator.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data, type Tensor } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { needs } from '../support/needs.ts';
import { type Found, search } from './search.ts';
import { type WebSite, webSite } from './site.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** What the pictures are to agree to, in dB, where the range of a picture is [-1,1]. */
const MIN_AGREEMENT = 90;
const AFTER = 30;

const SCRIPT = `
import mjs from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import { webRuntime } from 'rgi/web';
import { search } from '${root}/test/web/search.ts';
const at = (name) => new URL(name, location.href).href;
const bytes = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer());
const runtime = await webRuntime({ wasmPaths: { mjs: at(mjs), wasm: at(wasm) } });
window.search = async (name, method, after) => {
  const { buffer } = await bytes(name + '.f32');
  const found = await search(await bytes(name + '.onnx'), new Float32Array(buffer), method, runtime, after);
  return { ...found, restored: [...found.restored], ...(found.state ? { state: [...found.state] } : {}) };
};
window.ready = true;
`;

const MODELS = { faces: 'cartoon-faces', metal: 'bsd-pitting', trousers: 'fashion-trousers' } as const;
type Name = keyof typeof MODELS;

const generatorBytes = (name: Name) => readFileSync(path.join(root, 'models', MODELS[name], 'generator.onnx'));

/** A twelfth of the picture becomes black. */
function damaged(clean: Tensor): Float32Array {
  const data = float32Data(clean).slice();
  const [, channels, height, width] = clean.dims;
  for (let c = 0; c < channels; c++)
    for (let y = height >> 2; y < height >> 1; y++)
      data.fill(-1, (c * height + y) * width + (width >> 1), (c * height + y) * width + (width >> 1) + width / 3);
  return data;
}

/** Held-out pictures; of the metal part, of which none is shipped, a sample. */
async function cleanPicture(name: Name, runtime: Runtime): Promise<Tensor> {
  if (name === 'faces') return readPicture('cartoon-faces/pictures/test-0012.png', 3);
  if (name === 'trousers') return readPicture('fashion-trousers/pictures/00097.png', 1);
  const { generator } = await openGeneratorBytes(generatorBytes(name), runtime);
  const session = await runtime.session(encodeModel(generator.graph));
  const latents = await generator.draw(1, randomFrom(3));
  return (await session.run(latents, [generator.output])).get(generator.output)!;
}

async function readPicture(file: string, channels: 1 | 3): Promise<Tensor> {
  const decoded = sharp(path.join(root, 'models', file)).removeAlpha();
  const { data, info } = await (channels === 1 ? decoded.greyscale() : decoded)
    .raw()
    .toBuffer({ resolveWithObject: true });
  const plane = info.width * info.height;
  const values = Float32Array.from(
    { length: channels * plane },
    (_, i) => data[channels * (i % plane) + Math.floor(i / plane)] / 127.5 - 1,
  );
  return float32(values, [1, channels, info.height, info.width]);
}

function agreement(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return 10 * Math.log10(4 / (sum / a.length));
}

describe.skipIf(!chromium)(
  needs(chromium !== undefined, 'skipped: no Chromium was found', 'Chromium against Node'),
  () => {
    const clean = {} as Record<Name, Tensor>;
    const pictures = {} as Record<Name, Float32Array>;
    let runtime: Runtime;
    let site: WebSite;
    let inPage: (name: Name, method: MethodOptions, after?: number) => Promise<Found>;

    beforeAll(async () => {
      runtime = nodeRuntime();
      const files: Record<string, Uint8Array> = {};
      for (const name of Object.keys(MODELS) as Name[]) {
        clean[name] = await cleanPicture(name, runtime);
        pictures[name] = damaged(clean[name]);
        files[`${name}.f32`] = new Uint8Array(pictures[name].buffer);
        files[`${name}.onnx`] = generatorBytes(name);
      }
      site = await webSite(SCRIPT, files);
      const page = await site.open();
      inPage = (...args) => page.evaluate(`search(...${JSON.stringify(args)})`);
    });
    afterAll(async () => {
      await site?.close();
      await runtime?.dispose();
    });

    // The generators of faces and metal are affine: by our own preset they are solved exactly, without steps.
    test.each([
      ['faces', { preset: 'paper', steps: AFTER }],
      ['metal', { preset: 'paper', steps: AFTER }],
      ['trousers', { preset: 'fast' }],
    ] as const)(`%s, %o: the pictures after ${AFTER} equal steps agree`, async (name, options) => {
      const method = { method: 'rgi', ...options, seed: 1 } as const;
      const here = await search(generatorBytes(name), pictures[name], method, runtime, AFTER);
      const there = await inPage(name, method, AFTER);
      const decibels = agreement(here.state!, there.state!);
      console.log(`${name}: Chromium and Node agree to ${decibels.toFixed(1)} dB after ${AFTER} steps`);
      expect(decibels).toBeGreaterThan(MIN_AGREEMENT);
    });

    test.each(['faces', 'metal', 'trousers'] as const)('%s: whole runs are equally good', async (name) => {
      const method = { method: 'rgi', seed: 1 } as const;
      const here = await search(generatorBytes(name), pictures[name], method, runtime);
      const there = await inPage(name, method);
      const [ours, theirs] = [here, there].map(({ restored }) => agreement(restored, float32Data(clean[name])));
      console.log(
        `${name}, whole: Node ${ours.toFixed(2)} dB, Chromium ${theirs.toFixed(2)} dB; ${agreement(here.restored, there.restored).toFixed(1)} dB between them`,
      );
      expect(Math.abs(ours - theirs)).toBeLessThan(0.5);
      expect(Math.abs(here.misfit - there.misfit)).toBeLessThan(0.2);
    });
  },
);
