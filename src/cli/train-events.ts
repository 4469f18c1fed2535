/** How a training run is shown in a terminal. */
import type { RunEvent } from '../gan/node/events.ts';
import { type Io, say } from './io.ts';
import { duration, progressLine } from './progress.ts';

/** Progress on one line; what should stay (coverage, notes, broken pictures) on lines of its own. */
export function eventsTo(
  io: Io,
  flags: { readonly quiet?: boolean },
): { event: (event: RunEvent) => void; done: () => void } {
  const line = progressLine(io, flags.quiet ?? false);
  const keep = (text: string) => {
    line.clear();
    if (!flags.quiet) say(io, text);
  };
  return {
    done: () => line.clear(),
    event(event) {
      if (event.kind === 'loading') return line.show(event.done, event.total, `reading picture ${event.done}`);
      if (event.kind === 'screening') return line.show(event.share, 1, 'comparing pictures');
      if (event.kind === 'broken') return keep(`skipped: ${event.picture.reason}`);
      if (event.kind === 'note') return keep(`note: ${event.text}`);
      if (event.kind === 'coverage') {
        const { step, median, worst, block } = event.point;
        const best = event.best ? '; best so far, models written' : '';
        const left = event.secondsLeft > 0 ? `; ${duration(event.secondsLeft)} left` : '';
        return keep(
          `step ${step}: coverage ${median.toFixed(1)} dB (median), ${worst.toFixed(1)} (worst), hidden centre ${block.toFixed(1)} dB${best}${left}`,
        );
      }
      const { step, steps, losses, secondsLeft } = event;
      const error = losses.reconstruction === undefined ? '' : `, error ${losses.reconstruction.toFixed(4)}`;
      line.show(step, steps, `step ${step} of ${steps}, ${duration(secondsLeft)} left${error}`);
    },
  };
}
