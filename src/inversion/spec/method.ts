/**
 * The common shape of the inversion methods. A method is plain data and two small functions: stages of optimisation, each
 * with its formulation and its controls per step. `solver.ts` runs any of them: init, step, terminate, finish.
 */

import type { Tensor } from '../../onnx/tensor.ts';
import type { Controls, Formulation } from './formulation.ts';
import type { ResultCode } from './result.ts';
import type { StartRule } from './start-rule.ts';

/** All methods, ours first. */
export const METHOD_NAMES = ['rgi', 'rrgi', 'yeh', 'dgp', 'anogan', 'invert'] as const;

/** The methods by name. */
export type MethodName = (typeof METHOD_NAMES)[number];

/** Does a method exist with the true mask only, with and without it, or does it not use one? */
export type MaskUse = 'needed' | 'optional' | 'unused';

/** What one image's search looks like so far. */
export interface Progress {
  readonly step: number;
  /** The objective at each step, and L_rec at the last. */
  readonly loss: readonly number[];
  readonly fidelity: number;
  /** Of L-BFGS: the gradient's norm as a share of the largest met so far. */
  readonly gradientNorm?: number;
}

/** A part of a method's run: one formulation, minimised for a number of steps. */
export interface Stage {
  /** For reports. */
  readonly name: string;
  /** What is minimised; compiled once. */
  readonly formulation: Formulation;
  /** Steps at most; `terminate` may end an image's search before. */
  readonly steps: number;
  /**
   * The threshold's lambda from grey levels. If given, this stage measures each image's own residuals at its start, and
   * from then on lambda does not fall below what they call for (`noise.ts`).
   */
  lambdaOfThreshold?(thresholdGrey: number): number;
  /**
   * Is the mask of this stage, and of later ones whose mask is 'given', what has been found by its start (`foundMasks`)? Where the
   * user gives the mask, that one stays.
   */
  readonly freezesMask?: boolean;
  /** Does L-BFGS keep what it knows of the curvature from the stage before? */
  readonly warmStart?: boolean;
  /** Does it lead from any start to a good one? A search that goes on from an earlier result begins after it (`goingOn`). */
  readonly isApproach?: boolean;
  /** Searches per image run side by side; the best by loss go on to the next stage. */
  readonly starts: number;
  /** The numbers of step t = 0, 1, ... of this stage. */
  controls(t: number): Controls;
  /** Asked after each step, per image; a code stops that image. */
  terminate?(progress: Progress): ResultCode | undefined;
}

/** Do pictures' own residuals set the threshold of their masks? */
export function isAdaptive(method: Method): boolean {
  return method.stages.some((stage) => stage.lambdaOfThreshold !== undefined);
}

/** Does the stage change the generator's weights? */
export function stageTunesWeights({ formulation }: Stage): boolean {
  return formulation.weightGroups.flat().length > 0;
}

/** Does the method tune the generator's weights, separately for each picture? */
export function tunesWeights(method: Method): boolean {
  return method.stages.some(stageTunesWeights);
}

/** The method for searches that begin at the latents of an earlier result. */
export function goingOn(method: Method): Method {
  return { ...method, stages: method.stages.filter(({ isApproach }) => !isApproach) };
}

/** Does it look for pixels without data beforehand? */
export function looksForMissing(method: Method): boolean {
  return method.stages.some(({ formulation: { mask } }) => mask.form === 'exact' && mask.missing);
}

/** Does it ask a discriminator how real a picture is? */
export function usesScore(method: Method): boolean {
  return method.stages.some((stage) =>
    stage.formulation.priors.some((prior) => prior.kind === 'critic' || prior.kind === 'logistic'),
  );
}

/** Does it compare a second network's features? */
export function usesFeatures(method: Method): boolean {
  return method.stages.some((stage) => stage.formulation.loss.some((term) => term.kind === 'feature'));
}

/** An inversion method as data; `rgi`, `rrgi`, `yeh`, `dgp`, `anogan` and `invert` make it. */
export interface Method {
  /** Which method it is. */
  readonly name: MethodName;
  /** Does it need the true mask? */
  readonly needsMask: boolean;
  /** What a mask [n,1,H,W] keeps of each pixel; 1 - mask if not given (Yeh et al. weight the known pixels). */
  visibilityOf?(mask: Tensor): Tensor;
  /** How the first latents are chosen. */
  readonly start: StartRule;
  /** In the order in which they are run. */
  readonly stages: readonly Stage[];
}

/** One of several starts that compete may be an encoder's. */
export function takesEncoder({ stages, start }: Method): boolean {
  return stages[0].starts > 1 && start.distance.kind !== 'loss';
}
