/** Constants whose exact value no test has to notice, each with the reason. By file name and label, so that files may move. */
import path from 'node:path';

const REASONS: Readonly<Record<string, string>> = {};

/** Why a change of the constant `label` of `file` may go unnoticed; undefined where it may not. */
export function reasonFor(file: string, label: string): string | undefined {
  return REASONS[`${path.basename(file)} ${label}`];
}
