/** How an inversion ended, and the sentence for it. */

/**
 * How an inversion ended. 'solved': by the solution of a linear system; 'stationary': the gradient in z has all but vanished
 * (`ContinuationSchedule.stationary`); 'converged': the loss stopped falling before that.
 */
export type ResultCode =
  | 'solved'
  | 'stationary'
  | 'converged'
  | 'step-limit'
  | 'diverged'
  | 'interrupted'
  | 'not-restored';

/** The sentence for each code. */
export const RESULT_SENTENCES: Readonly<Record<ResultCode, string>> = {
  solved:
    'Solved exactly: the generator is linear, so the best latent for the mask is the solution of a linear system.',
  stationary: 'A stationary point was reached.',
  converged: 'The loss stopped falling.',
  'step-limit': 'The step limit was reached.',
  diverged: 'The loss became infinite or NaN: lower the learning rate, or check that the picture is in [-1,1].',
  'not-restored':
    'The generator makes nothing like this picture, or too little of it is intact. Check that the generator is of this kind of picture, and that the picture is cropped as those it was trained on.',
  interrupted: 'Stopped before the end; the state can be saved and resumed.',
};

/** The sentence for tuned weights that are not part of the result: z and weights are those that the search without tuning found. */
export const TUNING_DISCARDED =
  'Tuning the weights did not lower the loss of the visible pixels: the generator is used as it was.';
