/**
 * A convolutional autoencoder, the plain baseline of anomaly detection (Bergmann et al. 2019): strided convolutions down to
 * 8 pixels or so, a short code, nearest upsampling back. It cannot reproduce what is absent from its training pictures.
 */
import type { Value } from '../../onnx/builder.ts';
import type { Random } from '../../random.ts';
import { buildNetwork, type Network } from './layers.ts';

export interface AutoencoderSizes {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Length of the code. */
  readonly latent: number;
}

/** Sides are halved while the shorter one stays at least this long. */
const MIN_SIDE = 8;
/** Number of feature maps at full size, doubled at every halving of the size, and its maximum. */
const [FIRST, MAX_MAPS] = [8, 64];

/** The sizes from the picture's down to the smallest, where the code is made. */
export function autoencoderLevels({ height, width }: Pick<AutoencoderSizes, 'height' | 'width'>): [number, number][] {
  const levels: [number, number][] = [[height, width]];
  for (let [h, w] = [height, width]; h % 2 === 0 && w % 2 === 0 && Math.min(h, w) / 2 >= MIN_SIDE; ) {
    [h, w] = [h / 2, w / 2];
    levels.push([h, w]);
  }
  return levels;
}

/** image [N,C,H,W] to `restored` of the same shape. */
export function autoencoder(sizes: AutoencoderSizes, random: Random): Network {
  const { channels, height, width, latent } = sizes;
  const levels = autoencoderLevels(sizes);
  const maps = (level: number) => Math.min(MAX_MAPS, FIRST * 2 ** level);
  const last = levels.length - 1;
  const [h, w] = levels[last];
  const flat = maps(last) * h * w;
  const picture = [channels, height, width];
  return buildNetwork(
    'autoencoder',
    { name: 'image', dims: picture },
    [{ name: 'restored', dims: picture }],
    random,
    (l, image) => {
      let x: Value = image;
      let from = channels;
      for (let level = 1; level <= last; level++) {
        x = l.leaky(l.conv(`down${level}`, x, from, maps(level), { kernel: 4, down: true }));
        from = maps(level);
      }
      x = l.leaky(l.conv('inner', x, from, maps(last)));
      const code = l.dense('code', l.b.Reshape(x, [-1, flat]), flat, latent, { gain: 1 });
      x = l.b.Reshape(l.leaky(l.dense('drawn', code, latent, flat)), [-1, maps(last), h, w]);
      for (let level = last - 1; level >= 0; level--)
        x = l.leaky(l.conv(`up${level}`, l.up(x), maps(level + 1), maps(level)));
      return [l.conv('to_image', x, maps(0), channels, { gain: 1 })];
    },
  );
}
