/**
 * RGI and its relatives as M-estimators: min over z of the sum over pixels of rho(x - G(z)). Put back, the exact mask makes
 * RGI one of them. Each is set by one number, the residual t at which its rho leaves the convex loss it
 * begins as; r is a pixel's residual over the C channels, R = sum r^2, A = sum |r|:
 *
 *   squares          R
 *   absolute         A
 *   Huber            sum of r^2/2 up to |r| = t, then t|r| - t^2/2: the residuals are Winsorised at t in the normal equations
 *   truncated        min(R, lambda), lambda = C t^2: the residuals are Winsorised in the loss
 *   RGI, squares     R up to lambda/2, then lambda - lambda^2/(4R), lambda = 2C t^2: bounded and smooth, as Geman-McClure's
 *   RGI, absolute    min(A, lambda), lambda = C t: truncated absolute residuals
 *   RGI, Huber       Huber's with its bend at t/2, bounded from t on
 */
import { ADAM, type Formulation, lambdaOf, type MaskForm, type PixelTerm } from '../inversion/spec/formulation.ts';

export type EstimatorName = 'squares' | 'absolute' | 'huber' | 'truncated' | 'rgi-l2' | 'rgi-l1' | 'rgi-huber';

export interface Estimator {
  readonly name: EstimatorName;
  readonly label: string;
  /** What is compiled for the threshold `grey`, in grey levels. */
  formulation(grey: number): Formulation;
  /** The lambda of that threshold on C channels; 0 where nothing is masked. */
  lambda(grey: number, channels: number): number;
}

const L2: PixelTerm = { kind: 'l2', weight: 1 };
const L1: PixelTerm = { kind: 'l1', weight: 1 };
const NONE: MaskForm = { form: 'none' };
const EXACT: MaskForm = { form: 'exact', shared: true };

const huber = (grey: number): PixelTerm => ({ kind: 'huber', weight: 1, delta: grey / 127.5 });

export const ESTIMATORS: Readonly<Record<EstimatorName, Estimator>> = {
  squares: unmasked('squares', 'least squares', () => L2),
  absolute: unmasked('absolute', 'least absolute', () => L1),
  huber: unmasked('huber', 'Huber (Winsorised)', huber),
  truncated: {
    name: 'truncated',
    label: 'truncated squares',
    formulation: () => formulation(L2, { ...EXACT, binary: true }),
    lambda: (grey, channels) => channels * (grey / 127.5) ** 2,
  },
  'rgi-l2': bounded('rgi-l2', 'RGI, squares', () => L2),
  'rgi-l1': bounded('rgi-l1', 'RGI, absolute', () => L1),
  'rgi-huber': bounded('rgi-huber', 'RGI, Huber', (grey) => huber(grey / 2)),
};

function unmasked(name: EstimatorName, label: string, loss: (grey: number) => PixelTerm): Estimator {
  return { name, label, formulation: (grey) => formulation(loss(grey), NONE), lambda: () => 0 };
}

function bounded(name: EstimatorName, label: string, loss: (grey: number) => PixelTerm): Estimator {
  return {
    name,
    label,
    formulation: (grey) => formulation(loss(grey), EXACT),
    lambda: (grey, channels) => lambdaOf(grey, loss(grey), channels),
  };
}

export function formulation(loss: PixelTerm, mask: MaskForm): Formulation {
  return { loss: [loss], reduction: 'sum', mask, priors: [], optimiser: ADAM, weightGroups: [] };
}
