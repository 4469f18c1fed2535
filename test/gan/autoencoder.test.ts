/** The autoencoder: its similarity against the metric's, its step against differences, what training makes of it. */
import { describe, expect, it } from 'vitest';
import { AUTOENCODER, compileAutoencoderStep, trainAutoencoder } from '../../src/gan/autoencoder.ts';
import { autoencoder, autoencoderLevels } from '../../src/gan/networks/autoencoder.ts';
import { emitSsim } from '../../src/gan/steps/ssim.ts';
import { initialState, parametersOf, TRAIN } from '../../src/gan/steps/update.ts';
import { ssim } from '../../src/metrics/fidelity.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data, scalar, type Tensor } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { evaluate, runtime } from './support.ts';

/** Smooth pictures of two patterns in random shares. */
function patterns(count: number, side: number, channels = 1, seed = 1) {
  const random = randomFrom(seed);
  const pictures = Array.from({ length: count }, () => {
    const [a, b] = [0.4 * random.normal(), 0.4 * random.normal()];
    return Float32Array.from({ length: channels * side * side }, (_, i) => {
      const [x, y] = [i % side, Math.floor(i / side) % side];
      return a * Math.sin(x / 2.5) + b * Math.cos(y / 3);
    });
  });
  return float32(Float32Array.from(pictures.flatMap((one) => [...one])), [count, channels, side, side]);
}

describe('SSIM as a graph', () => {
  it('is the metric’s where windows lie inside the picture', async () => {
    const [channels, side] = [3, 24];
    const b = new GraphBuilder();
    const [x, y] = [b.reserve('x'), b.reserve('y')];
    b.node('Identity', [emitSsim(b, x, y, [channels, side, side])], {}, ['map']);
    const info = (name: string, dims: number[]) => ({ name, type: 'float32' as const, dims });
    const dims = [1, channels, side, side];
    const graph = b.graph('ssim', [info('x', dims), info('y', dims)], [info('map', [1, 1, side, side])]);
    const given = patterns(1, side, channels);
    const other = { ...given, data: given.data.map((v, i) => 0.8 * v + 0.1 * Math.sin(i)) };
    const session = await runtime.session(encodeModel(graph));
    const { data } = (
      await session.run(
        new Map([
          ['x', given],
          ['y', other],
        ]),
      )
    ).get('map') as Tensor<'float32'>;
    let inside = 0;
    for (let r = 5; r < side - 5; r++) for (let c = 5; c < side - 5; c++) inside += data[r * side + c];
    expect(inside / (side - 10) ** 2).toBeCloseTo(ssim(given, other), 5);
    await session.dispose();
  });
});

describe('the autoencoder', () => {
  it('halves sides while they are even and long enough', () => {
    expect(autoencoderLevels({ height: 128, width: 128 })).toEqual([
      [128, 128],
      [64, 64],
      [32, 32],
      [16, 16],
      [8, 8],
    ]);
    expect(autoencoderLevels({ height: 36, width: 100 })).toEqual([
      [36, 100],
      [18, 50],
      [9, 25],
    ]);
  });

  for (const loss of ['l2', 'ssim'] as const) {
    it(`has the gradient of its loss (${loss})`, async () => {
      const sizes = { channels: 1, height: 16, width: 16, latent: 3 };
      const rough = autoencoder(sizes, randomFrom(2));
      // Rectifiers have kinks; differences need a network without.
      const nodes = rough.graph.nodes.map((node) =>
        node.operator === 'LeakyRelu' ? { ...node, operator: 'Softplus', attributes: {} } : node,
      );
      const network = { ...rough, graph: { ...rough.graph, nodes } };
      const betas = { beta1: 0, beta2: 0.99 };
      const session = await runtime.session(await compileAutoencoderStep(network, { loss, betas }, sizes, 2, evaluate));
      const parameters = parametersOf('autoencoder', network);
      const state = initialState(parameters, false);
      const run = (changed: ReadonlyMap<string, Tensor>) =>
        session.run(
          new Map([
            ...state,
            ...changed,
            ['image', patterns(2, 16)],
            [TRAIN.rate, scalar(0)],
            [TRAIN.correction1, scalar(1)],
            [TRAIN.correction2, scalar(0.01)],
          ]),
        );
      const made = await run(new Map());
      // With beta1 = 0 the next first moments are the gradients.
      const gradients = new Map([...parameters.keys()].map((name) => [name, made.get(`next/m/${name}`)!]));
      const squares = [...gradients.values()].reduce(
        (sum, g) => sum + float32Data(g).reduce((s, v) => s + v * v, 0),
        0,
      );
      const step = 1e-3 / Math.sqrt(squares);
      const moved = async (sign: number) => {
        const at = new Map(
          [...gradients].map(([name, g]) => {
            const [w, d] = [float32Data(state.get(name)!), float32Data(g)];
            return [
              name,
              float32(
                w.map((v, i) => v + sign * step * d[i]),
                g.dims,
              ),
            ];
          }),
        );
        return float32Data((await run(at)).get('loss')!)[0];
      };
      const slope = ((await moved(1)) - (await moved(-1))) / (2 * step);
      expect(slope / squares).toBeCloseTo(1, 1);
      await session.dispose();
    });

    it(`learns good pictures, and shows what they do not have (${loss}); the same for a seed`, async () => {
      const settings = { ...AUTOENCODER, loss, steps: 150, latent: 4, batch: 8, rate: 0.01 };
      const losses: number[] = [];
      const graph = await trainAutoencoder(patterns(40, 16), settings, runtime, { onStep: (_, v) => losses.push(v) });
      expect(losses).toHaveLength(150);
      expect(losses.at(-1)).toBeLessThan(0.3 * losses[0]);
      const session = await runtime.session(encodeModel(graph!));
      const there = [102, 103, 104, 118, 119, 120, 134, 135, 136];
      const oddness = async (shift: number) => {
        const image = patterns(1, 16, 1, 9);
        for (const p of there) image.data[p] += shift;
        const found = await session.run(new Map([['image', image]]));
        expect(found.get('restored')!.dims).toEqual([1, 1, 16, 16]);
        const map = float32Data(found.get('map')!);
        return there.reduce((sum, p) => sum + map[p] / there.length, 0);
      };
      expect(await oddness(-0.9)).toBeGreaterThan(2 * (await oddness(0)));
      await session.dispose();
      const again = await trainAutoencoder(patterns(40, 16), { ...settings, steps: 3 }, runtime);
      const once = await trainAutoencoder(patterns(40, 16), { ...settings, steps: 3 }, runtime);
      expect(again!.initializers.get('code.weight')).toEqual(once!.initializers.get('code.weight'));
    });
  }

  it('is nothing if it is stopped', async () => {
    const stop = new AbortController();
    const onStep = () => stop.abort();
    const hooks = { onStep, signal: stop.signal };
    expect(await trainAutoencoder(patterns(8, 16), AUTOENCODER, runtime, hooks)).toBeUndefined();
  });
});
