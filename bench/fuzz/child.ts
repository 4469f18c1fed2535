/** A process of `npm run bench -- fuzz`: reads a slice, and tells its parent of each input when it begins and how it ended. */
import { type KindName, runSlice } from './slice.ts';

const [kind, seed, from, to] = process.argv.slice(2);
const tell = (message: object) => process.send?.(message);

await runSlice(kind as KindName, Number(seed), [Number(from), Number(to)], {
  onStart: (start) => tell({ start }),
  onEnd: (outcome) => tell({ ...outcome, peak: 1024 * process.resourceUsage().maxRSS }),
});
process.disconnect?.();
