/**
 * Are values of one population or of two? A normal law and a mixture of two are fitted. Two are believed where the Bayesian information
 * criterion prefers them (Schwarz 1978) and their means are far enough apart for two peaks (Ashman, Bird and Zepf 1994).
 */

/** Ashman's D = |m1 - m2| / sqrt((s1^2 + s2^2) / 2), above which two normal laws are separate. */
const MIN_SEPARATION = 2;

/** Steps of expectation and maximisation, and the shares of lower values that they begin with. */
const STEPS = 200;
const LOWER_SHARES = [0.5, 0.7, 0.85];

/** Added to deviations, in units of that of all values: a law must not shrink to a single value. */
const MIN_DEVIATION = 0.02;

/** In units of its deviation. */
const ONE: Normal = { mean: 0, deviation: 1, share: 1 };

interface Normal {
  readonly mean: number;
  readonly deviation: number;
  /** Of all values. */
  readonly share: number;
}

/** Do the values look like two populations? */
export function areTwoPopulations(values: readonly number[]): boolean {
  const units = standardised(values);
  if (units === undefined) return false;
  const fits = LOWER_SHARES.map((share) => mixtureOf(units, share));
  const [low, high] = fits.reduce((best, fit) => (logLikelihood(units, fit) > logLikelihood(units, best) ? fit : best));
  const separation = Math.abs(high.mean - low.mean) / Math.sqrt((low.deviation ** 2 + high.deviation ** 2) / 2);
  const gain = logLikelihood(units, [low, high]) - logLikelihood(units, [ONE]);
  // A mixture has three parameters more.
  return separation > MIN_SEPARATION && 2 * gain > 3 * Math.log(units.length);
}

/** In units of their deviation from their mean, in order; undefined where they do not differ. */
function standardised(values: readonly number[]): number[] | undefined {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
  return deviation > 0 ? values.map((v) => (v - mean) / deviation).sort((a, b) => a - b) : undefined;
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
  return { mean, deviation: Math.sqrt(square / weight) + MIN_DEVIATION, share: weight / values.length };
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

/** Of a law of a mixture, times its share. */
function density({ mean, deviation, share }: Normal, value: number): number {
  return (share / deviation) * Math.exp(-0.5 * ((value - mean) / deviation) ** 2);
}
