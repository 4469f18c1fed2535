/**
 * Corruption comes in regions, or in single pixels: an Ising model of the mask, P(m_p = 1 | neighbours) = sigmoid(h + beta n_p) with n_p in [-1,1]
 * the mean of 2m - 1 over the eight neighbours. Its two numbers are those of the greatest pseudo-likelihood (Besag 1975).
 */

/** Newton's steps are no longer than this. */
const MAX_STEP = 2;

function bounded(step: number): number {
  return Math.max(-MAX_STEP, Math.min(MAX_STEP, step));
}

export interface Ising {
  /** Log-odds of corruption where the neighbours disagree. */
  readonly field: number;
  /** What agreement of all neighbours adds. */
  readonly coupling: number;
}

/** Weight of a diagonal neighbour, as its distance has it. */
const DIAGONAL = Math.SQRT1_2;

/** n_p of probabilities `q`, [H,W]: the weighted mean of 2q - 1 over the neighbours that lie inside. */
export function neighbourMean(q: Float64Array, height: number, width: number): Float64Array {
  const mean = new Float64Array(q.length);
  for (let y = 0, p = 0; y < height; y++) {
    for (let x = 0; x < width; x++, p++) {
      let [sum, weight] = [0, 0];
      for (let dy = y > 0 ? -1 : 0; dy <= (y < height - 1 ? 1 : 0); dy++) {
        for (let dx = x > 0 ? -1 : 0; dx <= (x < width - 1 ? 1 : 0); dx++) {
          if (dx === 0 && dy === 0) continue;
          const w = dx !== 0 && dy !== 0 ? DIAGONAL : 1;
          sum += w * q[p + dy * width + dx];
          weight += w;
        }
      }
      mean[p] = (2 * sum) / weight - 1;
    }
  }
  return mean;
}

/** Logistic regression of the mask on its neighbours, by Newton's method, with `count` pixels of each kind where neighbours disagree as a prior. */
export function fitIsing(
  before: Ising,
  q: Float64Array,
  neighbours: Float64Array,
  open: Uint8Array,
  { maxCoupling, count }: { readonly maxCoupling: number; readonly count: number },
): Ising {
  let { field, coupling } = before;
  for (let round = 0; round < 4; round++) {
    // The prior: half a pixel of each kind at n = -1 and n = 1.
    let [g0, g1, h00, h01, h11] = [0, 0, 0, 0, 0];
    const add = (weight: number, label: number, n: number) => {
      const s = 1 / (1 + Math.exp(-field - coupling * n));
      const slope = weight * s * (1 - s);
      g0 += weight * (label - s);
      g1 += weight * (label - s) * n;
      h00 += slope;
      h01 += slope * n;
      h11 += slope * n * n;
    };
    for (const n of [-1, 1]) for (const label of [0, 1]) add(0.5, label, n);
    for (const n of [-0.5, 0, 0.5]) add(count, 0, n);
    for (let p = 0; p < q.length; p++) if (open[p] === 1) add(1, q[p], neighbours[p]);
    const determinant = h00 * h11 - h01 * h01;
    const wanted = coupling + bounded((h00 * g1 - h01 * g0) / determinant);
    coupling = Math.max(0, Math.min(maxCoupling, wanted));
    // At a bound of the coupling the field moves alone.
    field += bounded(coupling === wanted ? (h11 * g0 - h01 * g1) / determinant : g0 / h00);
  }
  return { field, coupling };
}

/** q after `sweeps` of mean field: logit q_p = h + beta n_p + the evidence of the pixel itself. */
export function meanField(
  { field, coupling }: Ising,
  q: Float64Array,
  evidence: Float64Array,
  { open, given, height, width }: { open: Uint8Array; given: Uint8Array; height: number; width: number },
  sweeps: number,
): Float64Array {
  let now = q;
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const neighbours = neighbourMean(now, height, width);
    now = now.map((_, p) =>
      open[p] === 1 ? 1 / (1 + Math.exp(-field - coupling * neighbours[p] - evidence[p])) : given[p],
    );
  }
  return now;
}
