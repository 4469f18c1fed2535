import { spawnSync } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readNpz, writeNpz } from '../../src/arrays/npy.ts';
import { readBytes } from '../../src/images/node/decode.ts';
import { writeFileAtomic } from '../../src/images/node/write.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { float32, float32Data } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { hasShared, sharedPath, withShared } from '../support/shared.ts';
import { type Bench, makeBench } from './bench.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.remove());

describe('rgi inspect', () => {
  test('tells what a model is', async () => {
    const said = await bench.rgi('inspect @g.onnx');
    expect(said.code).toBe(0);
    expect(said.out.replaceAll(`${bench.folder}${path.sep}`, '')).toMatchInlineSnapshot(`
      "g.onnx
        format      ONNX opset 20, made by rgi
        inputs      'z' float32 [N, 4]
        outputs     'image' float32 [N, 3, 8, 8]
        latent      'z' [4], N(0,1) (guessed)
        picture     'image' 3 x 8 x 8 NCHW, range -1..1 (by its last operator; -0.99 to 0.99 seen)
        batch       any size (ran at 1, 2, 3); images of a batch are independent
        parameters  960 in 2 weights and biases
        operators   Add 1, MatMul 1, Reshape 1, Tanh 1
        derivative  passes from 'z' to the picture
        memory      a search of one picture takes about 0.2 GB, 0.2 GB where weights are tuned
        --latent    Add [192]
                    Reshape [3, 8, 8]
                    and 1 more (--json)
        --weights   layer.weight
                    layer.bias
      "
    `);
  });

  test('as JSON, with the places where it can be cut', async () => {
    const said = await bench.rgi('inspect @told.onnx --json');
    expect(JSON.parse(said.out)).toMatchObject({
      role: 'generator',
      latent: { name: 'z', dims: [4], law: 'uniform', from: 'metadata' },
      image: { output: 'image', channels: 3, height: 8, width: 8, range: '-1..1', from: 'last operator' },
      cuts: [{ dims: [192] }, { dims: [192] }, { dims: [3, 8, 8] }],
      weightNames: ['layer.weight', 'layer.bias'],
      withoutDerivative: [],
    });
  });

  test('names what would fail before anything runs', async () => {
    const said = await bench.rgi('inspect @det.onnx --json');
    expect(said.code).toBe(0);
    const { withoutDerivative } = JSON.parse(said.out) as { withoutDerivative: { message: string }[] };
    expect(withoutDerivative).toHaveLength(1);
    expect(withoutDerivative[0].message).toMatch(/^Det 'determinant': the operator Det has no derivative rule/);
  });

  test('writes a sheet of samples', async () => {
    const said = await bench.rgi('inspect @g.onnx --samples @samples.png --count 4');
    expect(said.err).toContain('4 samples written');
    expect(statSync(bench.file('samples.png')).size).toBeGreaterThan(100);
  });
});

describe('rgi inspect of what cannot be searched', () => {
  test('names the open size of a latent as the file does', async () => {
    const { out } = await bench.rgi('inspect @open.onnx');
    expect(out).toContain("  latent      'z' [size], N(0,1) (guessed)\n");
  });

  test('does not assume a range that it refuses', async () => {
    const { out } = await bench.rgi('inspect @logits.onnx');
    expect(out).toContain('which is none of -1..1, 0..1 and 0..255.');
    expect(out).not.toContain('is assumed');
  });
});

describe('rgi gradcheck', () => {
  test('takes the size of a latent that the file leaves open', async () => {
    expect((await bench.rgi('gradcheck @open.onnx --latent-shape 4')).code).toBe(0);
  });

  test('by differences: the latent and the weights', async () => {
    const said = await bench.rgi('gradcheck @g.onnx --json');
    const result = JSON.parse(said.out) as {
      ok: boolean;
      tolerance: number;
      results: { tensor: string; ok: boolean }[];
    };
    expect(said.code).toBe(0);
    expect(result).toMatchObject({ ok: true, tolerance: 0.03 });
    expect([...new Set(result.results.map(({ tensor }) => tensor))]).toEqual(['z', 'layer.weight', 'layer.bias']);
  });

  /** Recorded gradients of G(z) = tanh(W z + b) with L = sum(g G): dL/db = g (1 - G^2), dL/dz = W^T of it, by hand. */
  async function reference(wrong = 0): Promise<void> {
    const z = float32([0.3, -0.2, 0.5, 0.1], [1, 4]);
    await writeFileAtomic(bench.file('z.npz'), writeNpz(new Map([['z', z]])));
    const y = await outputAt(z);
    const g = float32(
      y.map((_, i) => Math.sin(i)),
      [1, 3, 8, 8],
    );
    const inner = y.map((v, i) => (1 - v * v) * g.data[i]);
    const [w] = await weights();
    const gradZ = [0, 1, 2, 3].map((k) => inner.reduce((sum, v, i) => sum + v * w[k * 192 + i], 0));
    gradZ[0] *= 1 + wrong;
    const arrays = { z, y: float32(y, [1, 3, 8, 8]), g, grad_z: float32(gradZ, [1, 4]), db: float32(inner, [192]) };
    await writeFileAtomic(bench.file('r.npz'), writeNpz(new Map(Object.entries(arrays))));
  }

  test('against recorded gradients, further ones by --wrt, in any order of words', async () => {
    await reference();
    const before = await bench.rgi('gradcheck --reference @r.npz --json --wrt layer.bias=db @g.onnx');
    const after = await bench.rgi('gradcheck @g.onnx --reference @r.npz --wrt layer.bias=db --json');
    expect(JSON.parse(before.out)).toEqual(JSON.parse(after.out));
    expect([before.code, after.code]).toEqual([0, 0]);
    expect(JSON.parse(after.out)).toMatchObject({
      ok: true,
      mode: 'reference',
      tolerance: 1e-4,
      results: [
        { tensor: 'layer.bias', key: 'db', ok: true },
        { tensor: 'z', key: 'grad_z', ok: true },
      ],
      output: { tensor: 'image', ok: true },
    });
  });

  test('exits 1 where one is beyond the tolerance', async () => {
    await reference(0.01);
    const said = await bench.rgi('gradcheck @g.onnx --reference @r.npz --json');
    expect(said.code).toBe(1);
    expect(JSON.parse(said.out)).toMatchObject({
      ok: false,
      results: [{ tensor: 'z', ok: false }],
      output: { ok: true },
    });
    expect((await bench.rgi('gradcheck @g.onnx --reference @r.npz --tolerance 0.1')).code).toBe(0);
  });

  test.skipIf(!hasShared)(withShared('a real export against its recorded gradients'), async () => {
    const file = (name: string) => sharedPath('fixtures', 'generators', name);
    const pairs = 'layers.0.weight=legacy17.grad_early layers.12.weight=legacy17.grad_late';
    const line = `gradcheck ${file('dcgan.legacy17.onnx')} --reference ${file('dcgan.npz')} --wrt ${pairs} --json`;
    const said = await bench.rgi(line);
    expect(said.code).toBe(0);
    expect(JSON.parse(said.out)).toMatchObject({ ok: true, results: [{}, {}, {}] });
  });

  async function weights(): Promise<Float32Array[]> {
    const { openModel } = await import('../../src/models/node/model-file.ts');
    const { initializers } = (await openModel(bench.file('g.onnx'))).graph;
    return ['layer.weight', 'layer.bias'].map((name) => float32Data(initializers.get(name)!));
  }

  async function outputAt(z: ReturnType<typeof float32>): Promise<number[]> {
    const [w, b] = await weights();
    return [...b].map((v, i) => Math.tanh(v + z.data.reduce((sum, value, k) => sum + value * w[k * 192 + i], 0)));
  }
});

describe('rgi doctor', () => {
  test('inverts a generator’s own samples', async () => {
    const said = await bench.rgi('doctor --generator @g.onnx --json --threads 1 --steps 150');
    expect(said.code).toBe(0);
    const told = JSON.parse(said.out) as { ok: boolean; trial: { psnr: number[]; medianPsnr: number } };
    expect(told.ok).toBe(true);
    expect(told.trial.psnr).toHaveLength(4);
    expect(told.trial.medianPsnr).toBeGreaterThan(30);
  });

  test('exits 1, with what to look at, where they cannot be found', async () => {
    writeFileSync(bench.file('wild.onnx'), encodeModel(wild()));
    const said = await bench.rgi('doctor --generator @wild.onnx --steps 10');
    expect(said.code).toBe(1);
    expect(said.err).toMatch(
      /^error: Cannot be inverted well: .* Check the latent's distribution with 'rgi inspect' \(--latent-law\)/,
    );
  });
});

/** sin(100 W z): its loss has a local minimum at every few hundredths of z. */
function wild(): Graph {
  const b = new GraphBuilder();
  const weight = b.floats(
    randomFrom(1)
      .normals(4 * 64)
      .map((v) => 100 * v),
    [4, 64],
  );
  b.node('Reshape', [b.Sin(b.MatMul(b.reserve('z'), weight)), b.ints([-1, 1, 8, 8])], {}, ['image']);
  const [z, image] = [
    ['N', 4],
    ['N', 1, 8, 8],
  ];
  return b.graph('wild', [{ name: 'z', type: 'float32', dims: z }], [{ name: 'image', type: 'float32', dims: image }]);
}

test('rgi doctor, interrupted, has no finding: exit code 3', async () => {
  const said = await bench.rgi('doctor --generator @g.onnx --steps 40', AbortSignal.abort());
  expect(said).toMatchObject({ code: 3, err: 'Interrupted before the trial ended.\n' });
});

describe('the program', () => {
  test('prints its version and its help, with examples and exit codes', async () => {
    expect((await bench.rgi('--version')).out).toMatch(/^rgi \d+\.\d+\.\d+\n$/);
    for (const command of ['', 'restore', 'inspect', 'gradcheck', 'doctor']) {
      const said = await bench.rgi(`${command} --help`);
      expect(said.code).toBe(0);
      expect(said.out).toContain('Examples:\n');
      expect(said.out).toContain('Exit codes:\n  0  done\n');
    }
  });

  test('without a command prints its help, as wrong usage', async () => {
    const said = await bench.rgi('');
    expect(said).toMatchObject({ code: 2, out: '' });
    expect(said.err).toMatch(/^Usage: rgi/);
  });

  test('--debug prints the stack of an error', async () => {
    expect((await bench.rgi('inspect @empty.onnx --debug')).err).toMatch(/empty\.\n.*RgiError.*\n\s+at /s);
  });

  test('as a process: worker thread, results, exit code, silence of a reader that has gone', async () => {
    const main = path.resolve('src/cli/main.ts');
    const rgi = (...words: string[]) =>
      spawnSync(process.execPath, ['--import', 'tsx', main, ...words], { encoding: 'utf8' });
    const line = ['--generator', bench.file('g.onnx'), '--steps', '40', '--pool', '50', '--threads', '1', '--npy'];
    const said = rgi('restore', bench.file('a.png'), ...line, '--out', bench.file('process'), '--json');
    expect(said.stderr).toContain('1 of 1 restored');
    expect(said.status).toBe(0);
    expect(JSON.parse(said.stdout)).toMatchObject({ complete: true, images: [{ name: 'a', status: 'done' }] });
    expect(readNpz(await readBytes(bench.file('process/a.latents.npz'))).has('z')).toBe(true);
    expect(rgi('restore', bench.file('text.png'), ...line, '--out', bench.file('process2')).status).toBe(2);
    const piped = spawnSync('sh', ['-c', `"${process.execPath}" --import tsx "${main}" restore --help | head -n 1`], {
      encoding: 'utf8',
    });
    expect(piped.stdout).toBe('Usage: rgi restore [options] <images...>\n');
    expect(piped.stderr).toBe('');
  });
});

test('serve warns of a folder without models, which may still come', async () => {
  const said = await bench.rgi('serve --models @empty --port 0 --log-level error', AbortSignal.abort());
  expect(said.code).toBe(0);
  expect(said.err).toContain(
    `warning: ${bench.file('empty')} holds no model yet: put NAME.onnx or NAME/generator.onnx into it, or name another folder.\n`,
  );
});
