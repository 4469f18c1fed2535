/**
 * Methods by name, as tables and command lines write them: NAME[:PRESET or :RECIPE][:SETTING=VALUE]...[+mask]. So `rgi`,
 * `rgi:paper`, `rgi:paper:lambda=0.1`, `yeh`, `yeh+mask`, `dgp:rgi+mask`. With `+mask` the method is given the true mask.
 */
import { optionError, RgiError } from '../errors.ts';
import { maskUseOf, understoodOptions } from '../inversion/methods/index.ts';
import type { MethodOptions } from '../inversion/methods/options.ts';
import { PRESETS, type Preset } from '../inversion/methods/presets.ts';
import { FAST } from '../inversion/methods/rgi.ts';
import { METHOD_NAMES } from '../inversion/spec/method.ts';

export interface Recipe {
  /** As it was written: the row's label. */
  readonly name: string;
  /** Is it given the true mask? */
  readonly maskGiven: boolean;
  readonly options: MethodOptions;
  /** Methods without a mask of their own: residual, in grey levels, above which a pixel counts as found. */
  readonly thresholdGrey: number;
}

const NUMBERS = {
  lambda: 'lambda',
  threshold: 'thresholdGrey',
  'huber-grey': 'huberGrey',
  steps: 'steps',
  starts: 'starts',
  pool: 'pool',
  'latent-rate': 'latentRate',
  'mask-rate': 'maskRate',
  'weight-rate': 'weightRate',
  'latent-prior': 'latentPrior',
  'critic-prior': 'criticPrior',
  'feature-weight': 'featureWeight',
} as const satisfies Record<string, keyof MethodOptions>;

const WORDS = {
  loss: ['loss', ['l1', 'l2', 'huber']],
  reduction: ['reduction', ['sum', 'mean']],
  'mask-form': ['maskForm', ['free', 'clipped', 'exact']],
  importance: ['importance', ['none', 'released', 'described']],
} as const satisfies Record<string, readonly [keyof MethodOptions, readonly string[]]>;

const WHOLE = new Set<string>(['steps', 'starts', 'pool']);

/** Reads one name; throws `usage`, saying what can be written. `seed` is that of the random starts. */
export function parseRecipe(text: string, seed = 0): Recipe {
  const maskGiven = text.endsWith('+mask');
  const [name, ...rest] = (maskGiven ? text.slice(0, -'+mask'.length) : text).split(':');
  const method = METHOD_NAMES.find((known) => known === name);
  const fail = (what: string) =>
    optionError(`The method '${text}': ${what}`, { option: '--methods', problem: 'value', received: text });
  if (method === undefined) {
    throw fail(
      `there is no '${name}'; the methods are ${METHOD_NAMES.join(', ')}, as NAME[:PRESET][:SETTING=VALUE][+mask].`,
    );
  }
  if (maskUseOf(method) === 'needed' && !maskGiven) throw fail(`${method} needs the true mask; write ${text}+mask.`);
  if (maskUseOf(method) === 'unused' && maskGiven) throw fail(`${method} does not use the true mask; leave +mask out.`);
  const own: Record<string, string | number> = {};
  for (const part of rest) {
    const [option, value] = settingOf(part, fail);
    if (own[option] !== undefined) throw fail(`'${part}' repeats a setting.`);
    own[option] = value;
  }
  const understood = understoodOptions(method);
  const { thresholdGrey, ...others } = own;
  const masks = understood.includes('thresholdGrey');
  const options = { method, seed, ...others, ...(masks && thresholdGrey !== undefined ? { thresholdGrey } : {}) };
  const unknown = Object.keys(options).find((option) => !understood.includes(option as keyof MethodOptions));
  if (unknown !== undefined)
    throw fail(`${method} has no setting ${unknown}; it takes ${writable(understood).join(', ')}.`);
  return {
    name: text,
    maskGiven,
    options: options as MethodOptions,
    thresholdGrey: typeof thresholdGrey === 'number' ? thresholdGrey : FAST.thresholdGrey,
  };
}

/** Reads a list; one name twice is refused, since a name identifies a row of the tables. */
export function parseRecipes(names: readonly string[], seed = 0): Recipe[] {
  const again = names.find((name, i) => names.indexOf(name) < i);
  if (again !== undefined) throw new RgiError('usage', `The method '${again}' is named twice.`);
  return names.map((name) => parseRecipe(name, seed));
}

function settingOf(part: string, fail: (what: string) => RgiError): [string, string | number] {
  if (PRESETS.includes(part as Preset)) return ['preset', part];
  if (part === 'original' || part === 'rgi') return ['recipe', part];
  const [name, text] = part.split('=');
  if (Object.hasOwn(NUMBERS, name)) {
    const value = text?.trim() ? Number(text) : Number.NaN;
    const zero = name.endsWith('-prior');
    const fits = zero ? value >= 0 : value > 0;
    if (!Number.isFinite(value) || !fits || (WHOLE.has(name) && !Number.isInteger(value))) {
      throw fail(`'${part}' is no ${WHOLE.has(name) ? 'whole number' : 'number'} ${zero ? 'from 0 on' : 'above 0'}.`);
    }
    return [NUMBERS[name as keyof typeof NUMBERS], value];
  }
  if (Object.hasOwn(WORDS, name)) {
    const [option, values] = WORDS[name as keyof typeof WORDS];
    if (!(values as readonly string[]).includes(text)) throw fail(`'${part}': ${name} is one of ${values.join(', ')}.`);
    return [option, text];
  }
  throw fail(
    `'${part}' is not a preset (${PRESETS.join(', ')}), a recipe (original, rgi) or a setting (${[...Object.keys(NUMBERS), ...Object.keys(WORDS)].join(', ')}).`,
  );
}

/** The options a method takes, as they are written in a name. */
function writable(understood: readonly (keyof MethodOptions)[]): string[] {
  const settings = [...Object.entries(NUMBERS), ...Object.entries(WORDS).map(([name, [option]]) => [name, option])];
  return [
    ...(understood.includes('preset') ? ['a preset'] : []),
    ...(understood.includes('recipe') ? ['a recipe'] : []),
    ...settings.filter(([, option]) => understood.includes(option as keyof MethodOptions)).map(([name]) => name),
  ];
}
