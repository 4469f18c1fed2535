/** All rules by operator name. */
import type { RuleTable } from '../rule.ts';
import { convolution } from './convolution.ts';
import { elementwise } from './elementwise.ts';
import { matrix } from './matrix.ts';
import { normalisation } from './normalisation.ts';

export const RULES: RuleTable = { ...convolution, ...matrix, ...normalisation, ...elementwise };
