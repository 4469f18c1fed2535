/** The pictures that a user names on the command line: where they are searched, and what is said of those passed over. */
import type { ExpandOptions } from '../images/node/inputs.ts';
import { type Io, say } from './io.ts';

export interface InputFlags {
  readonly recursive?: boolean;
  readonly quiet?: boolean;
}

export const RECURSIVE = ['--recursive', 'search the folders below the named ones, too'] as const;

export function inputOptions({ recursive = false, quiet = false }: InputFlags, io: Io): ExpandOptions {
  return { recursive, onNote: (sentence) => (quiet ? undefined : say(io, `note: ${sentence}`)) };
}
