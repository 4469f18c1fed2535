/** From options to a method. Options that a method does not use are refused, never ignored. */
import { nameError, optionError, type RgiError } from '../../errors.ts';
import type { Graph } from '../../onnx/graph.ts';
import { trainableWeights } from '../../passes/trainable.ts';
import { layerGroups } from '../generator/weight-groups.ts';
import type { LossTerm, MaskForm, PixelTerm, Prior, Reduction } from '../spec/formulation.ts';
import { type MaskUse, type Method, type MethodName, usesScore } from '../spec/method.ts';
import { anogan } from './anogan.ts';
import { dgp } from './dgp.ts';
import { invert } from './invert.ts';
import { isOwnPreset, type OwnPreset, type PaperPreset, type Preset } from './presets.ts';
import { LATENT_PRIOR, rgi } from './rgi.ts';
import { rrgi } from './rrgi.ts';
import { yeh } from './yeh.ts';

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
  /** Names of weights to tune (R-RGI, DGP); default: all weights and biases. */
  readonly weights?: readonly string[];
  /** Of yeh: the weight of known pixels, see `YehOptions`. */
  readonly importance?: 'none' | 'released' | 'described';
  /** Weight of the Gaussian prior on z. */
  readonly latentPrior?: number;
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

const FEATURES = ['featureWeight', 'featureDistance', 'featureLayers'] as const;

const RGI = [
  'preset',
  'loss',
  'huberGrey',
  'reduction',
  'maskForm',
  'lambda',
  'thresholdGrey',
  'starts',
  'pool',
  'latentRate',
  'maskRate',
  'latentPrior',
  'criticPrior',
  ...FEATURES,
] as const;

/** What the tool knows of a method. */
interface MethodEntry {
  /** The optional settings that it understands. */
  readonly options: readonly (keyof MethodOptions)[];
  readonly mask: MaskUse;
  build(options: MethodOptions, context: MethodContext): Method;
}

/** Every name of `METHOD_NAMES` has its entry, or this does not compile. */
const METHODS: { readonly [Name in MethodName]: MethodEntry } = {
  rgi: {
    options: RGI,
    mask: 'optional',
    build: (options, context) => rgi(rgiOptions(options, context, 'fast')),
  },
  rrgi: {
    options: [...RGI, 'weightRate', 'weights'],
    mask: 'optional',
    build: (options, context) =>
      rrgi({
        ...rgiOptions(options, context, 'best'),
        weights: weightsOf(options, context).flat(),
        weightRate: options.weightRate,
      }),
  },
  yeh: {
    options: ['preset', 'recipe', 'importance'],
    mask: 'optional',
    build: (options, context) => {
      const { recipe = 'original', importance, steps, seed } = options;
      // The authors' prior is a logistic loss.
      const critic = recipe === 'original' ? context.critic : hasWassersteinCritic(context);
      return yeh({ recipe, preset: paperPresetOf(options), masked: context.masked, importance, critic, steps, seed });
    },
  },
  dgp: {
    options: ['preset', 'recipe', 'weights', 'featureLayers'],
    mask: 'needed',
    build: (options, context) => {
      const { recipe = 'original', steps, seed } = options;
      const weightGroups = weightsOf(options, context);
      const critic = hasWassersteinCritic(context);
      return dgp({ recipe, preset: paperPresetOf(options), weightGroups, layers: context.layers, critic, steps, seed });
    },
  },
  anogan: {
    options: ['recipe', 'featureLayers'],
    mask: 'unused',
    build: ({ recipe = 'original', steps, seed }, context) =>
      anogan({ recipe, layers: context.layers, critic: hasWassersteinCritic(context), steps, seed }),
  },
  invert: {
    options: ['loss', 'huberGrey', ...FEATURES],
    mask: 'optional',
    build: (options, context) => {
      const { steps, seed } = options;
      const extraLoss = featuresOf(options, context);
      return invert({ loss: lossOf(options), extraLoss, masked: context.masked, steps, seed });
    },
  },
};

/** What a method does with the true mask. */
export function maskUseOf(method: MethodName): MaskUse {
  return METHODS[method].mask;
}

const ALWAYS: readonly (keyof MethodOptions)[] = ['method', 'steps', 'seed'];

/** The options that a method takes. */
export function understoodOptions(method: MethodName): readonly (keyof MethodOptions)[] {
  return [...ALWAYS, ...METHODS[method].options];
}

/** Throws `usage` for an option that the method does not use, or an invalid combination. */
export function buildMethod(options: MethodOptions, context: MethodContext): Method {
  const { method } = options;
  const understood = understoodOptions(method);
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && !understood.includes(name as keyof MethodOptions)) {
      throw optionError(`The method '${method}' has no option '${name}'; it takes ${understood.slice(1).join(', ')}.`, {
        option: name,
        problem: 'unused',
        allowed: understood.slice(1),
      });
    }
  }
  if (options.lambda !== undefined && options.thresholdGrey !== undefined) {
    throw optionError('Give lambda or the threshold in grey levels, not both: they say the same.', {
      option: 'lambda',
      problem: 'conflict',
      received: options.lambda,
    });
  }
  return METHODS[method].build(options, context);
}

function hasWassersteinCritic({ critic, logistic }: MethodContext): boolean {
  return critic && !logistic;
}

/** Does the method go without a critic term only because the discriminator is no Wasserstein critic? */
export function leavesCriticOut(options: MethodOptions, context: MethodContext): boolean {
  if (!context.critic || !context.logistic) return false;
  return !usesScore(buildMethod(options, context)) && usesScore(buildMethod(options, { ...context, logistic: false }));
}

/** The method whose preset of ours it is. */
const OWNER: Readonly<Record<OwnPreset, MethodName>> = { fast: 'rgi', best: 'rrgi' };

function paperPresetOf({ method, preset = 'paper' }: MethodOptions): PaperPreset {
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

function rgiOptions<Own extends OwnPreset>(options: MethodOptions, context: MethodContext, own: Own) {
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
  };
}

/** The feature term of methods that have none of their own. */
function featuresOf(options: MethodOptions, context: MethodContext): LossTerm[] {
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

function lossOf(options: MethodOptions): PixelTerm | undefined {
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

/** The weights to tune by depth, shallow first. */
function weightsOf(options: MethodOptions, context: MethodContext): string[][] {
  const all = trainableWeights(context.generator);
  const unknown = options.weights?.find((name) => !all.includes(name));
  if (unknown !== undefined)
    throw nameError(
      `The generator has no weight '${unknown}'. 'rgi inspect' lists the weights.`,
      'weight',
      unknown,
      all,
    );
  return layerGroups(context.generator, options.weights ?? all);
}
