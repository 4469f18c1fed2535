/** How an inversion ended, and the sentence for it. */

/** How an inversion ended. */
export type ResultCode = 'solved' | 'converged' | 'step-limit' | 'diverged' | 'interrupted' | 'not-restored';

/** The sentence for each code. */
export const RESULT_SENTENCES: Readonly<Record<ResultCode, string>> = {
  solved:
    'Solved exactly: the generator is linear, so the best latent for the mask is the solution of a linear system.',
  converged: 'The loss stopped falling.',
  'step-limit': 'The step limit was reached.',
  diverged: 'The loss became infinite or NaN: lower the learning rate, or check that the picture is in [-1,1].',
  'not-restored':
    'The generator makes nothing like this picture, or too little of it is intact. Check that the generator is of this kind of picture, and that the picture is cropped as those it was trained on.',
  interrupted: 'Stopped before the end; the state can be saved and resumed.',
};
