/** What is known about a model as plain data: for `rgi inspect`, and for adapting a generator. */

import type { MissingRule } from '../autodiff/differentiate.ts';
import type { ErrorLocation } from '../errors.ts';
import type { ValueInfo } from '../onnx/graph.ts';

/** A generator's unknown. */
export interface LatentFacts {
  /** Name of the graph's input. */
  readonly name: string;
  /** Shape of one image's latent, without the batch axis. */
  readonly dims: readonly number[];
  /** normal: N(0,1); uniform: U(-1,1); unit: U[0,1). */
  readonly law: 'normal' | 'uniform' | 'unit';
  /** Whether it comes from the file's metadata (`rgi.latent`) or is our guess. */
  readonly from: 'metadata' | 'guess';
}

/** Values of a picture that stand for black and white; 'unknown' where neither the file nor samples tell. */
export type ImageRange = '-1..1' | '0..1' | '0..255' | 'unknown';

/** The axes of a picture output; without N it has no batch axis, without C it is grey. 'flat': [N, C * H * W], or other axes. */
export type ImageLayout = 'NCHW' | 'NHWC' | 'NHW' | 'CHW' | 'HWC' | 'HW' | 'flat';

/** A generator's picture output. */
export interface ImageFacts {
  /** Name of the graph's output. */
  readonly output: string;
  /** Order of its axes. */
  readonly layout: ImageLayout;
  /** 1 (grey), 3 (RGB), or any other number. */
  readonly channels: number;
  /** In pixels. */
  readonly height: number;
  /** In pixels. */
  readonly width: number;
  /** Values that stand for black and white. */
  readonly range: ImageRange;
  /** What determined the range: the file's metadata, the bounds of the last operator, or samples. */
  readonly from: 'metadata' | 'last operator' | 'samples';
  /** The smallest and largest value seen on some samples. */
  readonly minimum: number;
  /** See `minimum`. */
  readonly maximum: number;
}

/** What batch sizes a model takes. */
export interface BatchFacts {
  /** Is the batch axis a name rather than a number? */
  readonly symbolic: boolean;
  /** Of 1, 2, 3 and the declared size, those the model ran at. */
  readonly accepted: readonly number[];
  /** Does one image of a batch depend on the others? Undefined where it could not be tried. */
  readonly couplesImages?: boolean;
}

/** The result of `inspectModel`. */
export interface ModelFacts {
  /** The graph's inputs, those with an initialiser left out. */
  readonly inputs: readonly ValueInfo[];
  /** The graph's outputs. */
  readonly outputs: readonly ValueInfo[];
  /** Of the file, before it was lifted to the working opset. */
  readonly opset: number;
  /** The tool that wrote the file, as it names itself; may be empty. */
  readonly producer: string;
  /** The network's role where the metadata states it: 'generator', 'encoder', 'discriminator' (`rgi.role`). */
  readonly role?: string;
  /** Nodes by operator, those inside subgraphs included; operators of other domains as `domain.Operator`. */
  readonly operators: Readonly<Record<string, number>>;
  /** Elements of all weights and biases, and their number. */
  readonly parameters: number;
  /** Number of weights and biases, as initialisers. */
  readonly weights: number;
  /** Groups of initialisers that are copies of one weight. */
  readonly tiedGroups: number;
  /** The unknown; absent where none was found. */
  readonly latent?: LatentFacts;
  /** The picture output; absent where none was found. */
  readonly image?: ImageFacts;
  /** Absent where the model could not be run. */
  readonly batch?: BatchFacts;
  /** Nodes through which the gradient in the latent would have to pass, and cannot. */
  readonly withoutDerivative: readonly (Pick<MissingRule, 'message'> & Pick<ErrorLocation, 'operator' | 'node'>)[];
  /** Why it cannot be inverted as it is, and what to do: sentences that go on after the file's name. */
  readonly refusals: readonly string[];
  /** Sentences that a user should read: what was assumed, changed or could not be done. */
  readonly notes: readonly string[];
}
