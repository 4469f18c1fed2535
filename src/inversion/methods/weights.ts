/** Which of the generator's weights are tuned, and how: `--weights`. */
import { nameError, optionError } from '../../errors.ts';
import type { Graph } from '../../onnx/graph.ts';
import { trainableWeights } from '../../passes/trainable.ts';
import { layerGroups } from '../generator/weight-groups.ts';

/**
 * - 'all': every weight and bias (`trainableWeights`).
 * - 'early': those of the shallow half, next to the latent (at most seven groups by depth, `layerGroups`). Early layers
 *   decide what is shown where, late ones its colours and details (Bau et al., "GAN dissection", ICLR 2019).
 * - 'rank:R': all, but of each kernel and matrix a change of rank R at most (`low-rank.ts`). An R so large that nothing is factored acts as 'all'.
 * - or the names of initialisers.
 */
export type WeightChoice = 'all' | 'early' | `rank:${number}` | readonly string[];

const RANK = /^rank:([1-9]\d*)$/;

/** The rule, without a full stop. */
export const WEIGHT_RULE =
  'The weights to tune are all, early, rank:R with a whole number R from 1 on, or a list of names';

/** Is the text one of the choices that are no names? */
export function isKeyword(text: string): text is Extract<WeightChoice, string> {
  return text === 'all' || text === 'early' || RANK.test(text);
}

/** The largest rank of a weight's change, where one is chosen. */
export function weightRankOf(choice: WeightChoice | undefined): number | undefined {
  const [, rank] = (typeof choice === 'string' && RANK.exec(choice)) || [];
  return rank === undefined ? undefined : Number(rank);
}

/** The weights to tune by depth, shallow first. Throws `usage` for a choice that there is not, and a name that the generator does not have. */
export function weightGroupsOf(choice: WeightChoice = 'all', generator: Graph): string[][] {
  const all = trainableWeights(generator);
  if (typeof choice !== 'string') {
    const unknown = choice.find((name) => !all.includes(name));
    if (unknown === undefined) return layerGroups(generator, choice);
    const sentence = `The generator has no weight '${unknown}'. 'rgi inspect' lists the weights.`;
    throw nameError(sentence, 'weight', unknown, all);
  }
  if (!isKeyword(choice))
    throw optionError(`${WEIGHT_RULE}, not '${choice}'.`, {
      option: 'weights',
      problem: 'value',
      received: choice,
    });
  const groups = layerGroups(generator, all);
  return choice === 'early' ? groups.slice(0, Math.ceil(groups.length / 2)) : groups;
}
