/** One story of a picture, in the terminal, lists, page and overlay: good, marked but under the picture's limit, or defective. */

/** 'marked': has regions, and its score is under the limit of a picture. */
export type Verdict = 'good' | 'marked' | 'defective';

/** The verdict on a picture of these regions. */
export function verdictOf(defective: boolean, regions: number): Verdict {
  if (defective) return 'defective';
  return regions > 0 ? 'marked' : 'good';
}

/** What is shown for each. */
export const VERDICT_WORDS: Readonly<Record<Verdict, string>> = {
  good: 'good',
  marked: 'marked, under the limit',
  defective: 'defective',
};
