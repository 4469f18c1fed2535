/** From options to a method. Options that a method does not use are refused, never ignored. */
import { optionError } from '../../errors.ts';
import { type MaskUse, type Method, type MethodName, usesScore } from '../spec/method.ts';
import { anogan } from './anogan.ts';
import { dgp } from './dgp.ts';
import { invert } from './invert.ts';
import {
  featuresOf,
  hasWassersteinCritic,
  lossOf,
  type MethodContext,
  type MethodOptions,
  paperPresetOf,
  rgiOptions,
} from './options.ts';
import { rgi } from './rgi.ts';
import { rrgi } from './rrgi.ts';
import { weightGroupsOf, weightRankOf } from './weights.ts';
import { yeh } from './yeh.ts';

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
  'noisePrior',
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
    options: [...RGI, 'weightRate', 'tuningLatentRate', 'weights'],
    mask: 'optional',
    build: (options, context) =>
      rrgi({
        ...rgiOptions(options, context, 'best'),
        weights: weightGroupsOf(options.weights, context.generator).flat(),
        weightRank: weightRankOf(options.weights),
        weightRate: options.weightRate,
        tuningLatentRate: options.tuningLatentRate,
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
      const weightGroups = weightGroupsOf(options.weights, context.generator);
      const weightRank = weightRankOf(options.weights);
      const critic = hasWassersteinCritic(context);
      const { layers } = context;
      return dgp({ recipe, preset: paperPresetOf(options), weightGroups, weightRank, layers, critic, steps, seed });
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

/** Does the method go without a critic term only because the discriminator is no Wasserstein critic? */
export function leavesCriticOut(options: MethodOptions, context: MethodContext): boolean {
  if (!context.critic || !context.logistic) return false;
  return !usesScore(buildMethod(options, context)) && usesScore(buildMethod(options, { ...context, logistic: false }));
}
