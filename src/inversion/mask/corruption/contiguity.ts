/**
 * Corruption comes in regions or in single pixels: an Ising model of the mask, P(m_p = 1 | neighbours) = sigmoid(h + beta n_p), with n_p in [-1,1]
 * the mean of 2m - 1 over the eight neighbours. h and beta are those of the greatest pseudo-likelihood (Besag 1975), found by
 * Newton's method.
 */
import { type Lattice, neighbourMean } from './lattice.ts';

/** The two numbers of the prior. */
export interface Ising {
  /** h: log-odds of corruption where the neighbours disagree. */
  readonly field: number;
  /** beta: what agreement of all neighbours adds. */
  readonly coupling: number;
}

/** How long a step of Newton's may be; there is one in each round. */
const MAX_STEP = 2;

/**
 * A step towards the prior that fits probabilities `q`, [H,W], where the mask is `open`; beta lies in [0, maxCoupling]. `intact`: pixels that the
 * picture is taken to have, beside its own, that are intact though half of their neighbours, or one or three quarters, are corrupted.
 */
export function fitIsing(
  before: Ising,
  q: Float64Array,
  open: Uint8Array,
  lattice: Lattice,
  { maxCoupling, intact }: { readonly maxCoupling: number; readonly intact: number },
): Ising {
  const neighbours = neighbourMean(q, lattice);
  const { field, coupling } = before;
  const sums = firstSums(before, intact);
  addPixels(sums, before, q, neighbours, open);
  const [g0, g1, h00, h01, h11] = sums;
  const determinant = h00 * h11 - h01 * h01;
  const wanted = coupling + bounded((h00 * g1 - h01 * g0) / determinant);
  const next = Math.max(0, Math.min(maxCoupling, wanted));
  // Where beta is at a bound, h moves alone.
  return { field: field + bounded(next === wanted ? (h11 * g0 - h01 * g1) / determinant : g0 / h00), coupling: next };
}

/** The gradient (2 numbers) and the curvature (3) of the pseudo-likelihood by what is taken to be beforehand. */
function firstSums(at: Ising, intact: number): Float64Array {
  const sums = new Float64Array(5);
  // Half a pixel of each kind at both ends keeps the numbers finite.
  for (const n of [-1, 1]) for (const label of [0, 1]) add(sums, at, 0.5, label, n);
  for (const n of [-0.5, 0, 0.5]) add(sums, at, intact, 0, n);
  return sums;
}

function add(sums: Float64Array, { field, coupling }: Ising, weight: number, label: number, n: number): void {
  const s = 1 / (1 + Math.exp(-field - coupling * n));
  const slope = weight * s * (1 - s);
  sums[0] += weight * (label - s);
  sums[1] += weight * (label - s) * n;
  sums[2] += slope;
  sums[3] += slope * n;
  sums[4] += slope * n * n;
}

function addPixels(sums: Float64Array, at: Ising, q: Float64Array, neighbours: Float64Array, open: Uint8Array): void {
  const { field, coupling } = at;
  let [g0, g1, h00, h01, h11] = sums;
  for (let p = 0; p < q.length; p++) {
    if (open[p] === 0) continue;
    const n = neighbours[p];
    const s = 1 / (1 + Math.exp(-field - coupling * n));
    const slope = s * (1 - s);
    const error = q[p] - s;
    g0 += error;
    g1 += error * n;
    h00 += slope;
    h01 += slope * n;
    h11 += slope * n * n;
  }
  sums.set([g0, g1, h00, h01, h11]);
}

function bounded(step: number): number {
  return Math.max(-MAX_STEP, Math.min(MAX_STEP, step));
}

/** q after `sweeps` of mean field: logit q_p = h + beta n_p + the evidence of the pixel itself, where the mask is open. */
export function meanField(
  { field, coupling }: Ising,
  q: Float64Array,
  evidence: Float64Array,
  { open, given, lattice }: { readonly open: Uint8Array; readonly given: Uint8Array; readonly lattice: Lattice },
  sweeps: number,
): Float64Array {
  let now = q;
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const next = neighbourMean(now, lattice);
    for (let p = 0; p < next.length; p++) {
      next[p] = open[p] === 1 ? 1 / (1 + Math.exp(-field - coupling * next[p] - evidence[p])) : given[p];
    }
    now = next;
  }
  return now;
}
