/** A calibration with its defaults filled in, and how pictures are restored in it: what its steps share. */
import { RgiError } from '../errors.ts';
import type { Image } from '../images/image.ts';
import type { Generator } from '../inversion/generator/generator.ts';
import type { Graph } from '../onnx/graph.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Restored } from './folds.ts';
import { type InversionSettings, latentLength } from './inverter.ts';
import type { PolicySettings } from './policy.ts';
import type { Projection } from './projection.ts';
import { openRestorer } from './restorer.ts';

/** What a calibration tries, and on how much. */
export interface CalibrationSearch {
  /** Pictures, at most, that inspection settings are compared on; default 24. More cost time and tell smaller differences. */
  readonly comparedOn: number;
  /** Searches per picture that compete where no encoder gives the start; default 4. The policy stores it. */
  readonly starts: number;
  /**
   * Weights of the Gaussian prior, as multiples of what independent residuals would call for; default 1, 5, 25, 0.2. They are not
   * independent: larger ones draw less detail. The first is tried, then the next ones while they are better; where the second is
   * not, the last one.
   */
  readonly priorStrengths: readonly number[];
  /** Share of the pixels of good pictures that the search may mask, in (0,1); default 0.01. It gives `thresholdGrey`. */
  readonly maskedShare: number;
  /**
   * Of a generator that is affine in its latents, which needs no search: residuals, in grey levels, from which pixels are masked; default 20,
   * 10, 40, 80. With the first one all inspection settings are compared, with the others the best so far.
   */
  readonly maskGreys: readonly number[];
  /** Rounds of finding the mask in closed form; default 8. */
  readonly rounds: number;
}

/** Numbers of training pictures that are used for statistics of residuals, and of features. */
export const LEARNT = { residuals: 96, features: 1000 } as const;

export const CALIBRATION_SEARCH: CalibrationSearch = {
  comparedOn: 24,
  starts: 4,
  priorStrengths: [1, 5, 25, 0.2],
  maskedShare: 0.01,
  maskGreys: [20, 10, 40, 80],
  rounds: 8,
};

export interface CalibrationSetup extends CalibrationSearch {
  readonly form: PolicySettings['form'];
  /** Pictures that the generator has not learnt from, [1,C,H,W], and some that it has. */
  readonly unseen: readonly Image[];
  readonly seen: readonly Image[];
  readonly groups?: readonly number[];
  readonly steps: number;
  readonly seed: number;
  /** Numbers in a picture's latents, by which the prior's weight is scaled; 0 where the law of the latents has no Gaussian prior. */
  readonly priorLength: number;
  /** Is the generator inverted in closed form? */
  readonly isClosed: boolean;
  restore(settings: InversionSettings, images: readonly Image[], onDone?: (share: number) => void): Promise<Restored[]>;
  report(share: number, what: string): void;
}

interface RestoringOptions {
  readonly generator: Generator;
  readonly encoder?: Graph;
  readonly form: PolicySettings['form'];
  readonly stride: number;
  readonly projection?: Projection;
  readonly signal?: AbortSignal;
}

/** Restores pictures by any settings; each call opens a restorer of its own, since a step graph has its settings built in; a projection has not. */
export function restoringWith(options: RestoringOptions, runtime: Runtime): CalibrationSetup['restore'] {
  return async (settings, images, onDone) => {
    const restorer = await openRestorer({ ...options, settings }, runtime);
    try {
      const restored = await restorer.restore(images, onDone);
      return images.map((image, i) => ({ image, restored: restored[i] }));
    } finally {
      await restorer.dispose();
    }
  };
}

/** `latentLength` for a law that a Gaussian prior goes with, else 0. */
export function priorLengthOf(generator: Generator, law: string): number {
  return law === 'normal' ? latentLength(generator) : 0;
}

/** The groups of the pictures `indices`, where groups are known. */
export function groupsOf({ groups }: CalibrationSetup, indices: readonly number[]): number[] | undefined {
  return groups && indices.map((i) => groups[i]);
}

/** Throws `input` for fewer than `least` pictures; `better` is the number to recommend. */
export function checkPictureCount(count: number, least: number, better: number): void {
  if (count >= least) return;
  throw new RgiError(
    'input',
    `${count} held-out good pictures are too few for calibration; at least ${least} are needed, and ${better} are better.`,
  );
}
