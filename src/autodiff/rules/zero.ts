/** Operators whose derivative is zero everywhere it exists: steps, tests, indices, shapes, fresh values. */
import { type RuleTable, zeroDerivative } from '../rule.ts';

const STEPS = ['Sign', 'Floor', 'Ceil', 'Round'];
const TESTS = [
  'Equal',
  'Less',
  'LessOrEqual',
  'Greater',
  'GreaterOrEqual',
  'And',
  'Or',
  'Xor',
  'Not',
  'IsNaN',
  'IsInf',
];
const INDICES = ['ArgMax', 'ArgMin', 'NonZero', 'Hardmax'];
const SHAPES = ['Shape', 'Size', 'ConstantOfShape', 'EyeLike'];
const DRAWS = ['RandomNormal', 'RandomNormalLike', 'RandomUniform', 'RandomUniformLike', 'Bernoulli', 'Multinomial'];

export const zero: RuleTable = Object.fromEntries(
  [...STEPS, ...TESTS, ...INDICES, ...SHAPES, ...DRAWS].map((operator) => [operator, zeroDerivative]),
);
