/** The options of a method: as commander reads them, and what a method gets of them. */
import { type Command, InvalidArgumentError } from 'commander';
import { optionError } from '../../errors.ts';
import { understoodOptions } from '../../inversion/methods/index.ts';
import type { MethodOptions } from '../../inversion/methods/options.ts';
import { isKeyword, WEIGHT_RULE, type WeightChoice } from '../../inversion/methods/weights.ts';
import type { MethodName } from '../../inversion/spec/method.ts';
import { choice, count, list, numberIn } from '../arguments.ts';
import { featureFile } from '../detect/feature-flags.ts';

export type MethodFlags = Omit<MethodOptions, 'thresholdGrey' | 'method'> & {
  readonly method?: MethodName;
  readonly threshold?: number;
};

const rate = numberIn({ above: 0 });
const weight = numberIn({ from: 0 });

/** "all", "early", "rank:8", or names. */
function weightChoice(text: string, before?: WeightChoice): WeightChoice {
  if (before === undefined && isKeyword(text)) return text;
  if (text.startsWith('rank:') || isKeyword(text) || typeof before === 'string')
    throw new InvalidArgumentError(`${WEIGHT_RULE}.`);
  return list(text, before);
}

/** Settings of the methods. */
export function addMethodOptions(command: Command): void {
  const seed = numberIn({ integer: true, from: 0, to: 2 ** 32 - 1 });
  command
    .addOption(
      choice('--recipe <name>', 'whose settings of yeh, dgp and anogan (default: original)', [
        'original',
        'rgi',
      ] as const),
    )
    .option('--seed <number>', 'seed of the random latents (default: 0)', seed)
    .optionsGroup('Mask and loss:')
    .option('--lambda <number>', 'weight of the mask (instead of --threshold)', rate)
    .addOption(choice('--mask-form <name>', 'how the mask is solved for', ['free', 'clipped', 'exact'] as const))
    .addOption(choice('--loss <name>', 'loss of the residual', ['l1', 'l2', 'huber'] as const))
    .option('--huber-grey <grey>', "where Huber's loss becomes linear, in grey levels", rate)
    .addOption(choice('--reduction <name>', 'losses and ||M|| over a picture', ['sum', 'mean'] as const))
    .addOption(
      choice('--importance <name>', 'weights of the known pixels (yeh)', ['none', 'released', 'described'] as const),
    )
    .optionsGroup('Search:')
    .option('--steps <count>', 'steps of optimisation', count)
    .option('--starts <count>', 'searches per picture; the best is kept', count)
    .option('--pool <count>', 'random latents that the starts are chosen from', count)
    .option('--encoder <file>', "network that provides a start; 'none' for none (default: the companion)")
    .option('--latent-rate <rate>', 'learning rate of the latent; fast, best: longest move of a step', rate)
    .option('--mask-rate <rate>', 'learning rate of a free mask', rate)
    .option('--weight-rate <rate>', 'learning rate of the weights (rrgi)', rate)
    .option('--tuning-latent-rate <rate>', 'learning rate of the latent beside weights (rrgi with best)', weight)
    .option(
      '--weights <choice>',
      'weights to tune (rrgi, dgp): all, early, rank:R, or names (default: all)',
      weightChoice,
    )
    .option('--latent-prior <weight>', 'weight of a Gaussian prior on the latent; 0 for none', weight)
    .option(
      '--noise-prior <weight>',
      'weight of what keeps neighbouring values of searched noise images uncorrelated (rgi, rrgi)',
      weight,
    )
    .optionsGroup('Discriminator and features:')
    .option('--discriminator <file>', "the discriminator; 'none' for none (default: the companion)")
    .option('--critic-prior <weight>', 'weight of its score as a prior', weight)
    .option(
      '--features <file>',
      "network of the features: a file, or 'bundled' (default: the discriminator)",
      featureFile,
    )
    .option('--feature-layers <names>', 'layers that are compared (default: the activations)', list)
    .option('--feature-weight <weight>', 'weight of the feature loss (rgi, rrgi, invert)', rate)
    .addOption(choice('--feature-distance <name>', 'feature loss (default: l2)', ['l1', 'l2'] as const));
}

/** The command line's name of each option of a method. */
const FLAG_NAMES: Partial<Record<keyof MethodOptions, string>> = { thresholdGrey: '--threshold' };

export function flagOf(option: keyof MethodOptions): string {
  return FLAG_NAMES[option] ?? `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

const METHOD_KEYS = [
  'preset',
  'recipe',
  'loss',
  'huberGrey',
  'reduction',
  'maskForm',
  'lambda',
  'steps',
  'starts',
  'pool',
  'seed',
  'latentRate',
  'maskRate',
  'weightRate',
  'tuningLatentRate',
  'weights',
  'importance',
  'latentPrior',
  'noisePrior',
  'criticPrior',
  'featureLayers',
  'featureWeight',
  'featureDistance',
] as const satisfies readonly (keyof MethodFlags)[];

/**
 * The method's own options, those not given left out. An option it has no use for is refused by its flag's name; the
 * threshold of a method without a mask of its own says which residuals count as found, and is no option of the method.
 */
export function methodOptionsOf(flags: MethodFlags): MethodOptions {
  const { method = flags.preset === 'best' ? 'rrgi' : 'rgi' } = flags;
  if (flags.lambda !== undefined && flags.threshold !== undefined) {
    throw optionError('Give --lambda or --threshold, not both: they set the same value in different units.', {
      option: '--lambda',
      problem: 'conflict',
      received: flags.lambda,
    });
  }
  const given = METHOD_KEYS.filter((key) => flags[key] !== undefined);
  const understood = understoodOptions(method);
  const unused = given.find((key) => !understood.includes(key));
  if (unused) {
    const flagNames = understood.filter((key) => key !== 'method').map(flagOf);
    throw optionError(`The method '${method}' does not use ${flagOf(unused)}; it takes ${flagNames.join(', ')}.`, {
      option: flagOf(unused),
      problem: 'unused',
      allowed: flagNames,
    });
  }
  const lone = (['featureLayers', 'featureDistance'] as const).find((key) => given.includes(key));
  if (lone && understood.includes('featureWeight') && flags.featureWeight === undefined) {
    throw optionError(`${flagOf(lone)} needs --feature-weight, the weight of the feature loss.`, {
      option: '--feature-weight',
      problem: 'missing',
    });
  }
  const own = Object.fromEntries(given.map((key) => [key, flags[key]]));
  const threshold = understood.includes('thresholdGrey') ? flags.threshold : undefined;
  return { method, ...own, ...(threshold === undefined ? {} : { thresholdGrey: threshold }) };
}
