/** The log: one JSON object a line, with the id of the request. */
import { type Logger, pino } from 'pino';

export type Log = Logger;

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Each line goes to `write`. Tokens are never in it. */
export function openLog(write: (line: string) => void, level: LogLevel): Log {
  return pino({ level, base: undefined, timestamp: pino.stdTimeFunctions.isoTime }, { write });
}
