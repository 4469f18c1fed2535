/**
 * Are values of one population or of two? A normal law and a mixture of two are fitted. Two are believed where the Bayesian information
 * criterion prefers them (Schwarz 1978), corrected for few values (McQuarrie 1999), and their means are far enough apart for two peaks
 * (Ashman, Bird and Zepf 1994).
 */

/** Ashman's D = |m1 - m2| / sqrt((s1^2 + s2^2) / 2), above which two normal laws are separate. */
const MIN_SEPARATION = 2;

/** Steps of expectation and maximisation, and the shares of lower values that they begin with. */
const STEPS = 200;
const LOWER_SHARES = [0.5, 0.7, 0.85];

/** In units of the deviation of all values: what is added to that of each law, and its least: few values lie close together by chance. */
const ADDED_DEVIATION = 0.02;
const MIN_DEVIATION = 0.2;

/** Of each law, its share of all values rounded: a single value is no population. */
const MIN_VALUES = 2;

/** Parameters of a normal law, and of a mixture of two. */
const PARAMETERS = { one: 2, two: 5 } as const;

/** In units of its deviation. */
const ONE: Normal = { mean: 0, deviation: 1, share: 1 };

/** A normal law of a mixture. */
export interface Normal {
  readonly mean: number;
  readonly deviation: number;
  /** Of all values. */
  readonly share: number;
}

/** The laws of two populations, the lower one first; undefined where the values look like those of one, or are fewer than seven. */
export function twoPopulationsOf(values: readonly number[]): readonly [lower: Normal, upper: Normal] | undefined {
  const units = standardised(values);
  if (units === undefined || values.length <= PARAMETERS.two + 1) return undefined;
  const { sorted, mean, deviation } = units;
  const isLikelier = (one: readonly Normal[], other: readonly Normal[]) =>
    logLikelihood(sorted, one) > logLikelihood(sorted, other);
  const laws = LOWER_SHARES.map((share) => mixtureOf(sorted, share))
    .filter((fit) => fit.every(({ share }) => Math.round(share * values.length) >= MIN_VALUES))
    .reduce<[Normal, Normal] | undefined>((best, fit) => (best && !isLikelier(fit, best) ? best : fit), undefined);
  if (laws === undefined || !areBelieved(sorted, laws)) return undefined;
  const [low, high] = laws
    .map((law) => ({ ...law, mean: mean + deviation * law.mean, deviation: deviation * law.deviation }))
    .sort((a, b) => a.mean - b.mean);
  return [low, high];
}

function areBelieved(units: readonly number[], laws: readonly [Normal, Normal]): boolean {
  const [low, high] = laws;
  const separation = Math.abs(high.mean - low.mean) / Math.sqrt((low.deviation ** 2 + high.deviation ** 2) / 2);
  const count = units.length;
  const penalty = (parameters: number) => (parameters * Math.log(count) * count) / (count - parameters - 1);
  const gain = logLikelihood(units, laws) - logLikelihood(units, [ONE]);
  return separation > MIN_SEPARATION && 2 * gain > penalty(PARAMETERS.two) - penalty(PARAMETERS.one);
}

/** In units of their deviation from their mean, in order; undefined where they do not differ. */
function standardised(
  values: readonly number[],
): { readonly sorted: number[]; readonly mean: number; readonly deviation: number } | undefined {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
  if (!(deviation > 0)) return undefined;
  return { sorted: values.map((v) => (v - mean) / deviation).sort((a, b) => a - b), mean, deviation };
}

/** The normal law of values that count by their weights. */
function weighted(values: readonly number[], weightOf: (value: number, i: number) => number): Normal {
  let [weight, sum] = [1e-9, 0];
  values.forEach((v, i) => {
    weight += weightOf(v, i);
    sum += weightOf(v, i) * v;
  });
  const mean = sum / weight;
  const square = values.reduce((all, v, i) => all + weightOf(v, i) * (v - mean) ** 2, 0);
  return {
    mean,
    deviation: Math.max(Math.sqrt(square / weight) + ADDED_DEVIATION, MIN_DEVIATION),
    share: weight / values.length,
  };
}

function mixtureOf(sorted: readonly number[], lowerShare: number): [Normal, Normal] {
  const cut = sorted[Math.floor(lowerShare * (sorted.length - 1))];
  const side = (isLower: boolean) => weighted(sorted, (v) => (v <= cut === isLower ? 1 : 0));
  let laws: [Normal, Normal] = [side(true), side(false)];
  for (let step = 0; step < STEPS; step++) {
    const [low, high] = laws;
    const ofLow = sorted.map((v) => density(low, v) / Math.max(density(low, v) + density(high, v), Number.MIN_VALUE));
    laws = [weighted(sorted, (_, i) => ofLow[i]), weighted(sorted, (_, i) => 1 - ofLow[i])];
  }
  return laws;
}

function logLikelihood(values: readonly number[], laws: readonly Normal[]): number {
  return values.reduce((sum, v) => {
    const likelihood = laws.reduce((all, law) => all + density(law, v), 0);
    return sum + Math.log(Math.max(likelihood, Number.MIN_VALUE));
  }, 0);
}

/** The density of a law of a mixture, times its share. */
export function density({ mean, deviation, share }: Normal, value: number): number {
  return (share / deviation) * Math.exp(-0.5 * ((value - mean) / deviation) ** 2);
}
