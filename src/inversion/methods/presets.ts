/**
 * The reference recipe's numbers (from the authors' released code), by preset:
 * `paper` = its CelebA settings, `paper-l1` = its cars settings, `paper-detect` = its anomaly settings.
 */
import type { PixelTerm } from '../spec/formulation.ts';
import type { StartRule } from '../spec/start-rule.ts';

/** The authors' released settings: for CelebA, for cars, for anomalies. */
export type PaperPreset = 'paper' | 'paper-l1' | 'paper-detect';

/** `fast` is our RGI, the default; `best` is our R-RGI, which begins with the same search. */
export type OwnPreset = 'fast' | 'best';
/** All presets of rgi and rrgi by name. */
export type Preset = OwnPreset | PaperPreset;

/** All presets, ours first. */
export const PRESETS: readonly Preset[] = ['fast', 'best', 'paper', 'paper-l1', 'paper-detect'];

/** The numbers of one of the authors' recipes. */
export interface PaperSettings {
  /** The pixel loss, summed over the image. */
  readonly loss: PixelTerm;
  /** Weight of ||M||_1, per channel of a three-channel mask. */
  readonly lambda: number;
  /** M starts from ones (everything suspect) or zeros */
  readonly initialMask: number;
  /** Steps of Adam in all. */
  readonly steps: number;
  /** R-RGI: the step from which theta moves */
  readonly weightsFrom: number;
  /** R-RGI: does M stop when theta starts? */
  readonly freezeMask: boolean;
  /** weight of -D(G(z)), where there is a discriminator */
  readonly critic: number;
}

/** The authors' recipes, from their released code. */
export const PAPER: Readonly<Record<PaperPreset, PaperSettings>> = {
  paper: {
    loss: { kind: 'l2', weight: 1 },
    lambda: 0.07,
    initialMask: 1,
    steps: 2000,
    weightsFrom: 1500,
    freezeMask: true,
    critic: 10,
  },
  'paper-l1': {
    loss: { kind: 'l1', weight: 1 },
    lambda: 0.9,
    initialMask: 1,
    steps: 3000,
    weightsFrom: 1500,
    freezeMask: false,
    critic: 0,
  },
  'paper-detect': {
    loss: { kind: 'l2', weight: 1 },
    lambda: 0.4,
    initialMask: 0,
    steps: 2000,
    weightsFrom: 500,
    freezeMask: false,
    critic: 0.1,
  },
};

/** The paper's presets have settings that ours do not, and the reverse. */
export function isOwnPreset(preset: Preset): preset is OwnPreset {
  return preset === 'fast' || preset === 'best';
}

/** The reference's learning rates. */
export const PAPER_RATES = { latent: 0.1, mask: 0.1, weights: 1e-5 } as const;

/** The reference's choice of the start: the best of 1000 by plain L2 on the whole corrupted image. */
export function paperStart(seed: number): StartRule {
  return { pool: 1000, distance: { kind: 'l2' }, seed };
}
