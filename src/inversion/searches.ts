/** Which of the searches side by side go on, and which stages they still need. */
import type { Method } from './method.ts';

/** For each of n images the `count` searches of least loss, as indices into all searches; NaN counts as worst. */
export function bestSearches(loss: Float32Array, n: number, count: number): number[] {
  const perImage = loss.length / n;
  return Array.from({ length: n }, (_, image) => {
    const own = Array.from({ length: perImage }, (_, j) => image * perImage + j);
    const cost = (i: number) => (Number.isFinite(loss[i]) ? loss[i] : Number.POSITIVE_INFINITY);
    return own.sort((a, b) => cost(a) - cost(b)).slice(0, count);
  }).flat();
}

/** For each stage, is it of use for each of n images? Where nothing is masked nobody has asked, and it is. */
export function wantedStages(method: Method, misfits: readonly number[] | undefined, n: number): boolean[][] {
  return method.stages.map((stage) =>
    Array.from({ length: n }, (_, image) => !stage.isWanted || !misfits || stage.isWanted(misfits[image])),
  );
}
