/** Signals that ask a program to end; the current work is finished first. */

/** Ctrl-C, the request of a system that shuts down, and the end of a terminal session. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Exit code of a run that can be resumed. */
const INTERRUPTED = 3;

/**
 * A signal that is aborted by the first of them; `onFirst` may say so. A second Ctrl-C ends the process at once: what is finished is
 * in the journal, and nothing half-written has its name.
 */
export function interruption(onFirst: () => void = () => {}): AbortSignal {
  const controller = new AbortController();
  for (const name of SIGNALS) {
    process.on(name, () => {
      if (!controller.signal.aborted) {
        controller.abort();
        onFirst();
      } else if (name === 'SIGINT') process.exit(INTERRUPTED);
    });
  }
  return controller.signal;
}
