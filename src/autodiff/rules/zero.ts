/** Operators whose derivative is zero everywhere it exists: steps, tests, indices, shapes, fresh values. */
import { type Rule, zeroDerivative } from '../rule.ts';

const STEPS = ['Sign', 'Floor', 'Ceil', 'Round'] as const;
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
] as const;
const INDICES = ['ArgMax', 'ArgMin', 'NonZero', 'Hardmax'] as const;
const SHAPES = ['Shape', 'Size', 'ConstantOfShape', 'EyeLike'] as const;
const DRAWS = [
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
  'Bernoulli',
  'Multinomial',
] as const;

const ALL = [...STEPS, ...TESTS, ...INDICES, ...SHAPES, ...DRAWS] as const;

export const zero = Object.fromEntries(ALL.map((operator) => [operator, zeroDerivative])) as Record<
  (typeof ALL)[number],
  Rule
>;
