/**
 * A model of the folder is three of the protocol: NAME is the generator itself, NAME.restore restores pictures, NAME.detect inspects them.
 * Names of models have no dot, so that the three cannot be confused.
 */
import type { Generator } from '../../inversion/generator/generator.ts';
import type { ElementType } from '../../onnx/tensor.ts';
import { datatypeOf } from './datatypes.ts';

export const VARIANTS = ['generate', 'restore', 'detect'] as const;
export type Variant = (typeof VARIANTS)[number];

/** What a client calls a variant of the model `name`. */
export function protocolName(name: string, variant: Variant): string {
  return variant === 'generate' ? name : `${name}.${variant}`;
}

/** The model and its variant by what a client calls them; the model need not exist. */
export function parseProtocolName(called: string): { readonly name: string; readonly variant: Variant } {
  const variant = (['restore', 'detect'] as const).find((one) => called.endsWith(`.${one}`));
  return variant ? { name: called.slice(0, -variant.length - 1), variant } : { name: called, variant: 'generate' };
}

/** A tensor as the protocol's metadata has it: -1 is an axis of any size. */
export interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

type Row = readonly [name: string, type: ElementType, ...shape: (number | 'N')[]];

/** The inputs and outputs of a variant. */
export function tensorsOf(
  { latents, output, channels: c, height: h, width: w, batch }: Generator,
  variant: Variant,
): { readonly inputs: TensorMetadata[]; readonly outputs: TensorMetadata[] } {
  const size = variant === 'generate' && batch !== 'any' ? batch : -1;
  const rows = (list: readonly Row[]) =>
    list.map(([name, type, ...shape]) => ({
      name,
      datatype: datatypeOf(type),
      shape: shape.map((dim) => (dim === 'N' ? size : dim)),
    }));
  const picture = ['N', c, h, w] as const;
  const map = ['N', 1, h, w] as const;
  if (variant === 'generate') {
    const inputs = latents.map(({ name, dims }): Row => [name, 'float32', 'N', ...dims]);
    return { inputs: rows(inputs), outputs: rows([[output, 'float32', ...picture]]) };
  }
  const inputs = rows([['image', 'float32', ...picture]]);
  if (variant === 'detect') {
    return {
      inputs,
      outputs: rows([
        ['score', 'float32', 'N'],
        ['defective', 'bool', 'N'],
        ['map', 'float32', ...map],
        ['restored', 'float32', ...picture],
      ]),
    };
  }
  return {
    inputs,
    outputs: rows([
      ['restored', 'float32', ...picture],
      ['composite', 'float32', ...picture],
      ['mask', 'float32', ...map],
      ['soft_mask', 'float32', ...map],
      ['residual', 'float32', ...map],
      ['misfit', 'float32', 'N'],
    ]),
  };
}
