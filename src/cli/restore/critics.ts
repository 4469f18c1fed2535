/** The discriminator and the feature network of `rgi restore`, and whether what was given is of use to the method. */
import path from 'node:path';
import { RgiError } from '../../errors.ts';
import type { Critic } from '../../inversion/generator/critic.ts';
import { buildMethod, leavesCriticOut, understoodOptions } from '../../inversion/methods/index.ts';
import type { MethodOptions } from '../../inversion/methods/options.ts';
import { type Method, takesEncoder, tunesWeights, usesFeatures, usesScore } from '../../inversion/spec/method.ts';
import { companionOf } from '../../models/node/companions.ts';
import { LOGISTIC_NOTE, type OpenedGenerator, openCriticFile, openDistanceFile } from '../../models/node/networks.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { RestoreFlags } from './flags.ts';
import { flagOf } from './method-flags.ts';

export interface Critics {
  readonly critic?: Critic;
  readonly layers: readonly string[];
  /** Would the method use a discriminator's score or features? */
  readonly useful: boolean;
  readonly logistic: boolean;
  readonly discriminator?: string;
  readonly features?: string;
  readonly notes: readonly string[];
}

/** The discriminator and the feature network, from the flags or the generator's companions. */
export async function criticFor(
  runtime: Runtime,
  opened: OpenedGenerator,
  options: MethodOptions,
  flags: RestoreFlags,
): Promise<Critics> {
  const all = { ...contextOf(opened, flags, { layers: ['any'] }), critic: true };
  const useful = usesCritic(buildMethod(options, all));
  const companion =
    useful && flags.discriminator === undefined
      ? await companionOf('discriminator', opened.model, flags.generator)
      : undefined;
  const named = flags.discriminator === 'none' ? undefined : flags.discriminator;
  const discriminator = named ?? companion;
  const d =
    discriminator === undefined ? undefined : await openCriticFile(runtime, discriminator, opened.generator, flags);
  const { features } = flags;
  const f =
    features === undefined
      ? undefined
      : await openDistanceFile(runtime, features, opened.generator, flags.featureLayers, flags);
  if (flags.featureLayers && !d && !f) {
    throw new RgiError('usage', '--feature-layers needs a network: give one with --features or --discriminator.');
  }
  const source = f ?? d;
  const unknown = source && flags.featureLayers?.find((layer) => !source.values.has(layer));
  if (unknown !== undefined) {
    const file = features ?? discriminator;
    throw new RgiError('usage', `${file} has no value '${unknown}'; its activations are ${source!.layers.join(', ')}.`);
  }
  const notes = [
    ...(companion ? [`The discriminator is the generator's companion, ${path.basename(companion)}.`] : []),
    ...(leavesCriticOut(options, { ...all, logistic: d?.logistic }) ? [LOGISTIC_NOTE] : []),
    ...(useful && !d && !f
      ? ['Critic and feature terms are off, because no discriminator is given (--discriminator).']
      : []),
  ];
  return {
    ...(source ? { critic: { score: (d ?? source).critic.score, features: source.critic.features } } : {}),
    layers: source ? (flags.featureLayers ?? source.layers) : [],
    useful,
    logistic: d?.logistic ?? false,
    discriminator,
    features,
    notes,
  };
}

export function contextOf(
  opened: OpenedGenerator,
  flags: RestoreFlags,
  critic: { layers: readonly string[]; discriminator?: string; logistic?: boolean },
) {
  const { generator } = opened;
  return {
    channels: generator.channels,
    generator: generator.graph,
    masked: flags.mask !== undefined,
    critic: critic.discriminator !== undefined,
    logistic: critic.logistic,
    layers: critic.layers,
  };
}

function usesCritic(method: Method): boolean {
  return usesScore(method) || usesFeatures(method);
}

/** What was given and is of no use is refused, as is what is needed and was not given. */
export function checkUse(method: Method, options: MethodOptions, flags: RestoreFlags, critics: Critics): void {
  const name = `The method '${options.method}'${options.preset ? ` with the preset '${options.preset}'` : ''}`;
  const fail = (message: string) => new RgiError('usage', message);
  const unless = (terms: readonly (keyof MethodOptions)[]) => {
    const taken = terms.filter((term) => understoodOptions(options.method).includes(term));
    return taken.length > 0 ? `; add ${taken.map((term) => `${flagOf(term)} WEIGHT`).join(' or ')}, or ` : ': ';
  };
  if (method.needsMask && flags.mask === undefined) {
    throw fail(`${name} needs the masks of the corrupted regions: give them with --mask, or use --method rgi.`);
  }
  if (flags.mask !== undefined && !method.needsMask) throw fail(`${name} does not use --mask.`);
  if (flags.mask !== undefined && flags.threshold !== undefined) {
    throw fail('--threshold does not apply with --mask, because the mask is known. Leave one of them out.');
  }
  if (usesScore(method) && critics.discriminator === undefined) {
    throw fail('--critic-prior needs a discriminator: give it with --discriminator.');
  }
  if (flags.discriminator !== undefined && flags.discriminator !== 'none' && !critics.useful) {
    throw fail(
      `${name} does not use a discriminator${unless(['criticPrior', 'featureWeight'])}leave --discriminator out.`,
    );
  }
  if (flags.encoder !== undefined && flags.encoder !== 'none' && !takesEncoder(method))
    throw fail(`${name} uses a single random start: leave --encoder out.`);
  if (flags.features !== undefined && !usesFeatures(method))
    throw fail(`${name} compares no features${unless(['featureWeight'])}leave --features out.`);
  if (flags.saveGenerator && !tunesWeights(method))
    throw fail(`${name} tunes no weights: leave --save-generator out, or use --method rrgi.`);
}
