/** All rules by operator name. */
import type { RuleTable } from '../rule.ts';
import { activations } from './activations.ts';
import { convolution } from './convolution.ts';
import { elementwise } from './elementwise.ts';
import { matrix } from './matrix.ts';
import { normalisation } from './normalisation.ts';
import { pooling } from './pooling.ts';
import { resizing } from './resize.ts';
import { selection } from './selection.ts';
import { zero } from './zero.ts';

export const RULES: RuleTable = {
  ...resizing,
  ...pooling,
  ...normalisation,
  ...matrix,
  ...convolution,
  ...zero,
  ...elementwise,
  ...activations,
  ...selection,
};
