/** The numbers that fix an architecture. */

import type { Tensor } from '../../onnx/tensor.ts';

export interface BackboneSettings {
  /** Height and width of its pictures, enlarged to the generator's. */
  readonly size: number;
  /** Factors of the rate for W and for the encoder's part. */
  readonly decoderRate: number;
  readonly encoderRate: number;
}

export interface Backbone extends BackboneSettings {
  readonly weight: Tensor<'float32'>;
  readonly mean: Tensor<'float32'>;
  readonly inverse: Tensor<'float32'>;
  readonly offset: Tensor<'float32'>;
  /** Of z given a picture. */
  readonly logVariance: Float32Array;
}

export interface Sizes {
  /** Length of z. */
  readonly latent: number;
  /** 1 or 3. */
  readonly channels: number;
  /** Height and width: 8 times a power of two (in tests 8, in use 32 to 256). */
  readonly size: number;
  /** Channels of the feature maps of a size (4, 8, ...). */
  width(at: number): number;
  /** The linear generator that the network is added to. */
  readonly backbone?: Backbone;
}

/** Feature maps halve from `last` channels at full size down to 4x4, up to `most`. */
export function widths(size: number, last: number, most: number): (at: number) => number {
  return (at) => Math.min(most, last * (size / at));
}
