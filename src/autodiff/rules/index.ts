/** All rules by operator name. */
import type { RuleTable } from '../rule.ts';
import { elementwise } from './elementwise.ts';

export const RULES: RuleTable = { ...elementwise };
