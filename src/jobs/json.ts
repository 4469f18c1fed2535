/** JSON that others may have written or edited: of runs, of a model's metadata. */

/** What we write nests less than ten deep; what nests without end is read by no recursion. */
const MAX_DEPTH = 64;

/** The value of a text; undefined where it is no JSON, or nested deeper than anything we write. */
export function jsonOf(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return depthIsAtMost(value, MAX_DEPTH) ? value : undefined;
  } catch {
    return undefined;
  }
}

function depthIsAtMost(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((member) => depthIsAtMost(member, depth - 1));
}
