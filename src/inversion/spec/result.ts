/** How an inversion ended, and the sentence for it. */

/**
 * How an inversion ended. 'stationary': the gradient in z has all but vanished (`ContinuationSchedule.stationary`); 'converged': the loss
 * stopped falling before that.
 */
export type ResultCode = 'stationary' | 'converged' | 'step-limit' | 'diverged' | 'interrupted';

/** The sentence for each code. */
export const RESULT_SENTENCES: Readonly<Record<ResultCode, string>> = {
  stationary: 'A stationary point was reached.',
  converged: 'The loss stopped falling.',
  'step-limit': 'The step limit was reached.',
  diverged: 'The loss became infinite or NaN: lower the learning rate, or check that the picture is in [-1,1].',
  interrupted: 'Stopped before the end; the state can be saved and resumed.',
};

/** The sentence for tuned weights that are not part of the result: z and weights are those that the search without tuning found. */
export const TUNING_DISCARDED =
  'Tuning the weights did not lower the loss of the visible pixels: the generator is used as it was.';
