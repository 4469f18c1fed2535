/** All rules by operator name. One that the builder can emit and that has none is a compile error here. */
import type { BuilderOperator } from '../../onnx/builder.ts';
import type { Rule, RuleTable } from '../rule.ts';
import { activations } from './activations.ts';
import { convolution } from './convolution.ts';
import { elementwise } from './elementwise.ts';
import { indexing } from './indexing.ts';
import { matrix } from './matrix.ts';
import { normalisation } from './normalisation.ts';
import { pooling } from './pooling.ts';
import { reduction } from './reduction.ts';
import { resizing } from './resize.ts';
import { scatter } from './scatter.ts';
import { selection } from './selection.ts';
import { shape } from './shape.ts';
import { zero } from './zero.ts';

const ALL = {
  ...zero,
  ...elementwise,
  ...activations,
  ...selection,
  ...reduction,
  ...shape,
  ...indexing,
  ...scatter,
  ...convolution,
  ...matrix,
  ...normalisation,
  ...pooling,
  ...resizing,
} satisfies Readonly<Record<BuilderOperator, Rule>>;

export const RULES: RuleTable = ALL;
