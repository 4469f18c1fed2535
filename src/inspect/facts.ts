/** What is known about a model as plain data: for `rgi inspect`, and for adapting a generator. */

import type { MissingRule } from '../autodiff/differentiate.ts';
import type { ErrorLocation } from '../errors.ts';
import type { ValueInfo } from '../onnx/graph.ts';

export interface LatentFacts {
  readonly name: string;
  /** Shape of one image's latent, without the batch axis. */
  readonly dims: readonly number[];
  /** normal: N(0,1); uniform: U(-1,1); unit: U[0,1). */
  readonly law: 'normal' | 'uniform' | 'unit';
  /** Whether the file says so (`rgi.latent`) or it is our guess. */
  readonly from: 'metadata' | 'guess';
}

export type ImageRange = '-1..1' | '0..1' | '0..255' | 'unknown';

export interface ImageFacts {
  readonly output: string;
  readonly layout: 'NCHW' | 'NHWC';
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly range: ImageRange;
  readonly from: 'metadata' | 'last operator' | 'samples';
  /** The smallest and largest value seen on some samples. */
  readonly minimum: number;
  readonly maximum: number;
}

export interface BatchFacts {
  /** Is the batch axis a name rather than a number? */
  readonly symbolic: boolean;
  /** Of 1, 2, 3 and the declared size, those the model ran at. */
  readonly accepted: readonly number[];
  /** Does one image of a batch depend on the others? Undefined where it could not be tried. */
  readonly couplesImages?: boolean;
}

export interface ModelFacts {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly opset: number;
  readonly producer: string;
  readonly role?: string;
  /** Nodes by operator, those inside subgraphs included; operators of other domains as `domain.Operator`. */
  readonly operators: Readonly<Record<string, number>>;
  /** Elements of all weights and biases, and their number. */
  readonly parameters: number;
  readonly weights: number;
  /** Groups of initialisers that are copies of one weight. */
  readonly tiedGroups: number;
  readonly latent?: LatentFacts;
  readonly image?: ImageFacts;
  readonly batch?: BatchFacts;
  /** Nodes through which the gradient in the latent would have to pass, and cannot. */
  readonly withoutDerivative: readonly (Pick<MissingRule, 'message'> & Pick<ErrorLocation, 'operator' | 'node'>)[];
  readonly notes: readonly string[];
}
