/** From errors to exit codes and sentences: 0 done, 1 check failed, 2 usage or input, 3 interrupted, 4 partly. */
import { type ErrorCode, messageOf, RgiError } from '../errors.ts';
import { type Io, printJson, say } from './io.ts';

export const EXIT = { done: 0, check: 1, unusable: 2, interrupted: 3, partly: 4 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What exit codes mean, for the end of a help text. `interrupted`: what holds then. */
export function exitCodesHelp(interrupted: string): string {
  return `Exit codes:
  0  done
  1  a check failed, or a result is out of tolerance
  2  wrong usage, or an input, model or device that cannot be used
  3  interrupted; ${interrupted}
  4  some inputs failed, the others are done`;
}

const CODES: Readonly<Record<ErrorCode, ExitCode>> = {
  usage: EXIT.unusable,
  input: EXIT.unusable,
  model: EXIT.unusable,
  'unsupported-operator': EXIT.unusable,
  device: EXIT.unusable,
  runtime: EXIT.unusable,
  check: EXIT.check,
};

const INTERRUPTED = 'Interrupted. Run the same command again.';

export interface ReportOptions {
  readonly json: boolean;
  readonly debug: boolean;
}

/** Says what went wrong, in one sentence (as a JSON document too where one was asked for); returns the exit code. */
export function report(error: unknown, io: Io, options: ReportOptions): ExitCode {
  if (io.signal.aborted && error === io.signal.reason) {
    if (options.json)
      printJson(io, { error: { code: 'interrupted', message: INTERRUPTED }, exitCode: EXIT.interrupted });
    say(io, INTERRUPTED);
    return EXIT.interrupted;
  }
  const known = error instanceof RgiError;
  const message = known ? messageOf(error) : `Unexpected: ${messageOf(error)} (run again with --debug for the stack).`;
  const exitCode = known ? CODES[error.code] : EXIT.unusable;
  if (options.json) {
    const details = known
      ? { code: error.code, message, location: error.location, details: error.details }
      : { code: 'unexpected', message };
    printJson(io, { error: details, exitCode });
  }
  io.err(`${io.colour ? '\u001b[31merror:\u001b[39m' : 'error:'} `);
  say(io, message);
  if (options.debug && error instanceof Error) for (const line of stackOf(error).split('\n')) say(io, line);
  return exitCode;
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}
