/**
 * Small networks for few pictures and a CPU, after the ideas of FastGAN (Liu et al. 2021): one convolution per size, and
 * skip-layer excitation: early feature maps scale the channels of late ones. Downsampling by strided convolutions.
 */
import type { Value } from '../../onnx/builder.ts';
import type { Random } from '../../random.ts';
import { encodedByBackbone, onBackbone } from './backbone.ts';
import { buildNetwork, type Layers, type Network } from './layers.ts';
import type { Sizes } from './sizes.ts';

/** Sizes between an early map and the late one that it scales (FastGAN: 8 to 128, 16 to 256). */
const SKIP = 8;

export function lightGenerator(sizes: Sizes, random: Random): Network {
  const { latent, channels, size, width } = sizes;
  const output = { name: 'image', dims: [channels, size, size] };
  return buildNetwork('generator', { name: 'z', dims: [latent] }, [output], random, (l, z) => {
    const first = l.dense('4.dense', z, latent, 16 * width(4));
    let x = l.pixelNorm(l.leaky(l.b.Reshape(first, [-1, width(4), 4, 4])));
    x = l.pixelNorm(l.leaky(l.conv('4.conv', x, width(4), width(4))));
    const maps = new Map<number, Value>([[4, x]]);
    for (let at = 8; at <= size; at *= 2) {
      x = l.pixelNorm(l.leaky(l.conv(`${at}.conv`, l.up(x), width(at / 2), width(at))));
      const early = maps.get(at / SKIP);
      if (early) x = excite(l, `${at}.skip`, x, early, at / SKIP, width(at / SKIP), width(at));
      maps.set(at, x);
    }
    const start = sizes.backbone ? 0 : 1;
    return [onBackbone(l, z, sizes, l.conv('to_image', x, width(size), channels, { gain: 1, start }))];
  });
}

/** x times a factor per channel in (0,2), made of the early map. */
function excite(l: Layers, name: string, x: Value, early: Value, size: number, from: number, to: number): Value {
  const pooled = size > 4 ? l.down(early, size / 4) : early;
  const hidden = l.leaky(l.dense(`${name}0`, l.b.Reshape(pooled, [-1, 16 * from]), 16 * from, to));
  const gate = l.b.Sigmoid(l.dense(`${name}1`, hidden, to, to, { gain: 1 }));
  return l.b.Mul(x, l.b.Reshape(l.b.Mul(gate, l.b.scalar(2)), [-1, to, 1, 1]));
}

/** The trunk that discriminator and encoder share in form: [N, width(4), 4, 4]. */
function trunk(l: Layers, image: Value, { channels, size, width }: Sizes): Value {
  let x = l.leaky(l.conv('from_image', image, channels, width(size)));
  for (let at = size; at > 4; at /= 2) {
    x = l.leaky(l.conv(`${at}.conv`, x, width(at), width(at / 2), { kernel: 4, down: true }));
  }
  return x;
}

/**
 * With `rebuilds` a small decoder makes the picture, at half its size, out of the trunk's last features: what FastGAN
 * supervises its discriminator with beside real or not, so that these features keep what a picture shows.
 */
export function lightDiscriminator(sizes: Sizes, random: Random, rebuilds = false): Network {
  const { channels, size, width } = sizes;
  const input = { name: 'image', dims: [channels, size, size] };
  const outputs = [
    { name: 'score', dims: [1] },
    ...(rebuilds ? [{ name: REBUILT, dims: [channels, size / 2, size / 2] }] : []),
  ];
  return buildNetwork('discriminator', input, outputs, random, (l, image) => {
    const seen = trunk(l, image, sizes);
    const x = l.batchDeviation(seen, 4);
    const features = l.leaky(l.conv('4.conv', x, width(4) + 1, width(4)));
    const score = l.dense('score', l.b.Reshape(features, [-1, 16 * width(4)]), 16 * width(4), 1, { gain: 1 });
    return rebuilds ? [score, decoder(l, seen, sizes)] : [score];
  });
}

/** The output of the decoder. */
export const REBUILT = 'rebuilt';

function decoder(l: Layers, features: Value, { channels, size, width }: Sizes): Value {
  let x = features;
  for (let at = 8; at <= size / 2; at *= 2)
    x = l.leaky(l.conv(`${REBUILT}.${at}.conv`, l.up(x), width(at / 2), width(at)));
  return l.conv(`${REBUILT}.to_image`, x, width(size / 2), channels, { gain: 1 });
}

/** image to z: `z` is the mean of the latent's law given the image, `log_variance` its spread (used in training only). */
export function encoder(sizes: Sizes, random: Random): Network {
  const { channels, size, width, latent } = sizes;
  const outputs = ['z', 'log_variance'].map((name) => ({ name, dims: [latent] }));
  return buildNetwork('encoder', { name: 'image', dims: [channels, size, size] }, outputs, random, (l, image) => {
    const x = l.leaky(l.conv('4.conv', trunk(l, image, sizes), width(4), width(4)));
    const flat = l.b.Reshape(x, [-1, 16 * width(4)]);
    const { backbone } = sizes;
    if (backbone) {
      const rest = l.dense('mean', flat, 16 * width(4), latent, { gain: 1, start: 0 });
      const spread = { gain: 0.1, start: 0, bias: backbone.logVariance };
      return [
        l.b.Add(encodedByBackbone(l, image, size, backbone), rest),
        l.dense('spread', flat, 16 * width(4), latent, spread),
      ];
    }
    // A small gain: the spread begins near what is drawn.
    return [
      l.dense('mean', flat, 16 * width(4), latent, { gain: 1 }),
      l.dense('spread', flat, 16 * width(4), latent, { gain: 0.1 }),
    ];
  });
}
