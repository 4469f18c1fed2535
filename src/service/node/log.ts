/** The log: one JSON object a line, with the id of the request. */
import { type Logger, pino } from 'pino';
import type { LogLevel } from '../log-levels.ts';

export type Log = Logger;

/** Each line goes to `write`. Tokens are never in it. */
export function openLog(write: (line: string) => void, level: LogLevel): Log {
  const formatters = { level: (label: string) => ({ level: label }) };
  return pino({ level, base: undefined, timestamp: pino.stdTimeFunctions.isoTime, formatters }, { write });
}
