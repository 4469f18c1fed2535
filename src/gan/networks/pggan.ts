/**
 * The networks of Karras et al. 2018 ("Progressive Growing of GANs"), trained at full size from the start: pixel norm,
 * equalised learning rate, nearest upsampling, minibatch deviation. Two convolutions per size. Of z only the direction counts.
 */
import type { Random } from '../../random.ts';
import { onBackbone } from './backbone.ts';
import { buildNetwork, type Network } from './layers.ts';
import type { Sizes } from './sizes.ts';

export function pgganGenerator(sizes: Sizes, random: Random): Network {
  const { latent, channels, size, width } = sizes;
  const output = { name: 'image', dims: [channels, size, size] };
  return buildNetwork('generator', { name: 'z', dims: [latent] }, [output], random, (l, z) => {
    // The dense layer's gain of sqrt(2) / 4 is the reference's: its 4x4 outputs are taken for a convolution's.
    const first = l.dense('4.dense', l.pixelNorm(z), latent, 16 * width(4), { gain: Math.SQRT2 / 4 });
    let x = l.pixelNorm(l.leaky(l.b.Reshape(first, [-1, width(4), 4, 4])));
    const block = (name: string, value: string, from: number, to: number) =>
      l.pixelNorm(l.leaky(l.conv(name, value, from, to)));
    x = block('4.conv', x, width(4), width(4));
    for (let at = 8; at <= size; at *= 2) {
      x = block(`${at}.conv0`, l.up(x), width(at / 2), width(at));
      x = block(`${at}.conv1`, x, width(at), width(at));
    }
    const start = sizes.backbone ? 0 : 1;
    return [onBackbone(l, z, sizes, l.conv('to_image', x, width(size), channels, { kernel: 1, gain: 1, start }))];
  });
}

export function pgganDiscriminator({ channels, size, width }: Sizes, random: Random): Network {
  const input = { name: 'image', dims: [channels, size, size] };
  return buildNetwork('discriminator', input, [{ name: 'score', dims: [1] }], random, (l, image) => {
    let x = l.leaky(l.conv('from_image', image, channels, width(size), { kernel: 1 }));
    for (let at = size; at > 4; at /= 2) {
      x = l.leaky(l.conv(`${at}.conv0`, x, width(at), width(at)));
      x = l.down(l.leaky(l.conv(`${at}.conv1`, x, width(at), width(at / 2))));
    }
    x = l.leaky(l.conv('4.conv', l.batchDeviation(x, 4), width(4) + 1, width(4)));
    x = l.leaky(l.dense('4.dense', l.b.Reshape(x, [-1, 16 * width(4)]), 16 * width(4), width(4)));
    return [l.dense('score', x, width(4), 1, { gain: 1 })];
  });
}
