/** The options of all methods as a user gives them, and what they mean to a method. */
import { optionError, type RgiError } from '../../errors.ts';
import type { Graph } from '../../onnx/graph.ts';
import type { LossTerm, MaskForm, PixelTerm, Prior, Reduction } from '../spec/formulation.ts';
import type { MethodName } from '../spec/method.ts';
import { isOwnPreset, type OwnPreset, type PaperPreset, type Preset } from './presets.ts';
import { LATENT_PRIOR } from './rgi.ts';
import type { WeightChoice } from './weights.ts';

/** Every option of every method; what is not given takes the preset's value. Plain data: it goes into the manifest. */
export interface MethodOptions {
  /** Which method. */
  readonly method: MethodName;
  /** Default 'fast' ('best' of rrgi, a paper's of the others). */
  readonly preset?: Preset;
  /** Of yeh, dgp and anogan: their authors' settings, or as simplified in RGI's comparison. */
  readonly recipe?: 'original' | 'rgi';
  /** The pixel loss of L_rec. */
  readonly loss?: 'l1' | 'l2' | 'huber';
  /** Where Huber's loss turns linear, in grey levels. */
  readonly huberGrey?: number;
  /** Are losses and ||M||_1 summed over an image, or averaged? Default 'sum'. */
  readonly reduction?: Reduction;
  /** Of rgi and rrgi: a variable with an Adam of its own, unbounded or kept in [0,1], or the exact minimiser. */
  readonly maskForm?: 'free' | 'clipped' | 'exact';
  /** Weight of ||M||_1 in the loss's units; not together with `thresholdGrey`. */
  readonly lambda?: number;
  /** The same as the residual, in grey levels, at which a pixel starts to be masked. */
  readonly thresholdGrey?: number;
  /** Steps in all. */
  readonly steps?: number;
  /** Searches per picture that compete. */
  readonly starts?: number;
  /** Random latents from which the starts are chosen. */
  readonly pool?: number;
  /** Of the starts; default 0. */
  readonly seed?: number;
  /** Rate of z's optimiser; for L-BFGS the longest move of a step, root mean square over z. */
  readonly latentRate?: number;
  /** Rate of a free mask's Adam. */
  readonly maskRate?: number;
  /** Rate of the weights' Adam (rrgi). */
  readonly weightRate?: number;
  /** Rate of z's Adam while weights move (rrgi with 'best'); default 0.01. */
  readonly tuningLatentRate?: number;
  /** The weights to tune (R-RGI, DGP); default 'all'. */
  readonly weights?: WeightChoice;
  /** Of yeh: the weight of known pixels, see `YehOptions`. */
  readonly importance?: 'none' | 'released' | 'described';
  /** Weight of the Gaussian prior on z. */
  readonly latentPrior?: number;
  /** Weight of the prior against correlations of neighbouring values in searched noise images (rgi, rrgi), see `Prior`. */
  readonly noisePrior?: number;
  /** Weight of the discriminator's prior. */
  readonly criticPrior?: number;
  /** Layers of the second network for feature losses. */
  readonly featureLayers?: readonly string[];
  /** Weight of the distance of features in L_rec beside the pixel loss (RGI, R-RGI, invert). */
  readonly featureWeight?: number;
  /** Distance of the features: sum of absolute or of squared differences. */
  readonly featureDistance?: 'l1' | 'l2';
}

/** What the methods need to know of the networks and the pictures. */
export interface MethodContext {
  /** Channels of the pictures. */
  readonly channels: number;
  /** Its weights are those that rrgi and dgp may tune. */
  readonly generator: Graph;
  /** Is the true mask given? */
  readonly masked: boolean;
  /** Is a discriminator given? */
  readonly critic: boolean;
  /**
   * Was it trained with a logistic loss? Its score is then log-odds, not a Wasserstein critic's: the recipes of the RGI paper
   * leave their critic term out, whose weight is made for that scale.
   */
  readonly logistic?: boolean;
  /** The feature layers of the second network, all its activations if not chosen. */
  readonly layers: readonly string[];
}

/** Is a discriminator given whose score is that of a Wasserstein critic? */
export function hasWassersteinCritic({ critic, logistic }: MethodContext): boolean {
  return critic && !logistic;
}

/** The method whose preset of ours it is. */
const OWNER: Readonly<Record<OwnPreset, MethodName>> = { fast: 'rgi', best: 'rrgi' };

/** The preset of a method that has the papers' only. Throws `usage` for one of ours. */
export function paperPresetOf({ method, preset = 'paper' }: MethodOptions): PaperPreset {
  if (!isOwnPreset(preset)) return preset;
  throw presetError(`The preset '${preset}' is of ${OWNER[preset]}; ${method} has the paper's.`, preset);
}

/** The paper's presets, or the method's own, which it has if none is chosen. */
function presetOf<Own extends OwnPreset>({ method, preset }: MethodOptions, own: Own): Own | PaperPreset {
  if (preset === undefined || preset === own) return own;
  if (!isOwnPreset(preset)) return preset;
  throw presetError(`The preset '${preset}' is that of ${OWNER[preset]}; that of ${method} is '${own}'.`, preset);
}

function presetError(sentence: string, received: string): RgiError {
  return optionError(sentence, { option: 'preset', problem: 'value', received });
}

/** The options that RGI and R-RGI share. Throws `usage` for an invalid combination. */
export function rgiOptions<Own extends OwnPreset>(options: MethodOptions, context: MethodContext, own: Own) {
  const preset = presetOf(options, own);
  if (isOwnPreset(preset) && (options.maskForm ?? 'exact') !== 'exact') {
    throw optionError(
      `The preset '${preset}' works with the exact mask; a ${options.maskForm} mask goes with --preset paper.`,
      { option: 'maskForm', problem: 'conflict', received: options.maskForm, allowed: ['exact'] },
    );
  }
  if (isOwnPreset(preset) && options.maskRate !== undefined) {
    throw optionError(
      `The preset '${preset}' works with the exact mask, which has no learning rate; --mask-rate goes with --preset paper.`,
      { option: 'maskRate', problem: 'conflict', received: options.maskRate },
    );
  }
  return {
    preset,
    channels: context.channels,
    lambda: options.lambda,
    thresholdGrey: options.thresholdGrey,
    masked: context.masked,
    loss: lossOf(options),
    extraLoss: featuresOf(options, context),
    reduction: options.reduction,
    mask: maskOf(options),
    steps: options.steps,
    starts: options.starts,
    pool: options.pool,
    latentRate: options.latentRate,
    maskRate: options.maskRate,
    seed: options.seed,
    critic: hasWassersteinCritic(context),
    priors: priorsOf(options, preset, context.logistic ? 'logistic' : 'critic'),
    noisePrior: options.noisePrior,
  };
}

/** The feature term of methods that have none of their own. */
export function featuresOf(options: MethodOptions, context: MethodContext): LossTerm[] {
  const { featureWeight = 0, featureDistance: distance = 'l2' } = options;
  if (featureWeight === 0) {
    if (options.featureLayers === undefined && options.featureDistance === undefined) return [];
    throw optionError(`The method '${options.method}' compares features only with a weight: give the feature weight.`, {
      option: 'featureWeight',
      problem: 'missing',
    });
  }
  if (context.layers.length === 0) {
    throw optionError('A feature loss needs a second network: give --features (or --discriminator) an ONNX file.', {
      option: 'features',
      problem: 'missing',
    });
  }
  return [{ kind: 'feature', weight: featureWeight, distance, layers: context.layers }];
}

/** The pixel loss, where one is chosen. */
export function lossOf(options: MethodOptions): PixelTerm | undefined {
  if (options.loss === undefined) return undefined;
  if (options.loss !== 'huber') return { kind: options.loss, weight: 1 };
  return { kind: 'huber', weight: 1, delta: (options.huberGrey ?? 12.75) / 127.5 };
}

function maskOf(options: MethodOptions): MaskForm | undefined {
  if (options.maskForm === undefined) return undefined;
  if (options.maskForm === 'exact') return { form: 'exact', shared: true };
  return { form: options.maskForm, shared: false, initial: options.preset === 'paper-detect' ? 0 : 1 };
}

/** A weight chosen for the latents' prior takes the place of the default preset's own, which needs none. */
function priorsOf(options: MethodOptions, preset: Preset, score: 'logistic' | 'critic'): Prior[] | undefined {
  if (options.latentPrior === undefined && options.criticPrior === undefined) return undefined;
  return [
    ...(options.latentPrior === undefined && isOwnPreset(preset) ? [LATENT_PRIOR] : []),
    ...(options.latentPrior ? [{ kind: 'gaussian' as const, weight: options.latentPrior }] : []),
    ...(options.criticPrior ? [{ kind: score, weight: options.criticPrior }] : []),
  ];
}
