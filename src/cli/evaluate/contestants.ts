/** Methods of an evaluation, resolved for a generator and the networks that go with it. */

import { optionError, RgiError } from '../../errors.ts';
import type { ResolvedContestant } from '../../evaluate/node/inpaint.ts';
import type { Recipe } from '../../evaluate/recipes.ts';
import { reuse } from '../../inversion/compile/reuse.ts';
import { buildMethod, leavesCriticOut } from '../../inversion/methods/index.ts';
import type { MethodContext } from '../../inversion/methods/options.ts';
import { companionOf } from '../../models/node/companions.ts';
import {
  type GeneratorFlags,
  LOGISTIC_NOTE,
  type OpenedGenerator,
  openCriticFile,
  openDistanceFile,
} from '../../models/node/networks.ts';
import { modelHashes } from '../../models/node/weight-files.ts';
import { describeMethod } from '../../restore/node/manifest.ts';
import type { Runtime } from '../../runtime/runtime.ts';

export interface Networks {
  readonly contestant: Pick<ResolvedContestant, 'critic'>;
  readonly layers: readonly string[];
  readonly scores: boolean;
  readonly logistic: boolean;
  readonly described: unknown;
  readonly notes: readonly string[];
}

export interface NetworkFlags extends GeneratorFlags {
  readonly discriminator?: string;
  readonly features?: string;
}

/** The discriminator (named, or the generator's companion) and another network of features: for all methods that have a use for them. */
export async function openCritics(runtime: Runtime, opened: OpenedGenerator, flags: NetworkFlags): Promise<Networks> {
  const file =
    flags.discriminator === 'none'
      ? undefined
      : (flags.discriminator ?? (await companionOf('discriminator', opened.model, flags.generator)));
  const discriminator = file === undefined ? undefined : await openCriticFile(runtime, file, opened.generator, flags);
  const features =
    flags.features === undefined
      ? undefined
      : await openDistanceFile(runtime, flags.features, opened.generator, undefined, flags);
  const source = features ?? discriminator;
  const described = async (name: string | undefined) =>
    name === undefined ? undefined : { file: name, ...(await modelHashes(name)) };
  return {
    contestant: source
      ? { critic: { score: (discriminator ?? source).critic.score, features: source.critic.features } }
      : {},
    layers: source?.layers ?? [],
    scores: discriminator !== undefined,
    logistic: discriminator?.logistic ?? false,
    described: { discriminator: await described(file), features: await described(flags.features) },
    notes: source ? [] : ['Critic and feature terms are off, because no discriminator is given (--discriminator).'],
  };
}

/** Said where a recipe would have a critic term, were the discriminator a Wasserstein critic. */
export function criticNotes(recipes: readonly Recipe[], opened: OpenedGenerator, networks: Networks): string[] {
  return recipes.some((recipe) => leavesCriticOut(recipe.options, contextOf(recipe, opened, networks)))
    ? [LOGISTIC_NOTE]
    : [];
}

function contextOf(recipe: Recipe, { generator }: OpenedGenerator, networks: Networks): MethodContext {
  return {
    channels: generator.channels,
    generator: generator.graph,
    masked: recipe.maskGiven,
    critic: networks.scores,
    logistic: networks.logistic,
    layers: networks.layers,
  };
}

export function resolve(recipe: Recipe, opened: OpenedGenerator, networks: Networks): ResolvedContestant {
  try {
    const method = buildMethod(recipe.options, contextOf(recipe, opened, networks));
    if (recipe.maskGiven && !method.needsMask) {
      throw optionError('it does not use the true mask; leave +mask out.', {
        option: '--methods',
        problem: 'value',
        received: recipe.name,
      });
    }
    const thresholdGrey = method.needsMask ? undefined : recipe.thresholdGrey;
    const description = {
      options: recipe.options,
      thresholdGrey,
      method: describeMethod(method),
      networks: networks.described,
    };
    return { recipe, method, ...networks.contestant, reuse: reuse(), description };
  } catch (error) {
    if (!(error instanceof RgiError)) throw error;
    throw new RgiError(error.code, `The method '${recipe.name}': ${error.message}`, error.location, { cause: error });
  }
}
