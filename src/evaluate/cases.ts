/**
 * Corruptions by name: REGION[:FILL], for instance `block`, `random`, `irregular`, `block:smooth`, `scratches`. The paper's
 * N(-1,1) fills a region unless said otherwise; the realistic ones look like what they are named after.
 */
import { RgiError } from '../errors.ts';
import { type Corruption, FILLS, PAPER_CORRUPTIONS } from '../images/corruptions.ts';
import { REGIONS } from '../images/regions.ts';

export interface Case {
  /** As it was written. */
  readonly name: string;
  readonly corruption: Corruption;
}

const WHITE = { kind: 'constant', value: 1 } as const;

/** Scratches and dust show light, stains lie over the picture, letters are light, strips of a sensor are dead. */
const NAMED: Readonly<Record<string, Corruption>> = {
  block: { region: REGIONS.block },
  random: { region: REGIONS.random },
  irregular: { region: REGIONS.irregular },
  half: { region: REGIONS.half },
  scratches: { region: REGIONS.scratches, fill: WHITE },
  stains: { region: REGIONS.stains, fill: { kind: 'smooth', amplitude: 0.7, noise: 0.02 } },
  dust: { region: REGIONS.dust, fill: WHITE },
  text: { region: REGIONS.text, fill: WHITE },
  strips: { region: REGIONS.lines, fill: { kind: 'constant', value: -1 } },
  ...PAPER_CORRUPTIONS,
};

/** Several cases under one name. */
export const CASE_GROUPS: Readonly<Record<string, readonly string[]>> = {
  standard: ['block', 'random', 'irregular'],
  fills: ['block:white', 'block:deviation', 'block:smooth'],
  realistic: ['scratches', 'stains', 'dust', 'text', 'strips'],
  celeba: ['celeba-block', 'celeba-random', 'irregular'],
  cars: ['cars-block', 'cars-random', 'irregular'],
};

export const CASE_NAMES: readonly string[] = Object.keys(NAMED);

/** Reads names of cases and groups; a case that comes twice is taken once. Throws `usage`, saying what can be written. */
export function parseCases(names: readonly string[]): Case[] {
  const all = names.flatMap((name) =>
    name === 'all'
      ? ['standard', 'fills', 'realistic'].flatMap((group) => CASE_GROUPS[group])
      : (groupOf(name) ?? [name]),
  );
  return [...new Set(all)].map(parseCase);
}

function groupOf(name: string): readonly string[] | undefined {
  return Object.hasOwn(CASE_GROUPS, name) ? CASE_GROUPS[name] : undefined;
}

function parseCase(name: string): Case {
  const [region, fill, more] = name.split(':');
  if (!Object.hasOwn(NAMED, region) || more !== undefined) {
    throw new RgiError(
      'usage',
      `There is no case '${name}'; the cases are ${CASE_NAMES.join(', ')}, each with :${Object.keys(FILLS).join(', :')} for another fill, and the groups ${Object.keys(CASE_GROUPS).join(', ')}, all.`,
    );
  }
  const corruption = NAMED[region];
  if (fill === undefined) return { name, corruption };
  if (!Object.hasOwn(FILLS, fill)) {
    throw new RgiError(
      'usage',
      `The case '${name}': there is no fill '${fill}'; the fills are ${Object.keys(FILLS).join(', ')}.`,
    );
  }
  return { name, corruption: { ...corruption, fill: FILLS[fill as keyof typeof FILLS] } };
}
