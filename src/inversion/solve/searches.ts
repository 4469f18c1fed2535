/** Which of the searches side by side go on. */

/** For each of n images the `count` searches of least loss, as indices into all searches; NaN counts as worst. */
export function bestSearches(loss: Float32Array, n: number, count: number): number[] {
  const perImage = loss.length / n;
  return Array.from({ length: n }, (_, image) => {
    const own = Array.from({ length: perImage }, (_, j) => image * perImage + j);
    const cost = (i: number) => (Number.isFinite(loss[i]) ? loss[i] : Number.POSITIVE_INFINITY);
    return own.sort((a, b) => cost(a) - cost(b)).slice(0, count);
  }).flat();
}
