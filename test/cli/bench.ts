/** A folder with tiny generators, pictures and broken files of every kind, and the program run in this process on it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { writeNpy, writeNpz } from '../../src/arrays/npy.ts';
import type { ExitCode } from '../../src/cli/failures.ts';
import { run } from '../../src/cli/program.ts';
import { encodePng } from '../../src/images/node/write.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { float32, type Tensor, tensorOf } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { handmade, node } from '../support/protos.ts';
import { unsuitableModels } from './unsuitable.ts';

export interface Said {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

export interface Bench {
  readonly folder: string;
  /** The path of a file in the folder. */
  file(name: string): string;
  /** Runs `rgi` with words of which those that start with `@` are files in the folder. */
  rgi(line: string, signal?: AbortSignal): Promise<Said>;
  remove(): void;
}

export const SIDE = 8;
const LATENT = 4;

export async function makeBench(): Promise<Bench> {
  const folder = mkdtempSync(path.join(tmpdir(), 'rgi-cli-'));
  const file = (name: string) => path.join(folder, name);
  const write = (name: string, content: Uint8Array | string) => writeFileSync(file(name), content);
  for (const name of ['empty', 'pictures', 'masks', 'foreign']) mkdirSync(file(name));
  write('foreign/manifest.json', '{}');

  write('g.onnx', encodeModel(generator(3)));
  write('grey.onnx', encodeModel(generator(1)));
  write('d.onnx', encodeModel(discriminator(SIDE)));
  write('d16.onnx', encodeModel(discriminator(2 * SIDE)));
  write('fixed.onnx', encodeModel(generator(3, 1)));
  write('conditional.onnx', encodeModel(conditional()));
  write('told.onnx', encodeModel(generator(3), told('d.onnx')));
  write('det.onnx', encodeModel(throughDet()));
  write('flat.onnx', encodeModel(flat()));
  for (const [name, bytes] of Object.entries(unsuitableModels())) write(name, bytes);
  write('opset8.onnx', handmade({ opset: 8, nodes: [node('Relu', 'x', 'y')] }));
  write('opset99.onnx', handmade({ opset: 99, nodes: [node('Relu', 'x', 'y')] }));
  write('empty.onnx', '');
  write('text.onnx', 'This is no model.\n');
  write('cut.onnx', encodeModel(generator(3)).slice(0, 700));

  const random = randomFrom(7);
  const sample = sampleOf(random.normals(LATENT));
  write('a.png', await encodePng(sample));
  write('pictures/a.png', await encodePng(sample));
  write('pictures/b.npy', writeNpy(corrupted(sampleOf(random.normals(LATENT)))));
  write('pictures/c.npy', writeNpy(corrupted(sampleOf(random.normals(LATENT)))));
  write('big.png', await encodePng(noise([1, 3, 16, 16])));
  write(
    'deep.png',
    await sharp(
      Uint16Array.from({ length: 192 }, (_, i) => i * 300),
      { raw: { width: 8, height: 8, channels: 3 } },
    )
      .toColourspace('rgb16')
      .png()
      .toBuffer(),
  );
  write(
    'alpha.png',
    await sharp({ create: { width: 8, height: 8, channels: 4, background: { r: 9, g: 99, b: 200, alpha: 0.5 } } })
      .png()
      .toBuffer(),
  );
  const png = await encodePng(noise([1, 3, 8, 8]));
  write('cut.png', png.slice(0, png.length - 60));
  write('text.png', 'This is no picture.\n');
  write('void.png', '');
  write('huge.png', hugePng(30000, 30000));
  write('mask.png', await encodePng(maskPicture(SIDE)));
  write('mask16.png', await encodePng(maskPicture(16)));
  write('masks/a.png', await encodePng(maskPicture(SIDE)));
  write('nan.npy', writeNpy(float32(new Float32Array(192).fill(Number.NaN), [3, 8, 8])));
  write('last.npy', writeNpy(float32(new Float32Array(192), [8, 8, 3])));
  write('bytes.npy', writeNpy(tensorOf('uint8', new Array(192).fill(7), [3, 8, 8])));
  write('range.npy', writeNpy(float32(new Float32Array(192).fill(200), [3, 8, 8])));
  write('wide.npy', writeNpy(float32([1, 2], [1, 2])));
  write('reference.npz', writeNpz(new Map([['z', float32(new Float32Array(LATENT), [1, LATENT])]])));
  write('notes.txt', 'A file.\n');

  return {
    folder,
    file,
    rgi: (line, signal) => runIn(folder, line, signal),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const weightsOf = (count: number, seed: number, scale: number) =>
  randomFrom(seed)
    .normals(count)
    .map((v) => scale * v);

/** G(z) = tanh(W z + b), [batch, channels, 8, 8]: smooth, of little dimension, with a range of its own. */
function generator(channels: number, batch: number | string = 'N'): Graph {
  const b = new GraphBuilder();
  const size = channels * SIDE * SIDE;
  const w = b.initializer('layer.weight', float32(weightsOf(size * LATENT, 1, 0.5), [LATENT, size]));
  const bias = b.initializer('layer.bias', float32(weightsOf(size, 2, 0.2), [size]));
  const hidden = b.Add(b.MatMul('z', w), bias);
  const rows = typeof batch === 'number' ? batch : -1;
  b.node('Tanh', [b.Reshape(hidden, [rows, channels, SIDE, SIDE])], {}, ['image']);
  return b.graph(
    'tiny',
    [{ name: 'z', type: 'float32', dims: [batch, LATENT] }],
    [{ name: 'image', type: 'float32', dims: [batch, channels, SIDE, SIDE] }],
  );
}

/** What the three-channel generator makes of z: the same formula, by hand. */
function sampleOf(z: Float32Array) {
  const size = 3 * SIDE * SIDE;
  const [w, bias] = [weightsOf(size * LATENT, 1, 0.5), weightsOf(size, 2, 0.2)];
  const image = bias.map((v, i) => Math.tanh(v + z.reduce((sum, value, k) => sum + value * w[k * size + i], 0)));
  return float32(image, [1, 3, SIDE, SIDE]);
}

/** Two rows replaced by N(-1,1). */
function corrupted(image: Tensor<'float32'>) {
  const random = randomFrom(11);
  const data = image.data.map((v, i) => (Math.floor((i % (SIDE * SIDE)) / SIDE) < 2 ? -1 + random.normal() : v));
  return float32(data, image.dims);
}

function discriminator(side: number): Graph {
  const b = new GraphBuilder();
  const kernel = b.initializer('kernel', float32(weightsOf(4 * 3 * 9, 5, 0.3), [4, 3, 3, 3]));
  const features = b.LeakyRelu(b.Conv('image', kernel, undefined, { pads: [1, 1, 1, 1] }), 0.2);
  b.node('ReduceMean', [features, b.ints([1, 2, 3])], { keepdims: 0 }, ['score']);
  return b.graph(
    'critic',
    [{ name: 'image', type: 'float32', dims: ['N', 3, side, side] }],
    [{ name: 'score', type: 'float32', dims: ['N'] }],
  );
}

/** z and a class label: an embedding row, concatenated to z. */
function conditional(): Graph {
  const b = new GraphBuilder();
  const embedding = b.initializer('embedding', float32(weightsOf(3 * 2, 6, 1), [3, 2]));
  const joined = b.Concat(['z', b.Gather(embedding, 'label', 0)], 1);
  const w = b.initializer('layer.weight', float32(weightsOf(6 * 192, 7, 0.4), [6, 192]));
  b.node('Tanh', [b.Reshape(b.MatMul(joined, w), [-1, 3, SIDE, SIDE])], {}, ['image']);
  return b.graph(
    'conditional',
    [
      { name: 'z', type: 'float32', dims: ['N', LATENT] },
      { name: 'label', type: 'int64', dims: ['N'] },
    ],
    [{ name: 'image', type: 'float32', dims: ['N', 3, SIDE, SIDE] }],
  );
}

/** A gradient would have to pass Det, which has no rule. */
function throughDet(): Graph {
  const b = new GraphBuilder();
  const [det] = b.node('Det', [b.Reshape('z', [-1, 1, 2, 2])], {}, ['determinant']);
  const w = b.initializer('layer.weight', float32(weightsOf(192, 8, 0.5), [1, 192]));
  b.node('Tanh', [b.Reshape(b.MatMul(det, w), [-1, 3, SIDE, SIDE])], {}, ['image']);
  return b.graph(
    'det',
    [{ name: 'z', type: 'float32', dims: ['N', LATENT] }],
    [{ name: 'image', type: 'float32', dims: ['N', 3, SIDE, SIDE] }],
  );
}

/** Its output is no picture. */
function flat(): Graph {
  const b = new GraphBuilder();
  b.node('Tanh', ['z'], {}, ['y']);
  return b.graph(
    'flat',
    [{ name: 'z', type: 'float32', dims: ['N', LATENT] }],
    [{ name: 'y', type: 'float32', dims: ['N', LATENT] }],
  );
}

function told(companion: string): ReadonlyMap<string, string> {
  return new Map([
    ['rgi.role', '"generator"'],
    ['rgi.latent', JSON.stringify({ input: 'z', shape: [LATENT], law: 'uniform' })],
    ['rgi.companions', JSON.stringify({ discriminator: { file: companion } })],
  ]);
}

function noise(dims: readonly number[]) {
  const random = randomFrom(3);
  return float32(
    Float32Array.from({ length: dims.reduce((a, d) => a * d, 1) }, () => 2 * random.uniform() - 1),
    dims,
  );
}

/** The two upper rows of a picture of `side` pixels, white. */
function maskPicture(side: number) {
  return float32(
    Float32Array.from({ length: side * side }, (_, i) => (i < 2 * side ? 1 : -1)),
    [1, 1, side, side],
  );
}

/** A PNG that claims a size in its header and holds almost nothing; its checksums are right. */
function hugePng(width: number, height: number): Uint8Array {
  const size = new Uint8Array(13);
  const view = new DataView(size.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  size.set([8, 2, 0, 0, 0], 8);
  const signature = [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10];
  const chunks = [
    chunk('IHDR', size),
    chunk('IDAT', new Uint8Array([0x78, 0x9c, 1, 0])),
    chunk('IEND', new Uint8Array()),
  ];
  return new Uint8Array([...signature, ...chunks.flatMap((bytes) => [...bytes])]);
}

function chunk(name: string, content: Uint8Array): Uint8Array {
  const body = new Uint8Array([...new TextEncoder().encode(name), ...content]);
  const bytes = new Uint8Array(8 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set(body, 4);
  view.setUint32(4 + body.length, crc32(body));
  return bytes;
}

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** The program in this process, on a command line in which @ stands for the folder. */
export async function runIn(folder: string, line: string, signal = new AbortController().signal): Promise<Said> {
  const words = line.split(' ').filter(Boolean);
  let out = '';
  let err = '';
  const code = await run(
    words.map((word) => word.replaceAll('@', `${folder}${path.sep}`)),
    {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      terminal: false,
      colour: false,
      signal,
      worker: false,
    },
  );
  return { code, out, err };
}
